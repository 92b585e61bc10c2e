"""Works through the queue: claims what is due, has it delivered, has what became of it concluded.

It holds a window of the queue, never all of it. A destination that is in trouble is put off as a whole: its messages
wait in the queue and are not claimed one by one. Each of the others gets its turn, and those that have not shown that
they work get no more than a part of all there is (`destinations.SHARES`), so that neither a backlog nor hosts that say
nothing delay anybody else. What is only to be reported goes a way of its own.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred as Later
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IContent, IDeliveryTarget, IMailLog, IQueue, IReports, IRouter, IRunner
from mailsuite.outcome import Deferred, Outcome
from mailsuite.queue.concluding import Conclusions, untried
from mailsuite.queue.destinations import Destination, Destinations, Standing
from mailsuite.queue.learning import Learning
from mailsuite.queue.schedule import FIRST_DELIVERIES, Backoff
from mailsuite.queued import Job

# How often the queue is asked what is due, in seconds.
POLL = 1.0
# Beyond so many octets of content in memory the next messages are read again when their turn comes.
CONTENT_OCTETS = 32 * 1024 * 1024
# New mail is claimed at once up to so many jobs of one destination; what is more waits its turn in the queue. It is
# fewer as long as nobody knows whether the destination works.
AT_HAND = 200
UNPROVEN_AT_HAND = 10
# So many jobs of a destination are claimed for each delivery that it takes at a time.
CLAIMED_PER_DELIVERY = 4
# So many jobs that are only to be reported are at hand, and so many of them under way at a time.
REPORTS_AT_HAND = 50
REPORTS_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a runner does at a time."""

    deliveries: int = 100
    destination_deliveries: int = 20
    window: int = 1000


@implementer(IRunner)
class Runner:
    """See `IRunner`. To be started and stopped.

    *now* gives POSIX time, *chance* a number from 0 up to 1. *backoff* times the tries, *probe* (seconds) is the
    longest wait for the primary of a domain that we back up.
    """

    _logger = Logger()

    def __init__(
        self,
        queue: IQueue,
        target: IDeliveryTarget,
        reports: IReports,
        router: IRouter,
        log: IMailLog,
        backoff: Backoff,
        probe: float,
        limits: Limits,
        clock: IReactorTime,
        now: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._target = target
        self._log = log
        self._limits = limits
        self._clock = clock
        self._now = now
        self._conclusions = Conclusions(queue, reports, log, backoff, now, chance)
        self._destinations = Destinations(limits.destination_deliveries, limits.deliveries, limits.window)
        self._learning = Learning(self._destinations, router, backoff, probe, self._flush_returned, now, chance)
        self._to_report: deque[Job] = deque()
        self._reporting = 0
        # Jobs that were tried, and are not recorded yet.
        self._concluding = 0
        # New mail that may be claimed at once, and has not come yet.
        self._admitted = 0
        self._octets = 0
        self._claiming = False
        self._hungry = False
        self._working = False
        self._running = False
        # The queue cannot record anything: what is begun now would be done again.
        self._sick = False
        self._open: set[Later[Any]] = set()
        self._timer: IDelayedCall | None = None

    # From the service

    def start(self) -> None:
        """Begin to work."""
        self._running = True
        self._poll()

    def stop(self) -> "Later[None]":
        """Claim nothing more and begin nothing more; fires when what is under way has ended."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        done: Later[None] = Later()
        self._when_idle(done)
        return done

    def _when_idle(self, done: "Later[None]") -> None:
        if not self._open:
            done.callback(None)
        else:
            next(iter(self._open)).addBoth(lambda _: self._when_idle(done))

    # New mail

    def admits(self, destination: str) -> bool:
        """See `IRunner.admits`."""
        if not self._running or self._sick:
            return False
        known = self._destinations.get(destination)
        standing = Standing.NEW if known is None else known.standing
        most = AT_HAND if standing is Standing.PROVEN else UNPROVEN_AT_HAND
        if known is not None and (known.trouble or len(known.fresh) + len(known.ranked) >= most):
            self._hungry = True
            return False
        if self._destinations.room(standing) <= self._admitted:
            self._hungry = True
            return False
        self._admitted += 1
        return True

    def begin(self, jobs: Sequence[Job]) -> None:
        """See `IRunner.begin`."""
        self._admitted = max(0, self._admitted - len(jobs))
        for job in jobs:
            self._take(job, True)
        self._work()

    async def flush(self, destination: str) -> int:
        """See `IRunner.flush`."""
        known = self._destinations.get(destination)
        if known is not None:
            known.trouble = 0
            known.down_until = 0.0
        count = await self._queue.flush(destination)
        self._claim()
        return count

    def _flush_returned(self, destination: str) -> None:
        self._go(self.flush(destination))

    def _take(self, job: Job, fresh: bool) -> None:
        if job.purpose != "try":
            self._to_report.append(job)
            return
        size = len(job.content or b"")
        if self._octets + size > CONTENT_OCTETS:
            job, size = replace(job, content=None), 0
        self._octets += size
        self._destinations.add(self._destinations.use(job.destination, self._now()), job, fresh)

    # What is due

    def _poll(self) -> None:
        self._timer = self._clock.callLater(POLL, self._poll)
        self._destinations.forget_idle(self._now())
        self._admitted = 0
        self._claim(True)

    def _claim(self, look_at_holds: bool = False) -> None:
        if self._running and not self._claiming:
            self._claiming = True
            self._hungry = False
            self._go(self._claim_now(look_at_holds))

    async def _claim_now(self, look_at_holds: bool) -> None:
        try:
            if look_at_holds:
                await self._let_go_of_held()
            jobs = [*await self._claim_any(), *await self._claim_proven()]
        except OSError as error:
            self._fall_sick(error)
            return
        finally:
            self._claiming = False
        if self._sick:
            self._sick = False
            self._logger.info("The queue can be written again: deliveries go on")
        # There may be more than these: ask again when they run short, and not only when the next poll comes.
        self._hungry = self._hungry or bool(jobs)
        self._work()

    async def _claim_any(self) -> Sequence[Job]:
        """Claim what is due, whatever is to be expected of its destination."""
        room = max(0, self._destinations.room(Standing.DOUBTFUL))
        reports = max(0, REPORTS_AT_HAND - len(self._to_report) - self._reporting)
        allowances = {known.name: self._allowance(known) for known in self._destinations.busy()}
        return self._taken(await self._queue.claim(room, reports, allowances, FIRST_DELIVERIES))

    async def _claim_proven(self) -> Sequence[Job]:
        """Claim for destinations that work, where the others have all of their share."""
        room = self._destinations.room(Standing.PROVEN)
        if self._destinations.room(Standing.DOUBTFUL) > 0 or room <= 0:
            return ()
        allowances = {known.name: self._allowance(known) for known in self._destinations.proven()}
        return self._taken(await self._queue.claim(room, 0, allowances, 0))

    def _taken(self, jobs: Sequence[Job]) -> Sequence[Job]:
        for job in jobs:
            self._take(job, False)
        return jobs

    def _allowance(self, known: Destination) -> int:
        if known.trouble:
            # The queue knows until when it is put off, and whether an operator or another process thinks otherwise.
            return 0 if known.at_hand else 1
        # What came as new mail beside it does not count, or it would bar the way for what waits in the queue.
        claimed = len(known.waiting) + len(known.ranked) + known.under_way
        return max(0, CLAIMED_PER_DELIVERY * known.concurrency.limit - claimed)

    async def _let_go_of_held(self) -> None:
        """Give back what waits here and is held since it was claimed."""
        held = await self._queue.held()
        jobs: list[Job] = []
        for known in list(self._destinations.busy()):
            if known.name in held:
                jobs += self._emptied(known)
        if held.queue:
            jobs += self._to_report
            self._to_report.clear()
        if jobs:
            await self._conclusions.give_back(jobs)

    def _fall_sick(self, error: OSError) -> None:
        """Begin nothing more until the queue can be written again: what is not recorded would be done once more."""
        if not self._sick:
            self._sick = True
            self._logger.error("The queue cannot be written, deliveries have to wait: {reason}", reason=str(error))

    # One job

    def _work(self) -> None:
        # A job that ends at once asks for the next: not from within, or a long row would nest too deeply.
        if self._working:
            return
        self._working = True
        try:
            while self._may_begin() and (found := self._destinations.next()) is not None:
                self._go(self._try(*found) if not _is_too_late(found[1], self._now()) else self._give_up(*found))
            while self._may_begin() and self._to_report and self._reporting < REPORTS_AT_ONCE:
                self._reporting += 1
                self._go(self._report(self._to_report.popleft()))
        finally:
            self._working = False

    def _may_begin(self) -> bool:
        return self._running and not self._sick and self._concluding < self._limits.deliveries

    async def _report(self, job: Job) -> None:
        """Conclude a job that is not to be tried."""
        try:
            await self._kept(self._conclusions.conclude(job, untried(job, self._now()), False))
        finally:
            self._reporting -= 1
        self._work()
        if self._hungry and not self._to_report:
            self._claim()

    async def _give_up(self, destination: Destination, job: Job) -> None:
        """Conclude a job whose time was over before its turn came (RFC 2852 §4.1.3)."""
        self._octets -= len(job.content or b"")
        self._destinations.ended(destination)
        job = replace(job, purpose="expire")
        await self._kept(self._conclusions.conclude(job, untried(job, self._now()), False))

    async def _try(self, destination: Destination, job: Job) -> None:
        # Without any, something of our own went wrong.
        outcomes: Sequence[Outcome | None] = ()
        try:
            outcomes = await self._target.deliver(job, self._content(job))
        except Exception:
            # Whatever it was, the runner and the message go on.
            self._logger.failure("Delivery of {id} failed", id=job.message.id)
        finally:
            self._octets -= len(job.content or b"")
            self._destinations.ended(self._destinations.use(destination.name, self._now()))
        if not self._running:
            outcomes = [_unless_cut_off(outcome) for outcome in outcomes]
        trouble = self._learning.learn(job, destination, outcomes)
        # Nothing more is to begin for one that is down.
        given_back = self._emptied(destination) if trouble is not None else []
        self._concluding += 1
        try:
            self._destinations.line_up(destination)
            self._work()
            if self._hungry and len(destination.waiting) + len(destination.ranked) < destination.concurrency.limit:
                self._claim()
            if trouble is not None:
                await self._put_off(destination, trouble, given_back)
            await self._kept(self._conclusions.conclude(job, outcomes, trouble is not None))
        finally:
            self._concluding -= 1
        self._work()

    def _content(self, job: Job) -> Callable[[], Awaitable[IContent]]:
        return lambda: self._queue.content(job)

    async def _kept(self, recording: Awaitable[None]) -> None:
        """Wait until something is recorded. What cannot be now, the queue records as soon as it can."""
        try:
            await recording
        except OSError as error:
            self._fall_sick(error)

    def _emptied(self, destination: Destination) -> list[Job]:
        jobs = self._destinations.empty(destination)
        self._octets -= sum(len(each.content or b"") for each in jobs)
        return jobs

    async def _put_off(self, destination: Destination, trouble: Deferred, given_back: Sequence[Job]) -> None:
        seconds = round(destination.down_until - self._now(), 1)
        self._log.record(
            "put_off",
            {"destination": destination.name, "seconds": seconds, "status": trouble.status, "why": trouble.reason},
        )
        # Where it cannot be kept, the next try finds out anew.
        await self._kept(self._queue.put_off(destination.name, destination.down_until, trouble))
        if given_back:
            await self._kept(self._conclusions.give_back(given_back))

    def _go(self, work: Any) -> None:
        """Run a coroutine; what it raises is logged, and the runner goes on."""
        going: Later[Any] = Later.fromCoroutine(work)
        if going.called and not going.paused and not isinstance(going.result, Failure):
            return
        self._open.add(going)

        def ended(result: Any) -> None:
            self._open.discard(going)
            if isinstance(result, Failure):
                self._logger.failure("The queue could not be worked on", result)

        going.addBoth(ended)


def _is_too_late(job: Job, now: float) -> bool:
    return job.message.asked.by_mode == "R" and job.message.asked.by <= now


def _unless_cut_off(outcome: Outcome | None) -> Outcome | None:
    """What our own stop cut off was not tried: a deferral without a word of the other end's says nothing."""
    return None if isinstance(outcome, Deferred) and outcome.answer is None else outcome
