"""REQUIRETLS (RFC 8689): a message that must go no way without TLS."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession


def require_tls(session: "ServerSession", value: str | None) -> Literal[True] | Reply:
    """REQUIRETLS, which takes no value (RFC 8689 §2, item 4)."""
    return True if value is None else replies.BAD_PARAMETER


class RequireTls(Extension):
    """REQUIRETLS at MAIL."""

    keyword: ClassVar[str] = "REQUIRETLS"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"REQUIRETLS": require_tls}
    mail_octets: ClassVar[int] = 11  # RFC 8689 §2, item 5

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`: such a message must not come in the clear either (RFC 8689 §2)."""
        return session.encrypted and super().offered(session)


PART = RequireTls()
