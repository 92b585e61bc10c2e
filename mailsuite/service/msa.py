"""The MSA's role (ports 587 and 465): mail from our own users, with a password (RFC 6409)."""

from collections.abc import Sequence
from typing import Literal

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.interfaces import ICaps, IRates, IRelayPolicy
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login
from mailsuite.message.asked_fields import priority_of, with_priority
from mailsuite.message.headers import header_end
from mailsuite.message.submission import authors, complete, repeated
from mailsuite.service.expansion import PATH, expand
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
        check_from: bool,
        rates: IRates | None = None,
        caps: ICaps | None = None,
    ) -> None:
        self.relay = relay
        self.rates = rates
        self.caps = caps
        self.logins = logins
        self._check_from = check_from

    def flush(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        """RFC 6409 §7: ETRN is not for submission."""
        return replies.ETRN_NOT_ALLOWED

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
        twice = repeated(header)
        if twice:
            return replies.field_twice(twice)
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
        """See `service.expansion`."""
        return expand(session, event)


def completed(session: Reception, header: bytes, message_id: str, envelope: Envelope) -> bytes:
    """Return *header* completed (RFC 6409 §8); its MT-Priority is the one that was granted (RFC 6758 §3.3)."""
    site = session.site
    good_id = f"{message_id}.{int(site.now())}@{site.hostname}"
    whole = complete(header, site.now(), good_id, _author(session, envelope))
    wanted = envelope.parameters.get("MT-PRIORITY", priority_of(header))
    if wanted is None:
        return whole
    end = header_end(whole)
    if end < 0:
        end = len(whole)
    return with_priority(whole[:end], session.grant(wanted)) + whole[end:]


def _author(session: Reception, envelope: Envelope) -> Address | None:
    """Return who has sent a message that does not say so, if that can be said in its header."""
    author = envelope.reverse_path
    if author is None and session.login is not None:
        author = grammar.mailbox(f"<{session.login.name}>", PATH, PATH, PATH, utf8=True)
    return None if author is None or (author.needs_utf8 and "SMTPUTF8" not in envelope.parameters) else author
