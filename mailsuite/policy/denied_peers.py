"""Refuses mail from hosts and networks that a rule lists (RFC 2505 §2.5)."""

from collections.abc import Sequence

from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.interfaces import IPolicyCheck
from mailsuite.policy.denials import DenyRule, judged
from mailsuite.smtp.verdict import Verdict

_PASSED = Verdict(None, "no rule lists the peer")


@implementer(IPolicyCheck)
class DeniedPeers:
    """See the module; *rules* may change while it judges."""

    name = "denied peers"

    def __init__(self, rules: Sequence[DenyRule]) -> None:
        self._rules = rules

    def judge(self, case: Case) -> Verdict:
        """See `IPolicyCheck.judge`."""
        address = case.peer.address
        if address is None:
            return _PASSED
        return judged(self._rules, case, lambda entries: entries.peers.find(address), "the peer", _PASSED)
