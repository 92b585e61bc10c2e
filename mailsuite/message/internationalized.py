"""Whether a message has header fields in other letters than ASCII (RFC 6532), which only SMTPUTF8 may carry."""

from mailsuite.message import mime
from mailsuite.message.downgrade import NESTING, PARTS
from mailsuite.message.headers import header_end
from mailsuite.message.mime import AS_IS, ContentType, Unclear

_MESSAGE = ContentType("message", "rfc822")
# RFC 6532 §3.7: the second may have such fields, and that in its own octets.
_MESSAGES = frozenset({"rfc822", "global"})


def is_internationalized(content: bytes) -> bool:
    """Say whether a header section of *content*, or of anything in it, is not ASCII (RFC 6531 §3.2, §3.6).

    Where the structure is not clear, what is within it is no header section for anybody.
    """
    if content.isascii():
        return False
    if header_end(content) < 0:
        # RFC 5322 §3.5: all of it is header.
        return True
    try:
        return _Look().entity(content, None, 1)
    except Unclear:
        return False


class _Look:
    """One look at a message: counts its parts (lesson 14)."""

    def __init__(self) -> None:
        self._parts = 0

    def entity(self, octets: bytes, default: ContentType | None, depth: int) -> bool:
        """Say it of an entity that is not ASCII; *default* is its type where it names none. Raises `Unclear`."""
        self._parts += 1
        if depth > NESTING or self._parts > PARTS:
            return False
        header, body = mime.split(octets)
        if not header.isascii():
            return True
        kind = mime.content_type(header) or default
        if kind is None or kind.major not in ("multipart", "message") or mime.encoding(header) not in AS_IS:
            return False
        if kind.major == "message":
            return kind.minor in _MESSAGES and not body.isascii() and self.entity(body, None, depth + 1)
        # RFC 2046 §5.1.5
        default = _MESSAGE if kind.minor == "digest" else None
        parts = (piece for piece, is_part in mime.cut(body, kind.boundary) if is_part and not piece.isascii())
        return any(self.entity(part, default, depth + 1) for part in parts)
