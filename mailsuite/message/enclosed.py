"""Whether a message can be a part of another one so that all who read that find the same structure (RFC 2046 §5.2.1).

What is broken is not handed on as a message: who gets it could not tell where ours goes on.
"""

import re

from mailsuite.message import mime
from mailsuite.message.downgrade import GLOBAL, NESTING, PARTS
from mailsuite.message.headers import fields, header_end
from mailsuite.message.mime import AS_IS, ContentType, Unclear

# bcharsnospace of RFC 2046 §5.1.1.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_MESSAGE = ContentType("message", "rfc822")


def is_sound(message: bytes) -> bool:
    """Say whether *message*, of which every line ends in CRLF, is a sound one with all that is in it.

    All lines of its header sections are fields, and each multipart in it has its delimiters, from first to last.
    """
    try:
        return _Look().entity(message, None, 1)
    except Unclear:
        return False


class _Look:
    """One look at a message: counts its parts (lesson 14)."""

    def __init__(self) -> None:
        self._parts = 0

    def entity(self, octets: bytes, default: ContentType | None, depth: int) -> bool:
        """Say whether an entity is sound; *default* is its type where it names none. Raises `Unclear`."""
        self._parts += 1
        if depth > NESTING or self._parts > PARTS:
            return False
        end = header_end(octets)
        header, body = (octets, b"") if end < 0 else (octets[:end], octets[end + 2 :])
        if not _has_fields_alone(header):
            return False
        kind = mime.content_type(header) or default
        as_is = mime.encoding(header) in AS_IS
        if kind is None or kind.major not in ("multipart", "message"):
            return True
        if kind.minor in GLOBAL and not as_is:
            # RFC 6532 §3.7: so encoded, it says nothing of its structure to who reads the rest.
            return True
        if kind.major == "multipart":
            return as_is and self._multipart(body, kind, depth)
        if kind.minor in ("delivery-status", "global-delivery-status"):
            return as_is and all(self._group(group, depth) for group in _groups(body))
        return as_is and self.entity(body, None, depth + 1)

    def _group(self, group: bytes, depth: int) -> bool:
        """RFC 3464 §2.1: fields alone; to many readers a header section, of what these fields say."""
        return _has_fields_alone(group) and self.entity(group, None, depth + 1)

    def _multipart(self, body: bytes, kind: ContentType, depth: int) -> bool:
        if _BOUNDARY.fullmatch(kind.boundary) is None:
            return False
        # RFC 2046 §5.1.5
        default = _MESSAGE if kind.minor == "digest" else None
        parts = mime.parts(body, kind.boundary)
        return bool(parts) and all(self.entity(part, default, depth + 1) for part in parts)


def _has_fields_alone(header: bytes) -> bool:
    # White space before the colon is obsolete (RFC 5322 §4.5.8): not everybody takes it for a field.
    return all(name and whole[len(name) : len(name) + 1] == b":" for name, _, whole in fields(header))


def _groups(body: bytes) -> list[bytes]:
    return [group for group in body.split(b"\r\n\r\n") if group.strip(b"\r\n")]
