"""Who may send where (RFC 5321 §3.6, §7.1; RFC 2505 §2.1): nothing is ever relayed for a stranger."""

from collections.abc import Container, Sequence

from zope.interface import implementer

from mailsuite.address import domain_key
from mailsuite.case import Case
from mailsuite.interfaces import IBackupRecipients, IPolicyCheck, ISharedState
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Foreign, Known, Relayed
from mailsuite.policy.relay_rules import ROUTING, RelayRule
from mailsuite.smtp import replies
from mailsuite.smtp.verdict import Verdict

_OURS = Verdict(None, "mail for domains of ours is taken from anybody")
_PASSED_ON = Verdict(None, "the domain is one whose mail we pass on, from anybody")
_STRANGER = Verdict(replies.NO_RELAY, "the domain is none of ours, and no [relay] rule is for this peer and mail")
_ROUTED = Verdict(replies.NO_RELAY, "the local part may be a way to a third host, and we only pass mail on")
_NOT_HERE = Verdict(replies.NOT_DELIVERED_HERE, "the domain has no mailboxes here, and nothing else is taken by LMTP")
_LOGGED_IN = Verdict(None, "who has logged in may send anywhere")
_UNQUALIFIED = Verdict(replies.UNQUALIFIED, "the domain is one word, none of ours, and no route is for it")
_NO_LOGIN = Verdict(replies.AUTH_REQUIRED, "nobody has logged in, and mail for submission needs that")
# That we are too busy to ask is no reason to take what the primary may refuse: a flood would see to it.
_BUSY = Verdict(replies.TOO_BUSY, "we are its backup MX, and too busy to ask the primary for the recipient")
_UNKNOWN = Verdict(replies.UNKNOWN_USER, "we are its backup MX, and the primary does not know the recipient")
_KNOWN = Verdict(None, "we are its backup MX, and the primary knows the recipient")
# A backup is for the time when the primary is away.
_MAYBE = Verdict(None, "we are its backup MX, and nobody can say now whether the primary knows the recipient")


@implementer(IPolicyCheck)
class InboundRelay:
    """The MTA's: mail for domains of ours, from anybody; for others as *rules* allow, else from nobody.

    Loopback and who has logged in here are nobody special. A domain that we are the backup MX of is one of ours, and a
    recipient that its primary would refuse is refused here: what is not taken need not be returned. *recipients* knows
    of these; without it all of them are taken. *state* counts for the rules.
    """

    name = "relay"

    def __init__(
        self,
        state: ISharedState,
        recipients: IBackupRecipients | None = None,
        rules: Sequence[RelayRule] = (),
    ) -> None:
        self._state = state
        self._recipients = recipients
        self._rules = rules

    def judge(self, case: Case) -> Maybe[Verdict]:
        """See `IPolicyCheck.judge`."""
        meaning = case.meaning
        if isinstance(meaning, Foreign):
            return self._by_rule(case) or _STRANGER
        if not isinstance(meaning, Relayed):
            return _OURS
        if not ROUTING.isdisjoint(case.recipient.local):
            # RFC 2505 §2.1: the next host may trust us, and go by it.
            return self._by_rule(case) or _ROUTED
        if meaning.backup and self._recipients is not None:
            return then(self._recipients.known(case.recipient), _by_primary)
        return _PASSED_ON

    def _by_rule(self, case: Case) -> Verdict | None:
        rule = next((rule for rule in self._rules if rule.covers(case)), None)
        return None if rule is None else rule.judge(case, self._state)


@implementer(IPolicyCheck)
class OwnOnly:
    """The MDA's: mail for addresses of ours and nothing else; what is only passed on is the MTA's."""

    name = "relay"

    def judge(self, case: Case) -> Verdict:
        """See `IPolicyCheck.judge`."""
        return _NOT_HERE if isinstance(case.meaning, Foreign | Relayed) else _OURS


@implementer(IPolicyCheck)
class SubmissionRelay:
    """The MSA's: a login may send anywhere, where the domain is one of ours, fully qualified or among *words*.

    *words* are the domains of one word that mean something here.
    """

    name = "relay"

    def __init__(self, words: Container[str] = ()) -> None:
        self._words = words

    def judge(self, case: Case) -> Verdict:
        """See `IPolicyCheck.judge`."""
        if case.login is None:
            return _NO_LOGIN
        if isinstance(case.meaning, Foreign) and not self._is_qualified(case.recipient.domain):
            return _UNQUALIFIED
        return _LOGGED_IN

    def _is_qualified(self, domain: str) -> bool:
        """RFC 6409 §4.2: two labels at least, or an address literal."""
        return "." in domain or domain.startswith("[") or domain_key(domain) in self._words


def _by_primary(known: Known) -> Verdict:
    if known == "later":
        return _BUSY
    return _MAYBE if known is None else _KNOWN if known else _UNKNOWN
