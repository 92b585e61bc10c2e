"""STARTTLS (RFC 3207): the session becomes an encrypted one and begins anew."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Verb
from mailsuite.smtp.states import READY

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession


def starttls(session: "ServerSession", argument: str) -> None:
    """STARTTLS (RFC 3207 §4): takes no argument; not inside TLS, not within a transaction."""
    if argument:
        session.refuse(replies.NO_ARGUMENT)
    elif session.encrypted:
        session.refuse(replies.ALREADY_TLS)
    else:
        session.start_tls()


class StartTls(Extension):
    """Offered where the listener has a certificate and TLS has not begun (RFC 3207 §4.2)."""

    keyword: ClassVar[str] = "STARTTLS"
    verbs: ClassVar[Mapping[str, Verb]] = {
        "STARTTLS": Verb(starttls, READY, help=("STARTTLS", "Begins TLS; all that was said before is forgotten"))
    }

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`."""
        return session.settings.starttls and super().offered(session)

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`."""
        return None if session.encrypted else self.keyword


PART = StartTls()
