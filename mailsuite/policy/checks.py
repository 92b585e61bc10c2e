"""Several checks as one policy."""

from collections.abc import Sequence

from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.interfaces import IPolicyCheck, IRelayPolicy
from mailsuite.maybe import Maybe, then
from mailsuite.smtp.verdict import Verdict


@implementer(IRelayPolicy)
class Checks:
    """See `IRelayPolicy`. There is at least one check; the last one is who may send where."""

    def __init__(self, *checks: IPolicyCheck) -> None:
        self.checks: Sequence[IPolicyCheck] = checks

    def judge(self, case: Case) -> Maybe[Verdict]:
        """See `IRelayPolicy.judge`."""
        return self._from(0, case)

    def _from(self, index: int, case: Case) -> Maybe[Verdict]:
        verdict: Maybe[Verdict] = self.checks[index].judge(case)
        if index + 1 == len(self.checks):
            return verdict
        return then(verdict, lambda said: said if said.refusal is not None else self._from(index + 1, case))
