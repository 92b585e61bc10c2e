"""The MSA's role (ports 587 and 465): mail from our own users, with a password (RFC 6409)."""

from collections.abc import Sequence
from typing import Literal

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.interfaces import ICaps, IRates, IRelayPolicy
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login
from mailsuite.message.asked_fields import priority_of, with_priority
from mailsuite.message.submission import authors, complete
from mailsuite.service.flush import Flush
from mailsuite.service.login import Logins
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, grammar, replies
from mailsuite.smtp.replies import Reply


class SubmissionRole:
    """See `service.role.Role`. *check_from*: each From address must belong to the login."""

    name = "submission"
    protocol: Literal["ESMTP"] = "ESMTP"

    def __init__(
        self,
        relay: IRelayPolicy,
        logins: Logins,
        flush: Flush,
        check_from: bool,
        rates: IRates | None = None,
        caps: ICaps | None = None,
    ) -> None:
        self.relay = relay
        self.rates = rates
        self.caps = caps
        self.logins = logins
        self._flush = flush
        self._check_from = check_from

    def flush(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        """See `service.flush`."""
        return self._flush.answer(session, event)

    def sender(self, session: Reception, reverse_path: Address | None) -> Maybe[Reply]:
        """The reverse-path is the login's own, or null (RFC 6409 §6.1)."""
        if session.login is None:
            return replies.AUTH_REQUIRED
        # Who has been suspended, frozen or removed since the login has no address any more, and no null one.
        still = self.logins.vouched(session.login.name, "smtp")
        return then(still, lambda login: self._own(session, login, reverse_path))

    def _own(self, session: Reception, login: Login | None, reverse_path: Address | None) -> Maybe[Reply]:
        if login is None:
            return replies.NOT_YOUR_ADDRESS
        if reverse_path is None:
            return replies.SENDER_OK
        owned = session.site.directory.may_send_as(login, reverse_path)
        return then(owned, lambda own: replies.SENDER_OK if own else replies.NOT_YOUR_ADDRESS)

    def head(self, session: Reception, header: bytes, message_id: str, envelope: Envelope) -> bytes:
        """See `completed`."""
        return completed(session, header, message_id, envelope)

    def content(self, session: Reception, header: bytes) -> Maybe[Reply | None]:
        """Each From address is the login's own (RFC 6409 §6.1 asks for such a right; RFC 5322 §3.6.2)."""
        if not self._check_from or session.login is None:
            return None
        found = authors(header)
        if found is None:
            return replies.BAD_FROM
        return self._own_all(session, session.login, found)

    def _own_all(self, session: Reception, login: Login, addresses: Sequence[Address]) -> Maybe[Reply | None]:
        if not addresses:
            return None
        first, *rest = addresses
        owned = session.site.directory.may_send_as(login, first)
        return then(owned, lambda own: self._own_all(session, login, rest) if own else replies.NOT_YOUR_FROM)

    def expand(self, session: Reception, event: events.Expand) -> Maybe[Reply]:
        """The members of an alias, for those who have logged in (RFC 5321 §3.5, §7.3)."""
        if session.login is None:
            return replies.CANNOT_VERIFY
        path = event.text if event.text.startswith("<") else f"<{event.text}>"
        try:
            # RFC 6531 §3.7.4.2: the question may have any letters, whatever the answer may have.
            address = grammar.mailbox(path, _PATH, _PATH, _PATH, utf8=True)
        except (grammar.TooLong, grammar.BadDomain):
            address = None
        if address is None:
            return replies.UNKNOWN_LIST
        return then(session.site.directory.expand(address), lambda members: _members(members, event.utf8))


def completed(session: Reception, header: bytes, message_id: str, envelope: Envelope) -> bytes:
    """Return *header* completed (RFC 6409 §8); its MT-Priority is the one that was granted (RFC 6758 §3.3)."""
    site = session.site
    wanted = envelope.parameters.get("MT-PRIORITY", priority_of(header))
    if wanted is not None:
        header = with_priority(header, session.grant(wanted))
    return complete(header, site.now(), f"{message_id}.{int(site.now())}@{site.hostname}")


# No real address is longer; the limits of RCPT are the session's, this only bounds the question.
_PATH = 512


def _members(members: Sequence[Address] | None, utf8: bool) -> Reply:
    if not members:
        return replies.UNKNOWN_LIST
    if utf8:
        # RFC 6531 §3.7: with it, a domain is shown as U-labels.
        return Reply(250, "2.1.5", *(f"<{member.in_u_labels}>" for member in members))
    if any(member.needs_utf8 for member in members):
        return replies.NEEDS_UTF8_REPLY
    return Reply(250, "2.1.5", *(f"<{member.in_a_labels}>" for member in members))
