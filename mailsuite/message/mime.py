"""MIME entities as octets (RFC 2045, RFC 2046): read strictly, cut, and joined again without a change.

What two readers may understand in two ways is not read at all: whoever changes a message on the ground of its
structure must be sure of it.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Iterator
from dataclasses import dataclass

from mailsuite.message.headers import fields, header_end, unfold

# The longest line of a message, without its CRLF (RFC 5322 §2.1.1, RFC 2045 §2.7).
LINE_OCTETS = 998
# Encodings that leave the octets as they are (RFC 2045 §6.2).
AS_IS = frozenset({"7bit", "8bit", "binary"})
# A field that says of what kind a part is, longer than this, is nobody's honest one.
FIELD_OCTETS = 2048
# RFC 2046 §5.1.1 allows 70; a longer one than this costs more to look for than it is worth.
BOUNDARY_OCTETS = 200

# token = 1*<any (US-ASCII) CHAR except SPACE, CTLs, or tspecials> (RFC 2045 §5.1)
_NAME = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"
_TYPE = re.compile(rf"\s*({_NAME})\s*/\s*({_NAME})\s*(?=;|\Z)")
# Many write a boundary with an equals sign in it, and without quotes: that is clear enough.
_PARAMETER = re.compile(rf"\s*;\s*(?:({_NAME})\s*=\s*([^\s;\"]+|\"(?:[^\"\\]|\\.)*\")\s*)?")
_ESCAPED = re.compile(r"\\(.)")
# A quoted string, a comment, or what is neither (RFC 5322 §3.2.2, §3.2.4).
_PIECE = re.compile(r"(?P<quoted>\"(?:[^\"\\]|\\.)*\")|(?P<comment>\((?:[^()\\]|\\.)*\))|[^\"()]+", re.DOTALL)
# From its beginning alone: to try it at every octet would take as many steps as lines have octets.
_LONG_LINE = re.compile(rb"^[^\r\n]{%d}" % (LINE_OCTETS + 1), re.MULTILINE)


class Unclear(ValueError):
    """The structure of an entity can be read in several ways, or in none; the text says where."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case; *boundary* is that of a multipart, else empty."""

    major: str
    minor: str
    boundary: bytes = b""


def split(entity: bytes) -> tuple[bytes, bytes]:
    """Return the header section and the body of *entity*. Raises `Unclear` where nothing stands between them."""
    end = header_end(entity)
    if end < 0:
        raise Unclear("a header section without an end")
    return entity[:end], entity[end + 2 :]


def value(header: bytes, name: bytes) -> str | None:
    """Return the body of the one field called *name* (lower case); ``None`` where there is none.

    Raises `Unclear` where there are several, where it is too long, and where a line of *header* is no field at all.
    """
    found: bytes | None = None
    for field, body, _ in fields(header):
        if not field:
            raise Unclear("a line in a header section that is no field")
        if field == name:
            if found is not None:
                raise Unclear(f"more than one {name.decode()} field")
            found = body
    if found is None:
        return None
    if len(found) > FIELD_OCTETS:
        raise Unclear(f"a {name.decode()} field that is too long")
    return _without_comments(unfold(found))


def content_type(header: bytes) -> ContentType | None:
    """Return the type that *header* names; ``None`` where it names none (RFC 2045 §5.2). Raises `Unclear`."""
    text = value(header, b"content-type")
    if text is None:
        return None
    found = _TYPE.match(text)
    if found is None:
        # RFC 2045 §5.2: such a thing is taken for plain text, as long as nobody could take it for more than one part.
        if re.search("multipart|message", text, re.IGNORECASE):
            raise Unclear("a content-type that is none")
        return ContentType("text", "plain")
    major, minor = found[1].lower(), found[2].lower()
    if major != "multipart":
        return ContentType(major, minor)
    return ContentType(major, minor, _boundary(text, found.end()))


def encoding(header: bytes) -> str:
    """Return the Content-Transfer-Encoding in lower case, ``7bit`` where none is said (RFC 2045 §6.1).

    Raises `Unclear`.
    """
    said = value(header, b"content-transfer-encoding")
    return "7bit" if said is None else said.strip().lower()


def with_encoding(header: bytes, name: bytes) -> bytes:
    """Return *header* with *name* as its Content-Transfer-Encoding, in its old place; no other octet changes."""
    line = b"Content-Transfer-Encoding: %s\r\n" % name
    kept = [line if field == b"content-transfer-encoding" else whole for field, _, whole in fields(header)]
    joined = b"".join(kept)
    return joined if line in kept else joined + line


def cut(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bool]]:
    """Cut the body of a multipart into pieces, which joined are *body* again; those with ``True`` are its parts.

    RFC 2046 §5.1.1: what is before the first part and after the last is no part; the last may lack its end.
    """
    # With this, the first line is one like all others.
    text = b"\r\n" + body
    delimiter = _delimiter(boundary)
    found = delimiter.search(text)
    start = found.end() if found else len(text)
    yield text[2:start], False
    while found is not None and found[1] is None:
        found = delimiter.search(text, start)
        end = found.start() if found else len(text)
        # The CRLF is the delimiter's; two delimiters may share one, and there is nothing between them then.
        yield text[start : start + 2] if start < end else b"", False
        yield text[start + 2 : end], start < end
        start = found.end() if found else len(text)
        yield text[end:start], False
    yield text[start:], False


def parts(body: bytes, boundary: bytes) -> list[bytes]:
    """Return the parts of a multipart that has its first and its last delimiter, and something between any two.

    Of any other the list is empty.
    """
    text = b"\r\n" + body
    found: list[bytes] = []
    start = 0
    for delimiter in _delimiter(boundary).finditer(text):
        if start == delimiter.start() and start:
            return []
        if start:
            found.append(text[start + 2 : delimiter.start()])
        start = delimiter.end()
        if delimiter[1] is not None:
            return found
    return []


def is_seven_bit(body: bytes) -> bool:
    """Say whether *body* is 7bit data (RFC 2045 §2.7): short lines of ASCII without NUL, each ended by CRLF."""
    return body.isascii() and is_eight_bit(body)


def is_eight_bit(body: bytes) -> bool:
    """Say whether *body* is 8bit data (RFC 2045 §2.8): short lines of octets other than NUL, each ended by CRLF."""
    return is_lines(body) and _LONG_LINE.search(body) is None


def is_lines(octets: bytes) -> bool:
    """Say whether *octets* are lines of any length without NUL, each ended by CRLF, but for the last one."""
    ends = octets.count(b"\r\n")
    return b"\0" not in octets and octets.count(b"\r") == ends == octets.count(b"\n")


def quoted_printable(body: bytes) -> bytes:
    """Encode *body* (RFC 2045 §6.7): its CRLFs stay line ends, any other octet comes back as it was."""
    lines = (b2a_qp(line, istext=False).replace(b"\n", b"\r\n") for line in body.split(b"\r\n"))
    return b"\r\n".join(lines)


def base64(body: bytes) -> bytes:
    """Encode *body* in lines of 76 octets (RFC 2045 §6.8)."""
    return encodebytes(body).replace(b"\n", b"\r\n")


def _delimiter(boundary: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\r\n--%s(--)?[ \t]*(?=\r\n|\Z)" % re.escape(boundary))


def _without_comments(text: str) -> str:
    kept: list[str] = []
    start = 0
    while start < len(text):
        found = _PIECE.match(text, start)
        if found is None:
            raise Unclear("a field with an open quotation or comment")
        kept.append(" " if found["comment"] else found[0])
        start = found.end()
    return "".join(kept)


def _boundary(text: str, start: int) -> bytes:
    found: list[str] = []
    while start < len(text):
        parameter = _PARAMETER.match(text, start)
        if parameter is None:
            raise Unclear("a parameter of a multipart that is none")
        start = parameter.end()
        name = (parameter[1] or "").lower()
        if name.startswith("boundary*"):
            raise Unclear("a boundary in the form of RFC 2231, which few programs read")
        if name == "boundary":
            found.append(parameter[2])
    if len(found) != 1:
        raise Unclear("a multipart without a boundary, or with several")
    said = found[0]
    if said.startswith('"'):
        said = _ESCAPED.sub(r"\1", said[1:-1])
    boundary = said.rstrip().encode("ascii", "replace")
    if not boundary:
        raise Unclear("a multipart with an empty boundary")
    if len(boundary) > BOUNDARY_OCTETS:
        raise Unclear("a boundary that is too long")
    return boundary
