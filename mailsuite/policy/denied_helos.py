"""Refuses mail from clients that give a name at EHLO or HELO that a rule lists."""

from collections.abc import Sequence

from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.interfaces import IPolicyCheck
from mailsuite.policy.denials import DenyRule, judged
from mailsuite.smtp.verdict import Verdict

_PASSED = Verdict(None, "no rule lists the name that the peer gives")


@implementer(IPolicyCheck)
class DeniedHelos:
    """See the module; *rules* may change while it judges."""

    name = "denied HELO names"

    def __init__(self, rules: Sequence[DenyRule]) -> None:
        self._rules = rules

    def judge(self, case: Case) -> Verdict:
        """See `IPolicyCheck.judge`."""
        name = case.helo.lower()
        return judged(self._rules, case, lambda entries: entries.helos.find(name), "the name at HELO", _PASSED)
