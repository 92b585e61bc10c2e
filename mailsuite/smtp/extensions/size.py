"""SIZE (RFC 1870): a message that is too large is refused before it is sent."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# size-value ::= 1*20DIGIT (RFC 1870 §3)
_DIGITS = 20


def size(session: "ServerSession", value: str | None) -> int | Reply:
    """Return the declared size in octets, or why the message cannot come (RFC 1870 §6.1)."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > _DIGITS:
        return replies.BAD_PARAMETER
    declared = int(value)
    return replies.TOO_LARGE if declared > session.settings.limits.message_size else declared


class Size(Extension):
    """SIZE=n at MAIL; the limit itself holds while the body comes, in the session."""

    keyword: ClassVar[str] = "SIZE"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"SIZE": size}
    mail_octets: ClassVar[int] = 26  # RFC 1870 §3

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`: with the limit in octets."""
        return f"SIZE {session.settings.limits.message_size}"


PART = Size()
