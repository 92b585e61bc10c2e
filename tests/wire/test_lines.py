"""Only CRLF ends a line, and no line grows past its limit (lessons 1, 5 and 13 of mail servers before us)."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.lines import Fault, Inbox
from tests.wire.cutting import CUTS, TRICKY, cut, octets

LIMIT = 20


def lines(*segments: bytes, limit: int = LIMIT) -> list[bytes | Fault]:
    """Return what an inbox makes of *segments*, read after each of them."""
    inbox = Inbox()
    found: list[bytes | Fault] = []
    for segment in segments:
        inbox.receive(segment)
        while (line := inbox.line(limit)) is not None:
            found.append(line)
    return found


def test_lines_of_one_segment_come_one_by_one() -> None:
    """Many lines in one segment are many lines."""
    assert lines(b"one\r\ntwo\r\n\r\nthree") == [b"one", b"two", b""]


def test_crlf_split_across_segments() -> None:
    """A CR at the end of a segment waits for its LF."""
    assert lines(b"one\r", b"\ntwo\r", b"\n") == [b"one", b"two"]


@pytest.mark.parametrize("bare", [b"a\nb", b"a\rb", b"\n", b"\r", b"a\r\r", b"\n\n", b"a\n\rb"])
def test_bare_newlines_end_no_line(bare: bytes) -> None:
    """A line with a bare CR or LF is one line, reported and never returned."""
    assert lines(bare + b"\r\nnext\r\n") == [Fault.BARE_NEWLINE, b"next"]
    assert lines(*octets(bare + b"\r\nnext\r\n")) == [Fault.BARE_NEWLINE, b"next"]


@pytest.mark.parametrize("feed", [lambda data: [data], octets], ids=["whole", "octets"])
def test_limit_counts_the_crlf(feed: Callable[[bytes], Iterable[bytes]]) -> None:
    """A line of exactly the limit is taken, one octet more is too long; the next line is read in either case."""
    fits, over = b"x" * (LIMIT - 2), b"x" * (LIMIT - 1)

    assert lines(*feed(fits + b"\r\nnext\r\n")) == [fits, b"next"]
    assert lines(*feed(over + b"\r\nnext\r\n")) == [Fault.TOO_LONG, b"next"]


def test_lesson_5_a_long_line_is_skipped_whole_in_bounded_memory() -> None:
    """A line of a megabyte is reported once, when it ends, and is never held."""
    inbox = Inbox()
    for _ in range(1000):
        inbox.receive(b"NOOP " * 200)
        assert inbox.line(LIMIT) is None
        assert inbox.unread <= 1
    inbox.receive(b"\r\nNOOP\r\n")

    assert inbox.line(LIMIT) is Fault.TOO_LONG
    assert inbox.line(LIMIT) == b"NOOP"
    assert inbox.line(LIMIT) is None


def test_crlf_of_a_long_line_split_across_segments() -> None:
    """The end of a line that is being skipped is seen where a segment ends in its middle."""
    assert lines(b"x" * 30 + b"\r", b"\nnext\r\n") == [Fault.TOO_LONG, b"next"]
    assert lines(b"x" * 30 + b"\r", b"x\r", b"\rx", b"\r\nnext\r\n") == [Fault.TOO_LONG, b"next"]


def test_limit_may_change_between_lines() -> None:
    """Each line is measured by the limit with which it is asked for (AUTH lines are longer)."""
    inbox = Inbox()
    inbox.receive(b"x" * 30 + b"\r\n" + b"x" * 30 + b"\r\n")

    assert inbox.line(40) == b"x" * 30
    assert inbox.line(LIMIT) is Fault.TOO_LONG


def test_take_and_put_back() -> None:
    """What a body reader gives back is the next to be read."""
    inbox = Inbox()
    inbox.receive(b"DATA\r\nbody\r\n.\r\nQUIT\r\n")
    assert inbox.line(LIMIT) == b"DATA"
    assert inbox.take() == b"body\r\n.\r\nQUIT\r\n"
    assert inbox.unread == 0
    inbox.put_back(b"QUIT\r\n")

    assert inbox.line(LIMIT) == b"QUIT"


def test_clear_forgets_a_line_that_was_being_skipped() -> None:
    """After the switch to TLS nothing of what came before is left, not even that a line was too long."""
    inbox = Inbox()
    inbox.receive(b"x" * 30)
    assert inbox.line(LIMIT) is None
    inbox.clear()
    inbox.receive(b"EHLO x\r\n")

    assert inbox.line(LIMIT) == b"EHLO x"


def reference(data: bytes, limit: int) -> list[bytes | Fault]:
    """Return the lines of *data* by the plainest reading of the rule."""
    found: list[bytes | Fault] = []
    for line in data.split(b"\r\n")[:-1]:
        if len(line) + 2 > limit:
            found.append(Fault.TOO_LONG)
        elif b"\r" in line or b"\n" in line:
            found.append(Fault.BARE_NEWLINE)
        else:
            found.append(line)
    return found


@given(TRICKY, CUTS, st.integers(2, 12))
def test_any_octets_however_they_are_cut(data: bytes, cuts: list[int], limit: int) -> None:
    """The lines depend on the octets alone and never on the segments."""
    expected = reference(data, limit)

    assert lines(data, limit=limit) == expected
    assert lines(*cut(data, cuts), limit=limit) == expected
    assert lines(*octets(data), limit=limit) == expected
