"""The MDA's role (LMTP, RFC 2033): another mail server hands mail for our mailboxes over, and keeps the queue.

It is told of each recipient by itself: what a mailbox cannot take now is the other server's to try again.
"""

from typing import Literal

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.interfaces import ICaps, IRates, IRelayPolicy
from mailsuite.maybe import Maybe
from mailsuite.service.login import Logins
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply


class DeliveryRole:
    """See `service.role.Role`."""

    name = "lmtp"
    protocol: Literal["LMTP"] = "LMTP"
    # Whoever hands mail over has held it to its own limits.
    rates: IRates | None = None
    caps: ICaps | None = None

    def __init__(self, relay: IRelayPolicy, logins: Logins) -> None:
        self.relay = relay
        self.logins = logins

    def flush(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        """No queue is started from here."""
        return replies.ETRN_NOT_ALLOWED

    def sender(self, session: Reception, reverse_path: Address | None) -> Maybe[Reply]:
        """Any reverse-path: who may send was judged where the mail came in."""
        return replies.SENDER_OK

    def head(self, session: Reception, header: bytes, message_id: str, envelope: Envelope) -> bytes:
        """Headers are never repaired here."""
        return header

    def content(self, session: Reception, header: bytes) -> Maybe[Reply | None]:
        """What comes for our addresses is taken as it is."""
        return None

    def expand(self, session: Reception, event: events.Expand) -> Maybe[Reply]:
        """RFC 5321 §7.3: membership is told to nobody here."""
        return replies.CANNOT_VERIFY
