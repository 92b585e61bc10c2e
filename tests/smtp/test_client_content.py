"""Content on its way out: whatever was stored, a strict receiver gets one message of whole lines (lesson 2)."""

import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given

from mailsuite.smtp.client_content import Canonical, Chunked, Dotted, Form
from mailsuite.wire.dots import DotReader
from mailsuite.wire.text import normalize_newlines
from tests.wire.cutting import BODIES, CUTS, TRICKY, cut, octets

_BDAT = re.compile(rb"BDAT (0|[1-9][0-9]*)( LAST)?\r\n")


def canonical(content: bytes) -> bytes:
    """Return what must arrive of *content*."""
    text = normalize_newlines(content)
    return text if not text or text.endswith(b"\r\n") else text + b"\r\n"


def sent(form: Form, pieces: Iterable[bytes]) -> bytes:
    """Return what *form* makes of *pieces*."""
    return b"".join([form.write(piece) for piece in pieces]) + form.end()


def undotted(wire: bytes) -> bytes:
    """Return what a strict receiver gets after DATA; nothing may be left over."""
    reader = DotReader(1_000_000)
    body, rest = reader.read(wire)
    assert rest == b""
    assert not reader.bare
    return body


def unchunked(wire: bytes) -> bytes:
    """Return what BDAT commands carry; only the last one may say that it is."""
    chunks = []
    while True:
        found = _BDAT.match(wire)
        assert found is not None, wire[:40]
        size = int(found[1])
        chunks.append(wire[found.end() : found.end() + size])
        assert len(chunks[-1]) == size
        wire = wire[found.end() + size :]
        if found[2]:
            assert wire == b""
            return b"".join(chunks)
        assert size


WAYS = pytest.mark.parametrize(("form", "receive"), [(Dotted, undotted), (Chunked, unchunked)], ids=["data", "bdat"])


@WAYS
@given(content=TRICKY, cuts=CUTS)
def test_any_content_in_any_pieces(
    form: Callable[[], Form], receive: Callable[[bytes], bytes], content: bytes, cuts: list[int]
) -> None:
    """Bare line ends become CRLF, the last line gets its end, and nothing else changes, wherever a piece ends."""
    for pieces in ([content], list(cut(content, cuts)), list(octets(content))):
        assert receive(sent(form(), pieces)) == canonical(content)


@WAYS
@given(content=BODIES, cuts=CUTS)
def test_good_content_arrives_octet_for_octet(
    form: Callable[[], Form], receive: Callable[[bytes], bytes], content: bytes, cuts: list[int]
) -> None:
    """What is canonical already stays what it is."""
    assert receive(sent(form(), cut(content, cuts))) == content


@pytest.mark.parametrize(
    "content",
    [
        b"\n.\n",
        b"\r.\r",
        b"\r\n.\r\n",
        b"\r\r\n.\r\r\n",
        b"\n\r.\n\r",
        b".\r\n",
        b".",
        b".\n",
        b"a\n.\nMAIL FROM:<smuggled@a.example>\nRCPT TO:<b@b.example>\nDATA\n.\n",
        b"a\r.\rMAIL FROM:<smuggled@a.example>\r.\r",
    ],
)
def test_lesson_2_what_has_smuggled(content: bytes) -> None:
    """The forms that have fooled servers are one message, and no end mark but the last is on the wire."""
    for pieces in ([content], list(octets(content))):
        wire = sent(Dotted(), pieces)
        assert undotted(wire) == canonical(content)
        assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1


# Where servers of old saw the end of a message: any line end that they know, on either side of the dot.
LENIENT = {
    "LF": re.compile(rb"\r?\n\.\r?\n"),
    "LF before": re.compile(rb"\r?\n\.\r\n"),
    "LF after": re.compile(rb"\r\n\.\r?\n"),
    "CR": re.compile(rb"(?:\r\n?|\n)\.(?:\r\n?|\n)"),
    "many CRs": re.compile(rb"\r*\n\.\r*\n"),
    "LFCR": re.compile(rb"(?:\r\n|\n\r)\.(?:\r\n|\n\r)"),
    "space after": re.compile(rb"\r?\n\.[ \t]*\r?\n"),
}


@pytest.mark.parametrize("mark", LENIENT.values(), ids=LENIENT.keys())
@given(content=TRICKY, cuts=CUTS, before=BODIES)
def test_lesson_2_lenient_receivers_see_one_message(
    mark: re.Pattern[bytes], content: bytes, cuts: list[int], before: bytes
) -> None:
    """Any octets may be stored: a server that takes less than CRLF.CRLF for the end finds none but the last."""
    wire = sent(Dotted(), cut(before + content, cuts))
    ends = [found.end() - 2 for found in mark.finditer(b"\r\n" + wire)]

    assert ends == [len(wire)]


def test_nothing_stays_nothing() -> None:
    """Content without octets is not given a line."""
    assert sent(Dotted(), []) == b".\r\n"
    assert sent(Chunked(), []) == b"BDAT 0 LAST\r\n"
    assert Canonical().end() == b""


def test_a_chunk_is_kept_back_until_the_next() -> None:
    """No empty chunk is needed to say that one was the last."""
    form = Chunked()

    assert form.write(b"a\r") == b""
    assert form.write(b"\nb") == b"BDAT 1\r\na"
    assert form.write(b"\r") == b""
    assert form.end() == b"BDAT 5 LAST\r\n\r\nb\r\n"
