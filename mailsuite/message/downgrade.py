"""8-bit messages into 7-bit MIME, for servers that take nothing else (RFC 6152 §3, RFC 1428 §3), and binary ones
into either for those that take lines alone (RFC 3030 §3).

No information is lost: every part decodes to the octets that it had. Only what an encoding needs is changed in the
header sections. What a signature or an encryption covers is not touched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailsuite.message import mime
from mailsuite.message.headers import has_field
from mailsuite.message.mime import ContentType, Unclear

# Parts within parts deeper than this, and more parts than this in all, are nobody's honest message (lesson 14).
NESTING = 50
PARTS = 1000

# RFC 1428, appendix: nothing is known about the character set.
UNKNOWN_TEXT = b"Content-Type: text/plain; charset=unknown-8bit\r\n"

# Types that may be encoded although they are of those that must not be (RFC 6532 §3.7, RFC 6533 §4.4).
GLOBAL = frozenset({"global", "global-headers", "global-delivery-status", "global-disposition-notification"})
_SEALED = frozenset({"signed", "encrypted"})
# Names of encodings that a part may not say it has, once it is in 7bit, or in 8bit, data.
_MAY_SAY_EIGHT_BIT = re.compile(rb"8bit|binary", re.IGNORECASE)
_MAY_SAY_BINARY = re.compile(rb"binary", re.IGNORECASE)


class CannotConvert(Exception):
    """A message cannot be converted without a loss; *reason* is a text for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def to_seven_bit(content: bytes) -> bytes:
    """Return *content*, a message with CRLF line ends, in 7-bit MIME; one that is ASCII as it is.

    Raises `CannotConvert`: for octets above 127 in a header field, in a part that is signed, encrypted or of a type
    that must not be encoded, and where the structure is not clear.
    """
    if content.isascii():
        return content
    try:
        return _Conversion(_SEVEN_BIT).message(content, 1, ())
    except Unclear as error:
        raise CannotConvert(str(error)) from error


def to_text(content: bytes, eight_bit: bool) -> bytes:
    """Return *content*, a message of any octets, in MIME that is made of lines (RFC 3030 §3): 8-bit, or 7-bit.

    Raises `CannotConvert`.
    """
    goal = _LINES if eight_bit else _SEVEN_BIT_LINES
    if goal.fits(content) and goal.labels.search(content) is None:
        return content
    try:
        return _Conversion(goal).message(content, 1, ())
    except Unclear as error:
        raise CannotConvert(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Goal:
    """What comes out: what *fits* stays as it is, and so do header sections that *fits_header*.

    *allowed* are the encodings that parts may say they have as they are; *labels* finds others.
    """

    fits: Callable[[bytes], bool]
    fits_header: Callable[[bytes], bool]
    labels: re.Pattern[bytes]
    allowed: frozenset[str]


_SEVEN_BIT = _Goal(bytes.isascii, bytes.isascii, _MAY_SAY_EIGHT_BIT, frozenset({"7bit"}))
_SEVEN_BIT_LINES = _Goal(
    mime.is_seven_bit,
    lambda header: header.isascii() and mime.is_lines(header),
    _MAY_SAY_EIGHT_BIT,
    frozenset({"7bit"}),
)
_LINES = _Goal(mime.is_eight_bit, mime.is_lines, _MAY_SAY_BINARY, frozenset({"7bit", "8bit"}))


class _Conversion:
    """One message's: counts its parts. *boundaries* are those of all multiparts around the place."""

    def __init__(self, goal: _Goal) -> None:
        self._goal = goal
        self._parts = 0

    def message(self, content: bytes, depth: int, boundaries: tuple[bytes, ...]) -> bytes:
        header, body = self._split(content)
        if not self._goal.fits(body) and not has_field(header, b"mime-version"):
            header += b"MIME-Version: 1.0\r\n"
        return self._entity(header, body, mime.content_type(header), depth, boundaries)

    def _part(self, part: bytes, default: ContentType | None, depth: int, boundaries: tuple[bytes, ...]) -> bytes:
        self._parts += 1
        if depth > NESTING or self._parts > PARTS:
            raise CannotConvert("it has too many parts")
        if self._goal.fits(part):
            if self._goal.labels.search(part) is None:
                return part
            try:
                header, body = mime.split(part)
                return self._entity(header, body, mime.content_type(header) or default, depth, boundaries)
            except Unclear:
                # Nothing has to be encoded in it.
                return part
        header, body = self._split(part)
        return self._entity(header, body, mime.content_type(header) or default, depth, boundaries)

    def _entity(
        self, header: bytes, body: bytes, kind: ContentType | None, depth: int, boundaries: tuple[bytes, ...]
    ) -> bytes:
        """Return the entity with everything in it converted, and its encoding named as it is then."""
        encoding = mime.encoding(header)
        if encoding not in mime.AS_IS or (kind is not None and _is_sealed(kind)):
            if not self._goal.fits(body):
                raise CannotConvert(f"it has {self._odd(body)} in {_named(kind)}, {encoding}")
            return header + b"\r\n" + body
        if kind is not None and kind.major == "multipart":
            body = self._multipart(body, kind, depth, boundaries)
        elif kind is not None and (kind.major, kind.minor) == ("message", "rfc822"):
            body = self._enclosed(body, depth, boundaries)
        else:
            return self._leaf(header, body, kind, encoding, boundaries)
        return self._relabelled(header, body, encoding) + b"\r\n" + body

    def _multipart(self, body: bytes, kind: ContentType, depth: int, boundaries: tuple[bytes, ...]) -> bytes:
        # RFC 2046 §5.1.5
        default = ContentType("message", "rfc822") if kind.minor == "digest" else None
        pieces: list[bytes] = []
        for piece, is_part in mime.cut(body, kind.boundary):
            if is_part:
                pieces.append(self._part(piece, default, depth + 1, (*boundaries, kind.boundary)))
            elif self._goal.fits(piece):
                pieces.append(piece)
            else:
                raise CannotConvert(f"it has {self._odd(piece)} around the parts of a multipart")
        return b"".join(pieces)

    def _enclosed(self, body: bytes, depth: int, boundaries: tuple[bytes, ...]) -> bytes:
        """An enclosed message is one more part."""
        self._parts += 1
        if depth >= NESTING or self._parts > PARTS:
            raise CannotConvert("it has too many parts")
        if self._goal.fits(body) and self._goal.labels.search(body) is None:
            return body
        return self.message(body, depth + 1, boundaries)

    def _leaf(
        self, header: bytes, body: bytes, kind: ContentType | None, encoding: str, boundaries: tuple[bytes, ...]
    ) -> bytes:
        """Encode the body where it needs that: text so that people can read it, all else the short way."""
        if self._goal.fits(body) and (encoding in self._goal.allowed or mime.is_eight_bit(body)):
            return self._relabelled(header, body, encoding) + b"\r\n" + body
        if kind is not None and kind.major == "message" and kind.minor not in GLOBAL:
            # RFC 2046 §5.2: these must not be encoded.
            raise CannotConvert(f"it has {self._odd(body)} in {_named(kind)}")
        if kind is None:
            header += UNKNOWN_TEXT
        if kind is None or kind.major in ("text", "message"):
            encoded = mime.quoted_printable(body)
            # A line that was broken may now begin like a boundary.
            if not any(b"\r\n--" + boundary in encoded for boundary in boundaries):
                return mime.with_encoding(header, b"quoted-printable") + b"\r\n" + encoded
        return mime.with_encoding(header, b"base64") + b"\r\n" + mime.base64(body)

    def _split(self, entity: bytes) -> tuple[bytes, bytes]:
        header, body = mime.split(entity)
        if not self._goal.fits_header(header):
            raise CannotConvert(f"it has {self._odd(header)} in a header field")
        return header, body

    def _relabelled(self, header: bytes, body: bytes, encoding: str) -> bytes:
        """RFC 2045 §6.4: nothing in 7-bit MIME says that it may be more, nothing in 8-bit MIME that it is binary."""
        if encoding in self._goal.allowed:
            return header
        return mime.with_encoding(header, b"7bit" if body.isascii() else b"8bit")

    def _odd(self, octets: bytes) -> str:
        """Say what it is that *octets* may not have, for people."""
        if not octets.isascii() and "8bit" not in self._goal.allowed:
            return "octets above 127"
        return "lines that are too long" if mime.is_lines(octets) else "octets that are no lines"


def _is_sealed(kind: ContentType) -> bool:
    """RFC 1847 §2.1, §2.2: what is in it must not be altered on its way."""
    return kind.major == "multipart" and kind.minor in _SEALED


def _named(kind: ContentType | None) -> str:
    return "a part without a type" if kind is None else f"{kind.major}/{kind.minor}"
