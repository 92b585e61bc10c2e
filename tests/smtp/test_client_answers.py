"""Replies off the wire, from servers of any kind (RFC 5321 §4.2, RFC 2034; lesson 25)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.outcome import Answer
from mailsuite.smtp import answers
from mailsuite.smtp.answers import AnswerReader, Garbled, ServerReply, printable
from tests.wire.cutting import CUTS, cut, octets


def read(*segments: bytes) -> list[ServerReply | Garbled]:
    """Return all that a reader makes of *segments*, up to the first that makes no sense."""
    reader = AnswerReader()
    found: list[ServerReply | Garbled] = []
    for segment in segments:
        reader.receive(segment)
        while (reply := reader.read()) is not None:
            found.append(reply)
            if isinstance(reply, Garbled):
                return found
    return found


def answer(data: bytes) -> Answer:
    """Return the one reply of *data* as it is shown."""
    (reply,) = read(data)
    assert isinstance(reply, ServerReply)
    return reply.answer


@pytest.mark.parametrize(
    ("wire", "code", "status", "lines"),
    [
        (b"250 OK\r\n", 250, "", ("OK",)),
        (b"250\r\n", 250, "", ()),
        (b"250 \n", 250, "", ()),
        (b"250-a\r\n250-b\n250 c\r\n", 250, "", ("a", "b", "c")),
        (b"550 5.1.1 No such user\r\n", 550, "5.1.1", ("No such user",)),
        (b"550 5.1.1\r\n", 550, "5.1.1", ()),
        (b"550-5.7.1 No\r\n550 5.7.1  See x\r\n", 550, "5.7.1", ("No", "See x")),
        # Another status in a later line is text; so is one of another class than the code's (RFC 2034 §4).
        (b"550-5.7.1 No\r\n550 5.7.2 See x\r\n", 550, "5.7.1", ("No", "5.7.2 See x")),
        (b"450 5.1.1 Odd\r\n", 450, "", ("5.1.1 Odd",)),
        (b"550 5.1.1000 Odd\r\n", 550, "", ("5.1.1000 Odd",)),
        (b"550 5.1.1.example Odd\r\n", 550, "", ("5.1.1.example Odd",)),
        (b"354 3.0.0 Go\r\n", 354, "", ("3.0.0 Go",)),
        (b"000 x\r\n", 0, "", ("x",)),
        (b"250 a\tb\0\x7f\xc3\xa9\x1b[1m\r\r\n", 250, "", ("a b\\x00\\x7f\\xc3\\xa9\\x1b[1m\\x0d",)),
    ],
)
def test_replies(wire: bytes, code: int, status: str, lines: tuple[str, ...]) -> None:
    """Code, status and text are told apart, and the text is printable."""
    assert answer(wire) == Answer("", code, status, lines)


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        (b"\r\n", Garbled.NO_CODE),
        (b"25\r\n", Garbled.NO_CODE),
        (b"OK\r\n", Garbled.NO_CODE),
        (b"2500 OK\r\n", Garbled.NO_CODE),
        (b"250\tOK\r\n", Garbled.NO_CODE),
        (b" 250 OK\r\n", Garbled.NO_CODE),
        ("²⁵⁰ OK\r\n".encode(), Garbled.NO_CODE),
        (b"250-a\r\nb\r\n", Garbled.NO_CODE),
        (b"250-a\r\n251 b\r\n", Garbled.MIXED_CODES),
    ],
)
def test_what_is_no_reply(wire: bytes, fault: Garbled) -> None:
    """What makes no sense is told, and nothing is made of it."""
    assert read(wire) == [fault]
    assert read(*octets(wire)) == [fault]


def test_the_longest_line() -> None:
    """A line of exactly the limit is read; one octet more is too much, with or without its end."""
    most = answers.LINE_OCTETS - 6
    (reply,) = read(b"250 " + b"x" * most + b"\r\n")
    assert isinstance(reply, ServerReply) and len(reply.texts[0]) == most

    assert read(b"250 " + b"x" * (most + 1) + b"\r\n") == [Garbled.LINE_TOO_LONG]
    assert read(b"250 " + b"x" * (most + 2)) == []
    assert read(b"250 " + b"x" * (most + 3)) == [Garbled.LINE_TOO_LONG]


def test_the_most_lines() -> None:
    """A reply has so many lines, and not one more."""
    most = b"250-x\r\n" * (answers.REPLY_LINES - 1)

    (reply,) = read(most + b"250 x\r\n")
    assert isinstance(reply, ServerReply) and len(reply.texts) == answers.REPLY_LINES
    assert read(most + b"250-x\r\n250 x\r\n") == [Garbled.TOO_MANY_LINES]


def test_the_largest_reply() -> None:
    """Long lines count together, too."""
    line = b"250-" + b"x" * 8188 + b"\r\n"
    count = answers.REPLY_OCTETS // 8192
    (reply,) = read(line * (count - 1) + b"250 " + b"x" * 8188 + b"\r\n")
    assert isinstance(reply, ServerReply) and len(reply.texts) == count

    assert read(line * (count - 1) + b"250 " + b"x" * 8189 + b"\r\n") == [Garbled.TOO_LARGE]


def test_what_is_kept_for_people() -> None:
    """So many lines of so many letters, and not one more; a cut is seen."""
    full = "x" * answers.ANSWER_LETTERS
    assert answer(f"550 {full}\r\n".encode()).lines == (full,)
    (line,) = answer(f"550 {full}x\r\n".encode()).lines
    assert len(line) == answers.ANSWER_LETTERS and line.endswith("xxx...")

    many = [f"line {number}" for number in range(answers.ANSWER_LINES + 1)]
    wire = "".join(f"550-{line}\r\n" for line in many[:-1]) + f"550 {many[-1]}\r\n"
    assert answer(wire.encode()).lines == tuple(many[:-1])


SERVERS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"250 ", b"250-", b"550 5.1.1 ", b"354", b"421 ", b"\r\n", b"\n", b"\r", b"x", b"\0", b"-", b" "]
        ),
        st.binary(max_size=4),
    ),
    max_size=40,
).map(b"".join)


@given(SERVERS, CUTS)
def test_any_octets_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    """Nothing raises, what is read depends on the octets alone, and what is shown is printable and bounded."""
    found = read(data)

    assert read(*cut(data, cuts)) == found
    assert read(*octets(data)) == found
    for reply in found:
        if isinstance(reply, ServerReply):
            shown = reply.answer
            assert all(line.isascii() and line.isprintable() for line in shown.lines)
            assert all(len(line) <= answers.ANSWER_LETTERS for line in shown.lines)


@given(st.binary(max_size=50))
def test_printable(text: bytes) -> None:
    """Whatever the octets, a line of printable ASCII comes out."""
    shown = printable(text)

    assert shown.isascii() and shown.isprintable()
    assert shown == shown.strip(" ")


def test_nothing_is_left_after_clearing() -> None:
    """Half a reply, with whole lines in it, is forgotten with the rest."""
    reader = AnswerReader()
    reader.receive(b"250-a\r\n250-b\r\n25")
    assert reader.read() is None
    assert (reader.empty, len(reader)) == (False, 2)

    reader.clear()
    assert (reader.empty, len(reader)) == (True, 0)
    reader.receive(b"220 c\r\n")
    assert reader.read() == ServerReply(220, (b"c",))
