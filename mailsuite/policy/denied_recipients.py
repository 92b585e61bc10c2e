"""Refuses mail to recipients that a rule lists."""

from collections.abc import Sequence

from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.interfaces import IPolicyCheck
from mailsuite.policy.denials import DenyRule, judged
from mailsuite.smtp.verdict import Verdict

_PASSED = Verdict(None, "no rule lists the recipient")


@implementer(IPolicyCheck)
class DeniedRecipients:
    """See the module; *rules* may change while it judges."""

    name = "denied recipients"

    def __init__(self, rules: Sequence[DenyRule]) -> None:
        self._rules = rules

    def judge(self, case: Case) -> Verdict:
        """See `IPolicyCheck.judge`."""
        recipient = case.recipient
        return judged(self._rules, case, lambda entries: entries.recipients.find(recipient), "the recipient", _PASSED)
