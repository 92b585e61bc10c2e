"""Dot transparency: one end mark and no other, whatever the segments (lessons 1, 2, 4 and 5)."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.dots import DotReader, DotWriter
from mailsuite.wire.text import normalize_newlines
from tests.wire.cutting import BODIES, CUTS, TRICKY, cut, octets

LIMIT = 1000


def read(*segments: bytes, reader: DotReader | None = None) -> tuple[bytes, bytes | None]:
    """Return the body that *segments* hold, and what follows the end mark."""
    reader = reader or DotReader(LIMIT)
    body = b""
    rest: bytes | None = None
    for segment in segments:
        if rest is not None:
            rest += segment
            continue
        chunk, rest = reader.read(segment)
        body += chunk
    return body, rest


def reference(wire: bytes) -> tuple[bytes, bytes | None]:
    """Return the same by the plainest reading of RFC 5321 §4.5.2."""
    wire = b"\r\n" + wire
    content, mark, rest = wire.partition(b"\r\n.\r\n")
    if mark:
        content += b"\r\n"
    return content.replace(b"\r\n.", b"\r\n")[2:], rest if mark else None


def stuffed(body: bytes) -> bytes:
    """Return *body* (whole lines) as a client sends it."""
    return (
        b"".join(b"." + line if line.startswith(b".") else line for line in body.splitlines(keepends=True)) + b".\r\n"
    )


class TestReader:
    """What comes after DATA."""

    @given(BODIES, CUTS)
    def test_every_body_comes_back(self, body: bytes, cuts: list[int]) -> None:
        """What a client stuffs is unstuffed, however it is cut, and what follows is left alone."""
        wire = stuffed(body) + b"QUIT\r\n"

        assert read(wire) == (body, b"QUIT\r\n")
        assert read(*cut(wire, cuts)) == (body, b"QUIT\r\n")
        assert read(*octets(wire)) == (body, b"QUIT\r\n")

    @given(TRICKY, CUTS)
    def test_any_octets_however_they_are_cut(self, wire: bytes, cuts: list[int]) -> None:
        """Body, end and watchfulness depend on the octets alone."""
        wire += b"\r\n.\r\nrest"
        expected = reference(wire)
        whole, pieces, single = DotReader(LIMIT), DotReader(LIMIT), DotReader(LIMIT)

        assert read(wire, reader=whole) == expected
        assert read(*cut(wire, cuts), reader=pieces) == expected
        assert read(*octets(wire), reader=single) == expected
        assert whole.bare == pieces.bare == single.bare == has_bare(b"\r\n" + wire)

    @pytest.mark.parametrize(
        "wire", [b"a\r\n.\r\n", b".\r\n", b"\r\n.\r\n", b"..\r\n.\r\n", b"a\r\n..\r\n.\r\n", b".a\r\n.\r\n"]
    )
    def test_the_end_mark_ends(self, wire: bytes) -> None:
        """CRLF.CRLF ends a body; the CRLF may be that of DATA itself."""
        assert read(wire)[1] == b""
        assert read(*octets(wire))[1] == b""

    @pytest.mark.parametrize(
        "wire",
        [
            b"a\n.\n",
            b"a\r.\r",
            b"a\n.\r\n",
            b"a\r\n.\n",
            b"a\r\r\n.\r",
            b"a\r\n.\r",
            b"a\r\n.\0\r\n",
            b"a\r\n. \r\n",
            b"a.\r\n",
        ],
    )
    def test_nothing_else_ends(self, wire: bytes) -> None:
        """No other octets around a dot end a body."""
        assert read(wire)[1] is None
        assert read(*octets(wire))[1] is None

    def test_at_most_four_octets_are_held_back(self) -> None:
        """What may begin the end mark waits, and nothing else does."""
        reader = DotReader(LIMIT)

        for sent, given_on in [
            (b"abc", b"abc"),
            (b"\r", b""),
            (b"\n", b""),
            (b".", b""),
            (b"\r", b""),
            (b"x", b"\r\n\rx"),
            (b"\r\n", b""),
            (b"..y", b"\r\n.y"),
        ]:
            assert reader.read(sent) == (given_on, None)

    @pytest.mark.parametrize("bare", [b"\r", b"\n", b"a\rb", b"a\nb", b"\n\r", b"\r\r\n", b"\r\n\n", b"\r\n.\n"])
    def test_bare_newlines_are_seen(self, bare: bytes) -> None:
        """A bare CR or LF is noticed wherever a segment ends."""
        wire = b"x" + bare + b"x\r\n.\r\n"
        for segments in ([wire], list(octets(wire))):
            reader = DotReader(LIMIT)
            read(*segments, reader=reader)
            assert reader.bare

    def test_whole_crlfs_are_not_bare(self) -> None:
        """A CRLF that is cut in two is a CRLF."""
        reader = DotReader(LIMIT)
        read(*octets(b"a\r\n\r\n.\r\n"), reader=reader)

        assert not reader.bare

    @given(st.integers(1, 40), st.lists(st.integers(0, 60), max_size=8), CUTS)
    def test_lines_over_the_limit_are_seen(self, limit: int, lengths: list[int], cuts: list[int]) -> None:
        """One octet past the limit is seen and the limit itself is not, across any border of segments."""
        limit += 2
        wire = b"".join(b"x" * length + b"\r\n" for length in lengths) + b".\r\n"
        over = any(length + 2 > limit for length in lengths)
        for segments in ([wire], list(cut(wire, cuts)), list(octets(wire))):
            reader = DotReader(limit)
            read(*segments, reader=reader)
            assert reader.long_line == over

    @pytest.mark.parametrize("feed", [lambda data: [data], octets], ids=["whole", "octets"])
    def test_the_dot_of_transparency_does_not_count(self, feed: Callable[[bytes], Iterable[bytes]]) -> None:
        """RFC 5321 §4.5.3.1.6: a stuffed line of exactly the limit is not too long; one octet more is."""
        for length, over in ((LIMIT - 2, False), (LIMIT - 1, True)):
            reader = DotReader(LIMIT)
            read(*feed(b".." + b"x" * (length - 1) + b"\r\n.\r\n"), reader=reader)
            assert reader.long_line == over

    def test_a_line_without_end_is_seen_before_it_ends(self) -> None:
        """A line that never ends is too long as soon as it is."""
        reader = DotReader(LIMIT)
        reader.read(b"x" * LIMIT)
        assert not reader.long_line
        reader.read(b"x")

        assert reader.long_line


def has_bare(data: bytes) -> bool:
    """Say whether *data*, up to its end mark, has a CR or LF outside a CRLF."""
    content = data.partition(b"\r\n.\r\n")[0].replace(b"\r\n", b"")
    return b"\r" in content or b"\n" in content


def write(*pieces: bytes) -> bytes:
    """Return what a writer makes of *pieces*, with the end."""
    writer = DotWriter()
    return b"".join(writer.write(piece) for piece in pieces) + writer.end()


class TestWriter:
    """A multi-line response."""

    @given(BODIES, CUTS)
    def test_round_trip(self, body: bytes, cuts: list[int]) -> None:
        """A reader gives back what a writer was given, however both were cut."""
        wire = write(*cut(body, cuts))

        assert wire == write(body) == write(*octets(body))
        assert read(wire) == (body, b"")

    @given(TRICKY, CUTS)
    def test_lesson_2_nothing_in_the_content_ends_the_response(self, content: bytes, cuts: list[int]) -> None:
        """Whatever the octets, the mark at the end is the first one; a missing CRLF is added."""
        wire = write(*cut(content, cuts))
        body, rest = read(wire)

        assert rest == b""
        assert body in (content, content + b"\r\n")

    def test_no_content(self) -> None:
        """An empty response is its end mark alone."""
        assert write() == b".\r\n"
        assert write(b"") == b".\r\n"

    def test_dots_at_the_borders_of_pieces(self) -> None:
        """A line that begins with the piece, or behind a CRLF cut in two, is stuffed."""
        assert write(b"a\r\n", b".b\r\n") == b"a\r\n..b\r\n.\r\n"
        assert write(b"a\r", b"\n.b\r\n") == b"a\r\n..b\r\n.\r\n"
        assert write(b"a\r", b"\n", b".b\r\n") == b"a\r\n..b\r\n.\r\n"
        assert write(b"a", b".b\r\n") == b"a.b\r\n.\r\n"


@given(TRICKY)
def test_normalized_newlines_are_all_crlf(data: bytes) -> None:
    """No bare CR or LF is left, and nothing but line ends has changed."""
    normal = normalize_newlines(data)

    assert not has_bare(normal.replace(b".", b"x"))
    assert normal.split(b"\r\n") == data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    assert normalize_newlines(normal) == normal


def test_a_bare_cr_before_the_end_mark_makes_it_doubtful() -> None:
    """Whole or octet by octet, CR CR LF . CR LF ends the body and is told from a good end."""
    for body, doubtful in ((b"a\r\r\n.\r\n", True), (b"a\r\n.\r\n", False), (b"\r\r\n.\r\n", True), (b".\r\n", False)):
        whole, single = DotReader(1000), DotReader(1000)
        whole.read(body)
        for index in range(len(body)):
            single.read(body[index : index + 1])

        assert (whole.doubtful, single.doubtful) == (doubtful, doubtful), body


def test_normalizing_measures_what_it_makes() -> None:
    """A long message of short lines that end in bare LF has no long line; a long line stays one."""
    short, long = DotReader(1000, normalize=True), DotReader(1000, normalize=True)
    body, _ = short.read(b"line of text\n" * 2000 + b"\r\n.\r\n")
    long.read(b"x" * 1000 + b"\n\r\n.\r\n")

    assert not short.long_line
    assert body == b"line of text\r\n" * 2000 + b"\r\n"
    assert long.long_line
