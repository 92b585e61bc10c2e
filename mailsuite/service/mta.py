"""The MTA's role (port 25): mail from anybody for our own addresses, and nothing repaired.

It trusts no peer that has not authenticated, loopback included, and changes no header (RFC 5321 §6.4 leaves repairs
to submission); the one exception is Return-Path, which final delivery replaces.
"""

from typing import Literal

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.interfaces import ICaps, IRates, IRelayPolicy
from mailsuite.maybe import Maybe, then
from mailsuite.service.expansion import expand
from mailsuite.service.flush import Flush
from mailsuite.service.login import Logins
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply


class InboundRole:
    """See `service.role.Role`."""

    name = "mta"
    protocol: Literal["ESMTP"] = "ESMTP"
    # Who submits is at another port.
    caps: ICaps | None = None

    def __init__(self, relay: IRelayPolicy, logins: Logins, flush: Flush, rates: IRates | None = None) -> None:
        self.relay = relay
        self.rates = rates
        self.logins = logins
        self._flush = flush

    def flush(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        """See `service.flush`."""
        return self._flush.answer(session, event)

    def sender(self, session: Reception, reverse_path: Address | None) -> Maybe[Reply]:
        """Any reverse-path, the null one too (RFC 5321 §4.5.5); of who has logged in, as long as they still may."""
        if session.login is None:
            return replies.SENDER_OK
        still = self.logins.vouched(session.login.name, "smtp")
        return then(still, lambda login: replies.NOT_YOUR_ADDRESS if login is None else replies.SENDER_OK)

    def head(self, session: Reception, header: bytes, message_id: str, envelope: Envelope) -> bytes:
        """Headers are never repaired here."""
        return header

    def content(self, session: Reception, header: bytes) -> Maybe[Reply | None]:
        """What comes for our addresses is taken as it is."""
        return None

    def expand(self, session: Reception, event: events.Expand) -> Maybe[Reply]:
        """See `service.expansion`."""
        return expand(session, event)
