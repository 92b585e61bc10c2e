"""A check of the site's own: held to its time, so that whatever it does no session waits for it for ever."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.counted import counted
from mailsuite.interfaces import IPolicyCheck
from mailsuite.maybe import Maybe
from mailsuite.policy.denials import REACHED, is_always_reached
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.verdict import Verdict

# A check that fails for each recipient fills no log.
TOLD_SECONDS = 60.0

_DEFERRED = Verdict(replies.TROUBLE, 'the check has failed, and its on_failure is "defer"')
_PASSED = Verdict(None, 'the check has failed, and its on_failure is "pass"')

_log = Logger()


class _Late(Exception):
    """There was no answer in time."""


@implementer(IPolicyCheck)
class OwnCheck:
    """Asks *check*, for the table *name* of the configuration (``check.NAME``), and has an answer within *budget*
    seconds of *clock*.

    Where there is none by then, where *check* raises, or answers by what is no `Verdict`, the recipient is deferred
    or, with *passes*, left to the checks behind this one. The log is told at once, then once in `TOLD_SECONDS`.
    Postmaster and abuse of our own domains are not asked about.

    A check that blocks the reactor cannot be interrupted: one that has to wait returns an awaitable.
    """

    def __init__(self, name: str, check: IPolicyCheck, budget: float, passes: bool, clock: IReactorTime) -> None:
        self.name = name
        self._check = check
        self._budget = budget
        self._otherwise = _PASSED if passes else _DEFERRED
        self._clock = clock
        self._told = float("-inf")
        self._untold = 0

    def judge(self, case: Case) -> Maybe[Verdict]:
        """See `IPolicyCheck.judge`."""
        if is_always_reached(case):
            return REACHED
        try:
            said: Maybe[object] = self._check.judge(case)
            if hasattr(said, "__await__"):
                return self._later(cast(Awaitable[object], said))
            return self._named(said)
        except Exception:
            return self._failed(Failure())

    async def _later(self, said: Awaitable[object]) -> Verdict:
        try:
            return self._named(await self._within(said))
        except Exception:
            return self._failed(Failure())

    def _within(self, said: Awaitable[object]) -> Deferred[object]:
        """Return what *said* comes to, or the failure `_Late`; what ignores that it is cancelled is left alone."""
        work: Deferred[object] = Deferred.fromCoroutine(_awaited(said))
        answer: Deferred[object] = Deferred(lambda cancelled: work.cancel())

        def late() -> None:
            answer.errback(_Late(f"there was no answer within {self._budget:g} s"))
            work.cancel()

        timer = self._clock.callLater(self._budget, late)

        def ended(result: object) -> None:
            if timer.active():
                timer.cancel()
            if not answer.called:
                answer.callback(result)

        work.addBoth(ended)
        return answer

    def _named(self, said: object) -> Verdict:
        """Return *said* with the rule that it goes by. Raises `TypeError` where it is no verdict."""
        if not isinstance(said, Verdict):
            raise TypeError(f"expected a Verdict, and got {said!r}")
        refusal = said.refusal
        if refusal is None:
            return said
        if not isinstance(refusal, Reply) or not 400 <= refusal.code < 600:
            raise TypeError(f"expected a Reply from 400 to 599 as refusal, and got {refusal!r}")
        return said if said.rule else replace(said, rule=self.name)

    def _failed(self, failure: Failure) -> Verdict:
        self._untold += 1
        now = self._clock.seconds()
        if now - self._told >= TOLD_SECONDS:
            # Where the time was over, a traceback would only lead here.
            trace = {} if failure.check(_Late) else {"log_failure": failure}
            times = counted(self._untold, "time")
            told = {"name": self.name, "times": times, "reason": failure.getErrorMessage(), **trace}
            _log.error("{name} has failed, {times} since this was told last: {reason}", **told)
            self._told, self._untold = now, 0
        return self._otherwise


async def _awaited(said: Awaitable[object]) -> object:
    return await said
