"""BDAT (RFC 3030): any content in any chunks, in any segments; limits; what is refused; how much memory it takes."""

import cProfile
import dataclasses
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.smtp import events, replies
from mailsuite.smtp.extensions.chunking import GATHERED_OCTETS
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.settings import Limits, Settings
from mailsuite.wire.dots import DotWriter
from mailsuite.wire.events import HANG_UP
from tests.chat import Conversation
from tests.smtp.respondent import NORMALIZE, PLAIN, SUBMISSION, Respondent, session
from tests.smtp.sessions import ENVELOPE, Talk
from tests.wire.cutting import cut

BINARY = ENVELOPE.replace(b"\r\nRCPT", b" BODY=BINARYMIME\r\nRCPT")
MIB = 1 << 20


def limited(**limits: int) -> Settings:
    """Return a listener with other *limits*."""
    return dataclasses.replace(PLAIN, limits=Limits(**limits))


def chunk(octets: bytes, last: bool = False) -> bytes:
    """Return *octets* as a chunk."""
    return b"BDAT %d%b\r\n%b" % (len(octets), b" LAST" if last else b"", octets)


def cuts(count: int) -> st.SearchStrategy[list[int]]:
    """Return places to cut something at, up to *count* of them."""
    return st.lists(st.integers(0, 200), max_size=count)


CONTENT = st.one_of(
    st.binary(max_size=120),
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\0", b"x", b"QUIT"]), max_size=40).map(b"".join),
)


def in_chunks(content: bytes, places: list[int]) -> bytes:
    """Return BDAT commands that send *content*, cut at *places*."""
    edges = sorted({0, len(content), *(place for place in places if place < len(content))})
    pieces = [content[start:end] for start, end in pairwise(edges)] or [b""]
    return b"".join(chunk(piece, index == len(pieces) - 1) for index, piece in enumerate(pieces))


@settings(deadline=None)
@given(CONTENT, cuts(6), cuts(20))
def test_rfc_3030_3_binary_content_comes_as_it_is(content: bytes, places: list[int], segments: list[int]) -> None:
    """However it is cut into chunks, and these into segments."""
    talk = Talk()
    talk.say(*cut(BINARY + in_chunks(content, places) + b"NOOP\r\n", segments))

    assert set(talk.replies()) <= {"250 2.0.0", "250 2.1.0", "250 2.1.5"}
    assert [body for _, _, body in talk.respondent.messages] == [content]


@settings(deadline=None)
@given(CONTENT, cuts(6), cuts(20))
def test_lesson_2_text_comes_as_by_data(content: bytes, places: list[int], segments: list[int]) -> None:
    """It is taken where DATA would take it, and is the same then: nothing that could end a message elsewhere."""
    talk, by_data = Talk(), Talk()
    talk.say(*cut(ENVELOPE + in_chunks(content, places), segments))
    if content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n"):
        dots = DotWriter()
        by_data.transaction(dots.write(content) + dots.end())
        assert talk.codes()[-1] == 250
        assert talk.respondent.messages == by_data.respondent.messages
    else:
        assert talk.codes()[-1] == 554
        assert talk.respondent.messages == []
        assert talk.respondent.refused == [replies.BARE_NEWLINE_IN_BODY]


@given(CONTENT, cuts(6))
def test_text_is_mended_where_the_listener_says_so(content: bytes, places: list[int]) -> None:
    """Every bare CR and LF becomes a CRLF, across chunks too."""
    talk = Talk(NORMALIZE)
    talk.say(ENVELOPE + in_chunks(content, places))
    mended = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")

    assert talk.codes()[-1] == 250
    assert talk.respondent.messages[0][2] == (mended if mended.endswith(b"\r\n") or not mended else mended + b"\r\n")


# Sizes


@pytest.mark.parametrize("size", [b"x", b"-1", b"+1", b"1.0", b"0x1", b"1k", b"", b"LAST", b"\xd9\xa1", b"0" * 21])
def test_a_size_that_cannot_be_read_ends_the_connection(size: bytes) -> None:
    """Nobody can know where the next command begins: 501, and nothing more is read."""
    talk = Talk()
    talk.say(ENVELOPE + b"BDAT %b LAST\r\nQUIT\r\nMAIL FROM:<evil@a.example>\r\n" % size)

    assert talk.replies() == ["250 2.1.0", "250 2.1.5", "501 5.5.4"]
    assert talk.conversation.events[-1] is HANG_UP
    assert talk.core.unread == 0


@pytest.mark.parametrize("line", [b"BDAT 6 LAST" + b" " * 501, b"BDAT 6\x00LAST", b"BDAT 6 \x7f"])
def test_a_line_that_cannot_be_read_ends_the_connection(line: bytes) -> None:
    """Too long by one octet, or with control characters: it may have had a size, and what follows is no command."""
    talk = Talk()
    talk.say(ENVELOPE + line + b"\r\nQUIT\r\n")

    assert talk.replies() == ["250 2.1.0", "250 2.1.5", "500 5.5.2"]
    assert talk.conversation.events[-1] is HANG_UP


def test_a_line_at_the_cap() -> None:
    """One octet shorter it is read."""
    talk = Talk()
    talk.say(ENVELOPE + b"BDAT 6 LAST" + b" " * 499 + b"\r\nQUIT\r\n")

    assert talk.replies() == ["250 2.1.0", "250 2.1.5", "250 2.0.0"]


def test_a_size_of_twenty_digits() -> None:
    """It is a number: the chunk is refused, when all of it has come, and until then no octet of it is kept."""
    talk = Talk()
    talk.say(ENVELOPE + b"BDAT 99999999999999999999 LAST\r\n")
    for _ in range(100):
        talk.say(b"QUIT\r\n" * 10_000)

    assert talk.replies() == ["250 2.1.0", "250 2.1.5"]
    assert talk.respondent.refused == [replies.TOO_LARGE]
    assert talk.core.unread == 0


@pytest.mark.parametrize("sizes", [[100], [0, 100], [60, 40], [99, 1, 0], [1] * 100])
def test_message_size_at_the_cap_and_one_past(sizes: list[int]) -> None:
    """RFC 1870 §6.3: octets of all chunks count; 552 comes behind the chunk, and the session goes on."""
    for more, code in ((0, 250), (1, 552)):
        talk = Talk(limited(message_size=100))
        body = b"".join(chunk(b"x" * size) for size in [sizes[0] + more, *sizes[1:]]) + chunk(b"", last=True)
        talk.say(ENVELOPE + body + b"NOOP\r\n")
        *_, end, noop = talk.codes()
        assert (end, noop) == (code, 250)
        assert len(talk.respondent.messages) == (code == 250)
        assert talk.respondent.refused == ([replies.TOO_LARGE] if more else [])


def test_text_line_at_the_cap_and_one_past() -> None:
    """RFC 5321 §4.5.3.1.6: also where a line lies in many chunks; binary content has no lines."""
    line = b"x" * 998 + b"\r\n"
    for envelope, more, code in ((ENVELOPE, b"", 250), (ENVELOPE, b"x", 554), (BINARY, b"x", 250)):
        talk = Talk(limited(text_line=1000))
        content = more + line
        talk.say(envelope + b"".join(chunk(content[start : start + 7]) for start in range(0, len(content), 7)))
        talk.say(chunk(b"", last=True))
        assert talk.codes()[-1] == code


# Errors


def test_each_refused_message_is_one_error() -> None:
    """Chunks of it that were under way are no further ones; BDAT without a transaction is one each time."""
    talk = Talk(limited(errors=3))
    talk.say(ENVELOPE + chunk(b"a\nb") * 20 + chunk(b"", last=True))
    assert talk.core.errors == 1
    talk.replies()
    talk.say(chunk(b"x") + chunk(b"x", last=True) + chunk(b"RSET\r\n") + b"NOOP\r\n")

    assert talk.replies() == ["503 5.5.1", "503 5.5.1", "503 5.5.1", "421 4.7.0"]


def test_who_has_not_logged_in_gets_nothing_in() -> None:
    """RFC 6409 §4.3: MAIL is refused, and with it what follows."""
    talk = Talk(dataclasses.replace(SUBMISSION, auth="always"))
    talk.say(ENVELOPE + chunk(b"QUIT\r\n", last=True))

    assert talk.replies() == ["530 5.7.0", "503 5.5.1", "503 5.5.1"]
    assert talk.respondent.messages == []


def test_a_temporary_refusal_is_no_lasting_one_in_the_end() -> None:
    """Who looks only at the answer to the last chunk must not take it for a failure for good."""
    talk = Talk()
    talk.say(ENVELOPE.replace(b"a@a", b"full@a") + chunk(b"x") * 3 + chunk(b"", last=True) + b"RSET\r\n")

    assert talk.codes() == [250, 250, 452, 452, 452, 452, 250]


@pytest.mark.parametrize("between", [b"RSET\r\n", b"EHLO x\r\n", b"MAIL FROM:<a@a.example>\r\n"])
def test_a_failed_message_is_forgotten(between: bytes) -> None:
    """What begins anew has nothing of it: BDAT is out of place, and no longer a part of what failed."""
    talk = Talk()
    talk.say(ENVELOPE + chunk(b"a\nb") + between + chunk(b"x", last=True))

    assert talk.codes()[-1] == 503


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        (b"BDAT 6 LAST\r", "500 5.5.2"),
        (b"bdat 6 LAST\n", "500 5.5.2"),
        (b"BDAT\n6", "500 5.5.2"),
        (b"BDAT\t6 LAST", "500 5.5.2"),
        (b"bdat:6", "500 5.5.2"),
        (b"BDAT 6 \0", "500 5.5.2"),
        (b"BDAT 6" + b" " * 600, "500 5.5.2"),
        (b"BDAT 6" + b" " * 20_000, "500 5.5.2"),
        (b"BDAT six", "501 5.5.4"),
    ],
)
@pytest.mark.parametrize("way", [Talk.say, Talk.say_octets], ids=["whole", "octets"])
def test_octets_behind_an_unreadable_line(way: Callable[[Talk, bytes], None], line: bytes, refusal: str) -> None:
    """Nobody can tell them from commands: the session ends with the reply."""
    talk = Talk()
    talk.say(ENVELOPE)
    talk.replies()
    way(talk, line + b"\r\nNOOP\r\nNOOP\r\n")

    assert talk.replies() == [refusal]
    assert talk.conversation.closed


class Closing(Respondent):
    """Shuts the door at the end of a chunk."""

    def ChunkEnds(self, event: events.ChunkEnds) -> Reply:
        return replies.SHUTTING_DOWN


def test_a_reply_that_closes() -> None:
    """421 at a chunk is the last word."""
    core, _ = session()
    conversation = Conversation(core, Closing())
    conversation.send(b"EHLO x\r\n" + ENVELOPE + chunk(b"x") + chunk(b"x", last=True) + b"NOOP\r\n")

    assert conversation.closed
    assert conversation.said.endswith(replies.SHUTTING_DOWN.octets)


# Time


def test_the_time_of_a_message_begins_with_its_first_chunk() -> None:
    """All of its chunks, and the pauses between them, are one phase with one term; after that there is none."""
    talk = Talk()
    core, limits = talk.core, talk.core.settings.limits
    talk.say(ENVELOPE)
    phase = core.phase
    assert core.term == 0.0
    talk.say(b"BDAT 5\r\n12")
    begun = core.phase
    assert (core.term, begun) == (limits.data_timeout, phase + 1)
    talk.say(b"345")
    assert (core.term, core.phase) == (limits.data_timeout, begun)
    talk.say(chunk(b"") * 5)
    assert (core.term, core.phase) == (limits.data_timeout, begun)
    talk.say(chunk(b"", last=True))
    assert core.term == 0.0


def test_what_is_skipped_has_its_time_too() -> None:
    """A refused chunk must be through in it; then the session may idle as ever."""
    talk = Talk()
    talk.say(b"BDAT 100 LAST\r\n12")
    assert talk.core.term == talk.core.settings.limits.data_timeout
    talk.say(b"x" * 98)
    assert (talk.core.term, talk.codes()) == (0.0, [503])


def test_silence_within_a_chunk() -> None:
    """The peer is told, and nothing is kept."""
    talk = Talk()
    talk.say(ENVELOPE + b"BDAT 100 LAST\r\n12")
    talk.core.expire()
    talk.conversation.pump()

    assert talk.codes() == [250, 250, 421]
    assert talk.respondent.messages == []


# Memory


class Counting(Respondent):
    """Keeps no content."""

    pieces = 0
    octets = 0

    def BodyChunk(self, event: events.BodyChunk) -> None:
        self.pieces += 1
        self.octets += len(event.octets)


def peak(core_input: list[bytes]) -> tuple[int, Counting]:
    """Return how much memory a session takes at most while it reads *core_input*."""
    core, _ = session(limited(message_size=100 * MIB))
    respondent = Counting()
    conversation = Conversation(core, respondent)
    conversation.send(b"EHLO x\r\n" + BINARY)
    conversation.events = Forgetful()
    tracemalloc.start()
    try:
        for data in core_input:
            conversation.send(data)
        return tracemalloc.get_traced_memory()[1], respondent
    finally:
        tracemalloc.stop()


class Forgetful(list):  # type: ignore[type-arg]
    """Keeps nothing."""

    def append(self, item: object) -> None:
        """Forget *item*."""


@pytest.mark.parametrize("octets", [b"x", b"xy"])
def test_lesson_7_ten_thousand_tiny_chunks(octets: bytes) -> None:
    """They are gathered: few pieces go on, and memory stays flat."""
    group = chunk(octets) * 100
    used, respondent = peak([group] * 100 + [chunk(b"", last=True)])

    assert respondent.octets == 10_000 * len(octets)
    assert respondent.pieces <= 10_000 * len(octets) // GATHERED_OCTETS + 1
    # Nearly all of it are the replies, which nobody takes here.
    assert used < MIB


def test_fifty_megabytes() -> None:
    """In one chunk: what a session holds of it is far below 2 MiB."""
    segment = b"y" * 65_536
    used, respondent = peak([b"BDAT %d LAST\r\n" % (50 * MIB), *[segment] * 800])

    assert respondent.octets == 50 * MIB
    assert used < MIB


# What it costs


def calls(segments: list[bytes]) -> int:
    """Count the calls of functions that a session makes of *segments*, which carry one message."""
    core, _ = session(limited(message_size=100 * MIB))
    conversation = Conversation(core, Counting())
    conversation.send(b"EHLO x\r\n")
    conversation.events = Forgetful()
    profile = cProfile.Profile()
    profile.enable()
    for data in segments:
        conversation.send(data)
    profile.disable()
    assert conversation.said.endswith(replies.ACCEPTED.octets)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("size", [100, 4000, 1_000_000])
def test_it_costs_no_more_than_data(size: int) -> None:
    """Nothing is looked for in it, and one answer less is waited for; counted in calls, not in time."""
    content = b"Subject: x\r\n\r\n" + b"0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * (size // 39)
    by_data = [ENVELOPE + b"DATA\r\n", *pieces(content + b".\r\n")]
    by_bdat = pieces(ENVELOPE + chunk(content, last=True))

    assert calls(by_bdat) <= calls(by_data)


def pieces(octets: bytes) -> list[bytes]:
    """Return *octets* as they come from a socket."""
    return [octets[start : start + 65_536] for start in range(0, len(octets), 65_536)]
