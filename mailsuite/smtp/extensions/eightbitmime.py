"""8BITMIME (RFC 6152): octets above 127 in a message. All content is kept octet for octet, declared or not.

BODY is its parameter; RFC 3030 §3 adds a value to it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.extensions import binarymime
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession


def body(session: "ServerSession", value: str | None) -> str | Reply:
    """Return the declared body type in upper case (RFC 6152 §2, RFC 3030 §3)."""
    kind = (value or "").upper()
    if kind in ("7BIT", "8BITMIME") or (kind == "BINARYMIME" and binarymime.PART.offered(session)):
        return kind
    return replies.BAD_BODY_TYPE


class EightBitMime(Extension):
    """BODY=7BIT and BODY=8BITMIME at MAIL."""

    keyword: ClassVar[str] = "8BITMIME"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"BODY": body}
    # RFC 6152 names no length: ``BODY=8BITMIME`` with its space, and a little more.
    mail_octets: ClassVar[int] = 17


PART = EightBitMime()
