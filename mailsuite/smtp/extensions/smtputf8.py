"""SMTPUTF8 (RFC 6531): addresses and header fields in the letters of their users.

The paths themselves are parsed in `mailsuite.smtp.commands`, after the parameters that say how.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession


def smtputf8(session: "ServerSession", value: str | None) -> Literal[True] | Reply:
    """SMTPUTF8, which takes no value (RFC 6531 §3.4)."""
    return True if value is None else replies.BAD_PARAMETER


class SmtpUtf8(Extension):
    """SMTPUTF8 at MAIL; VRFY and EXPN have it too (`mailsuite.smtp.commands`)."""

    keyword: ClassVar[str] = "SMTPUTF8"
    needs: ClassVar[frozenset[str]] = frozenset({"8BITMIME"})  # RFC 6531 §3.1, item 8
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"SMTPUTF8": smtputf8}
    mail_octets: ClassVar[int] = 10  # RFC 6531 §3.1, item 5


PART = SmtpUtf8()
