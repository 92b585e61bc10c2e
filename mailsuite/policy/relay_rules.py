"""Who may send to others without a login: networks that a rule names, for printers and the like (RFC 2505 §2.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from mailsuite.case import Case
from mailsuite.counted import counted
from mailsuite.envelope import Peer
from mailsuite.interfaces import ISharedState
from mailsuite.policy.address_table import AddressTable
from mailsuite.smtp import replies
from mailsuite.smtp.verdict import Verdict

WINDOW = 3600.0
# What the next host might take for a way to yet another one: user%host, host!user, "user@host".
ROUTING = frozenset("%!@")


@dataclass(frozen=True, slots=True)
class RelayRule:
    """The rule *name*: whoever is in its *networks*, from *senders* to *recipients* (an empty table: any).

    At most *most* recipients of one peer within an hour; 0: any number.
    """

    name: str
    networks: Callable[[Peer], bool]
    senders: AddressTable[str]
    recipients: AddressTable[str]
    most: int

    def covers(self, case: Case) -> bool:
        """Say whether the rule is for *case*. The null sender is none of those that are named."""
        if not self.networks(case.peer):
            return False
        if self.senders and (case.sender is None or self.senders.find(case.sender) is None):
            return False
        if not self.recipients:
            return True
        # RFC 2505 §2.1: who may send to these alone may not go on from there.
        return ROUTING.isdisjoint(case.recipient.local) and self.recipients.find(case.recipient) is not None

    def judge(self, case: Case, state: ISharedState) -> Verdict:
        """Count one recipient of a *case* that it covers; what is refused does not count."""
        rule, counter = f"relay.{self.name}", f"relayed {self.name} {case.peer.network}"
        if self.most and state.add(counter, 1, WINDOW) > self.most:
            state.add(counter, -1, WINDOW)
            reason = f"[{rule}] lets one peer name {counted(self.most, 'recipient')} within an hour"
            return Verdict(replies.TOO_MANY_ADDRESSED, reason, rule)
        return Verdict(None, f"[{rule}] lets the peer send to others", rule)
