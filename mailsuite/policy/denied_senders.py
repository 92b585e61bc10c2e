"""Refuses mail from senders and domains of senders that a rule lists (RFC 2505 §2.7); the null sender is never one."""

from collections.abc import Sequence

from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.interfaces import IPolicyCheck
from mailsuite.policy.denials import DenyRule, judged
from mailsuite.smtp.verdict import Verdict

_PASSED = Verdict(None, "no rule lists the sender")


@implementer(IPolicyCheck)
class DeniedSenders:
    """See the module; *rules* may change while it judges."""

    name = "denied senders"

    def __init__(self, rules: Sequence[DenyRule]) -> None:
        self._rules = rules

    def judge(self, case: Case) -> Verdict:
        """See `IPolicyCheck.judge`."""
        sender = case.sender
        if sender is None:
            return _PASSED
        return judged(self._rules, case, lambda entries: entries.senders.find(sender), "the sender", _PASSED)
