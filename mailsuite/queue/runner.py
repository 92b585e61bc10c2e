"""Works through the queue: claims what is due, has it delivered, records what became of it.

It holds a window of the queue, never all of it. A destination that is in trouble is put off as a whole: its messages
wait in the queue and are not claimed one by one. Each of the others gets its turn, so that a backlog delays nobody
else.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from twisted.internet.defer import Deferred as Later
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IContent, IDeliveryTarget, IMailLog, IQueue, IReports, IRouter, IRunner
from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queue.destinations import Destination, Destinations
from mailsuite.queue.schedule import FIRST_DELIVERIES, Backoff
from mailsuite.queued import AS_BEFORE, LOCAL, Job, Purpose, QueuedRecipient, Settled

# How often the queue is asked what is due, in seconds.
POLL = 1.0
# Beyond so many octets of content in memory the next messages are read again when their turn comes.
CONTENT_OCTETS = 32 * 1024 * 1024
# New mail is claimed at once up to so many jobs of one destination; what is more waits its turn in the queue.
AT_HAND = 200
# So many jobs of a destination are claimed for each delivery that it takes at a time.
CLAIMED_PER_DELIVERY = 4
# After a trouble of our own (a disk that fails) a job is due again after so many seconds.
OWN_TROUBLE = 60.0

GIVEN_UP = "5.4.7"
BOUNCED = Failed("5.0.0", "The administrator of this system has given this message up")


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
        self._reports = reports
        self._router = router
        self._log = log
        self._backoff = backoff
        self._probe = probe
        self._limits = limits
        self._clock = clock
        self._now = now
        self._chance = chance
        self._destinations = Destinations(limits.destination_deliveries)
        self._at_hand = 0
        self._under_way = 0
        self._octets = 0
        self._claiming = False
        self._hungry = False
        self._working = False
        self._running = False
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
        if not self._running or self._at_hand >= self._limits.window:
            return False
        known = self._destinations.get(destination)
        return known is None or (not known.trouble and known.at_hand < AT_HAND)

    def begin(self, jobs: Sequence[Job]) -> None:
        """See `IRunner.begin`."""
        for job in jobs:
            self._take(job)
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

    def _take(self, job: Job) -> None:
        size = len(job.content or b"")
        if self._octets + size > CONTENT_OCTETS:
            job, size = replace(job, content=None), 0
        self._octets += size
        self._at_hand += 1
        destination = self._destinations[job.destination]
        destination.used = self._now()
        destination.waiting.append(job)
        self._destinations.line_up(destination)

    # What is due

    def _poll(self) -> None:
        self._timer = self._clock.callLater(POLL, self._poll)
        self._destinations.forget_idle(self._now())
        self._claim()

    def _claim(self) -> None:
        room = self._limits.window - self._at_hand
        if not self._running or self._claiming or room <= 0:
            return
        self._claiming = True
        self._hungry = False
        self._go(self._claim_now(room))

    async def _claim_now(self, room: int) -> None:
        allowances = {known.name: self._allowance(known) for known in self._destinations.known()}
        try:
            jobs = await self._queue.claim(room, allowances, CLAIMED_PER_DELIVERY * FIRST_DELIVERIES)
        finally:
            self._claiming = False
        # There may be more than these: ask again when they run short, and not only when the next poll comes.
        self._hungry = bool(jobs)
        self.begin(jobs)

    def _allowance(self, known: Destination) -> int:
        if known.trouble:
            # The queue knows until when it is put off, and whether an operator or another process thinks otherwise.
            return 0 if known.at_hand else 1
        most = CLAIMED_PER_DELIVERY * known.concurrency.limit
        return max(0, most - known.at_hand)

    # One job

    def _work(self) -> None:
        # A job that ends at once asks for the next: not from within, or a long row would nest too deeply.
        if self._working:
            return
        self._working = True
        try:
            while self._running and self._under_way < self._limits.deliveries:
                job = self._destinations.next()
                if job is None:
                    return
                self._under_way += 1
                self._go(self._run(job))
        finally:
            self._working = False

    async def _run(self, job: Job) -> None:
        destination = self._destinations[job.destination]
        # None, where something of our own went wrong.
        outcomes: Sequence[Outcome] = ()
        try:
            outcomes = await self._attempt(job)
        except Exception:
            # Whatever it was, the runner and the message go on.
            self._logger.failure("Delivery of {id} failed", id=job.message.id)
        finally:
            self._under_way -= 1
            self._at_hand -= 1
            self._octets -= len(job.content or b"")
            destination.under_way -= 1
            destination.used = self._now()
        trouble = self._learn(job, destination, outcomes)
        given_back = self._give_back(job, destination) if trouble is not None else []
        self._destinations.line_up(destination)
        self._work()
        if self._hungry and len(destination.waiting) < destination.concurrency.limit:
            self._claim()
        if trouble is not None:
            await self._put_off(destination, trouble, given_back)
        await self._conclude(job, outcomes, trouble is not None)

    async def _attempt(self, job: Job) -> Sequence[Outcome]:
        if job.purpose == "expire":
            return [_expired(recipient.last) for recipient in job.recipients]
        if job.purpose == "bounce":
            return [BOUNCED for _ in job.recipients]
        if job.purpose == "warn":
            return [_late(recipient.last) for recipient in job.recipients]
        return await self._target.deliver(job, self._content(job))

    def _content(self, job: Job) -> Callable[[], Awaitable[IContent]]:
        return lambda: self._queue.content(job)

    def _learn(self, job: Job, destination: Destination, outcomes: Sequence[Outcome]) -> Deferred | None:
        """Learn from *outcomes* how the destination is; return its trouble if it is to be put off as a whole."""
        if job.purpose != "try" or not outcomes:
            return None
        trouble = next((each for each in outcomes if isinstance(each, Deferred) and each.whole), None)
        if trouble is not None:
            destination.tried = True
            return trouble if destination.concurrency.failed(destination.under_way) else None
        returned = destination.trouble > 0 or (not destination.tried and _was_down(job))
        destination.tried = True
        destination.trouble = 0
        destination.down_until = 0.0
        destination.concurrency.succeeded()
        if returned and self._is_backed_up(job):
            # Its mail flows now, whatever time each message had of its own.
            self._go(self.flush(destination.name))
        return None

    def _is_backed_up(self, job: Job) -> bool:
        return self._router.route(job.recipients[0].address, job.message.reverse_path).backup

    async def _conclude(self, job: Job, outcomes: Sequence[Outcome], put_off: bool) -> None:
        """Report what is to be reported, then record: a crash in between reports twice, and never not at all."""
        settled = list(self._later(job, outcomes))
        if len(outcomes) == len(job.recipients):
            try:
                if any(self._is_news(job, outcome) for outcome in outcomes):
                    await self._reports.report(*self._news(job, outcomes), self._content(job))
                settled = [
                    self._settled(recipient, job.purpose, outcome, put_off)
                    for recipient, outcome in zip(job.recipients, outcomes, strict=True)
                ]
            except Exception:
                self._logger.failure("No report on {id} could be kept; it is tried again", id=job.message.id)
        self._record_in_log(job, outcomes)
        await self._queue.record(settled)

    def _later(self, job: Job, outcomes: Sequence[Outcome]) -> Iterator[Settled]:
        """Keep what is not concluded, to be tried again; but nothing is sent twice for a report's sake."""
        for recipient, outcome in zip_longest(job.recipients, outcomes):
            delivered = isinstance(outcome, Delivered)
            yield Settled(recipient, None if delivered else self._now() + OWN_TROUBLE)

    def _is_news(self, job: Job, outcome: Outcome) -> bool:
        """Say whether a sender may have to be told of *outcome*. Of a delay only once, when its time has come."""
        return not isinstance(outcome, Deferred) or job.purpose == "warn"

    def _news(self, job: Job, outcomes: Sequence[Outcome]) -> tuple[Job, list[Outcome]]:
        pairs = [
            (recipient, outcome)
            for recipient, outcome in zip(job.recipients, outcomes, strict=True)
            if self._is_news(job, outcome)
        ]
        told = replace(job, recipients=tuple(recipient for recipient, _ in pairs))
        return told, [outcome for _, outcome in pairs]

    def _settled(self, recipient: QueuedRecipient, purpose: Purpose, outcome: Outcome, put_off: bool) -> Settled:
        if not isinstance(outcome, Deferred):
            return Settled(recipient, None, outcome)
        if purpose == "warn":
            return Settled(recipient, AS_BEFORE, None, warned=True)
        if outcome.whole and put_off:
            # The destination waits, with all that is for it: no try of this recipient's own.
            return Settled(recipient, AS_BEFORE)
        wait = self._backoff.wait(recipient.tries + 1, self._chance())
        return Settled(recipient, self._now() + wait, outcome)

    def _give_back(self, job: Job, destination: Destination) -> list[Job]:
        """The destination is down: return what is at hand for it, and let nothing more begin."""
        if destination.down_until <= self._now():
            # (Else it is one more of those that were under way when it went down: that is one outage, not several.)
            destination.trouble += 1
            wait = self._backoff.wait(destination.trouble, self._chance())
            if self._is_backed_up(job):
                wait = min(wait, self._probe)
            destination.down_until = self._now() + wait
        given_back = list(destination.waiting)
        destination.waiting.clear()
        self._at_hand -= len(given_back)
        self._octets -= sum(len(each.content or b"") for each in given_back)
        return given_back

    async def _put_off(self, destination: Destination, trouble: Deferred, given_back: Sequence[Job]) -> None:
        seconds = round(destination.down_until - self._now(), 1)
        self._log.record(
            "put_off",
            {"destination": destination.name, "seconds": seconds, "status": trouble.status, "why": trouble.reason},
        )
        await self._queue.put_off(destination.name, destination.down_until, trouble)
        if given_back:
            await self._queue.record([Settled(each, AS_BEFORE) for other in given_back for each in other.recipients])

    def _record_in_log(self, job: Job, outcomes: Sequence[Outcome]) -> None:
        message = job.message
        sender = "" if message.reverse_path is None else str(message.reverse_path)
        for recipient, outcome in zip(job.recipients, outcomes, strict=False):
            answer = outcome.answer
            self._log.record(
                "delivery",
                {
                    "id": message.id,
                    "from": sender,
                    "to": str(recipient.address),
                    "via": None if job.destination == LOCAL else job.destination,
                    "host": answer.host if answer is not None else None,
                    "tls": (answer.tls or None) if answer is not None else None,
                    "result": _RESULTS[type(outcome)] if job.purpose != "warn" else "late",
                    "status": None if isinstance(outcome, Delivered) else outcome.status,
                    "reply": str(answer) if answer is not None else None,
                    "why": None if isinstance(outcome, Delivered) else outcome.reason,
                    "size": message.size,
                    "delay": round(self._now() - message.arrived, 3),
                },
            )

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


_RESULTS = {Delivered: "delivered", Deferred: "deferred", Failed: "failed"}


def _expired(last: Outcome | None) -> Failed:
    """RFC 3463 §3.5: X.4.7, with what was said last."""
    why = "" if last is None or isinstance(last, Delivered) else f"; the last trouble was: {last.reason}"
    return Failed(GIVEN_UP, f"It could not be delivered in its time{why}", _answer(last))


def _late(last: Outcome | None) -> Deferred:
    if isinstance(last, Deferred):
        return last
    return Deferred("4.4.7", "It could not be delivered yet, and is tried again", _answer(last))


def _was_down(job: Job) -> bool:
    """Whether what was last known of the job's destination is that it was in trouble."""
    last = job.recipients[0].last
    return isinstance(last, Deferred) and last.whole


def _answer(last: Outcome | None) -> Answer | None:
    return None if last is None else last.answer
