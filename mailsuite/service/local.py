"""The MSA's role on a UNIX socket of this machine: cron and other programs send, and the kernel says who runs them."""

from collections.abc import Iterable
from typing import Literal

from mailsuite.address import Address
from mailsuite.envelope import Envelope, Peer
from mailsuite.interfaces import ICaps, IRates, IRelayPolicy
from mailsuite.maybe import Maybe
from mailsuite.meaning import Login
from mailsuite.service.login import Logins
from mailsuite.service.msa import completed
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply


def local_login(peer: Peer, origin: str) -> Login:
    """Return who *peer*, a user of this system, is to limits and the log: nobody of the accounts."""
    # Accounts have numbers from 1 on.
    return Login(-1 - peer.uid, f"{peer.user}@{origin}", None)


class LocalRole:
    """See `service.role.Role`. *origin* is the domain of this system's users, *trusted* are those who may be anybody.

    *trusted* has names or, in decimal, numbers of users; root, who can become any of them, is always one.
    """

    name = "local"
    protocol: Literal["ESMTP"] = "ESMTP"

    def __init__(
        self,
        relay: IRelayPolicy,
        logins: Logins,
        origin: str,
        trusted: Iterable[str],
        rates: IRates | None = None,
        caps: ICaps | None = None,
    ) -> None:
        self.relay = relay
        self.rates = rates
        self.caps = caps
        self.logins = logins
        self._origin = origin
        self._trusted = frozenset({*trusted, "0"})

    def flush(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        """Users of this system start no queue: that is the operator's (``mailsuite queue retry``)."""
        return replies.ETRN_NOT_ALLOWED

    def sender(self, session: Reception, reverse_path: Address | None) -> Maybe[Reply]:
        """The reverse-path is the user's own name at our origin, or null; of who is trusted, any."""
        peer = session.peer
        if session.login is None:
            # A proxy has spoken for somebody else.
            return replies.AUTH_REQUIRED
        if reverse_path is None or not self._trusted.isdisjoint((peer.user, str(peer.uid))):
            return replies.SENDER_OK
        own = Address(peer.user, self._origin)
        return replies.SENDER_OK if reverse_path.key == own.key else replies.NOT_YOUR_ADDRESS

    def head(self, session: Reception, header: bytes, message_id: str, envelope: Envelope) -> bytes:
        """See `service.msa.completed`."""
        return completed(session, header, message_id, envelope)

    def content(self, session: Reception, header: bytes) -> Maybe[Reply | None]:
        """Anything: what programs write into From is their users' affair, and they come with no account of ours."""
        return None

    def expand(self, session: Reception, event: events.Expand) -> Maybe[Reply]:
        """RFC 5321 §7.3: membership is told to those who have an account here."""
        return replies.CANNOT_VERIFY
