"""Verified doubles for the way of mail out: queue, runner, router, delivery target, reports."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.interfaces import (
    IContent,
    IDeliveryTarget,
    IDraft,
    IQueue,
    IReports,
    IRouter,
    IRunner,
    IScheduled,
)
from mailsuite.outcome import DELIVERED, Outcome
from mailsuite.outcome import Deferred as PutOff
from mailsuite.queued import Held, Job, QueuedMessage, QueuedRecipient, Settled
from mailsuite.route import Route
from mailsuite.service.asking import plain


@implementer(IContent)
class FixedContent:
    """Gives *octets* in pieces."""

    def __init__(self, octets: bytes) -> None:
        self.left = octets
        self.closed = False

    def read(self, size: int) -> bytes:
        piece, self.left = self.left[:size], self.left[size:]
        return piece

    def close(self) -> None:
        self.closed = True


@implementer(IQueue, IScheduled)
class MemoryQueue:
    """Keeps messages in lists. *due* is what the next claims give.

    *trouble*, if set, is raised by accept; *broken* by all that the runner does with the queue.
    """

    def __init__(self) -> None:
        self.trouble: OSError | None = None
        self.broken: OSError | None = None
        self.accepted: list[tuple[QueuedMessage, tuple[QueuedRecipient, ...], bytes]] = []
        self.due: list[Job] = []
        self.claims: list[tuple[int, dict[str, int], int]] = []
        self.reports_wanted: list[int] = []
        self.holds = Held()
        self.recorded: list[Settled] = []
        self.put_offs: list[tuple[str, float, PutOff]] = []
        self.flushed: list[str] = []
        self.contents: dict[str, bytes] = {}
        self.pending: Deferred[None] | None = None

    async def accept(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        draft: IDraft,
        skip: int,
        claim: Callable[[str], bool],
    ) -> Sequence[Job]:
        if self.trouble is not None:
            raise self.trouble
        octets = draft.octets()[skip:]
        self.accepted.append((message, tuple(recipients), octets))
        self.contents[message.id] = octets
        if message.hold:
            return []
        by_destination: dict[str, list[QueuedRecipient]] = {}
        for recipient in recipients:
            by_destination.setdefault(recipient.destination, []).append(recipient)
        return [Job(message, tuple(each), content=octets) for name, each in by_destination.items() if claim(name)]

    async def claim(
        self, room: int, reports: int, allowances: Mapping[str, int], default: int
    ) -> Sequence[Job]:
        self.claims.append((room, dict(allowances), default))
        self.reports_wanted.append(reports)
        if self.broken is not None:
            raise self.broken
        if self.pending is not None:
            await self.pending
        tries: list[Job] = []
        left = dict(allowances)
        for each in self.due:
            good_for = left.setdefault(each.destination, default)
            if each.purpose == "try" and good_for > 0 and len(tries) < room:
                left[each.destination] = good_for - 1
                tries.append(each)
        told = [job for job in self.due if job.purpose != "try"][:reports]
        self.due = [job for job in self.due if job not in tries and job not in told]
        return told + tries

    async def held(self) -> Held:
        return self.holds

    async def scheduled(self, holder: str) -> int:
        if self.trouble is not None:
            raise self.trouble
        return sum(message.asked.holder == holder for message, _, _ in self.accepted)

    async def content(self, job: Job) -> IContent:
        if job.message.id not in self.contents:
            raise FileNotFoundError(job.message.id)
        return cast(IContent, FixedContent(self.contents[job.message.id]))

    async def record(self, settled: Sequence[Settled]) -> None:
        if self.broken is not None:
            raise self.broken
        self.recorded += settled

    async def put_off(self, destination: str, until: float, outcome: PutOff) -> None:
        if self.broken is not None:
            raise self.broken
        self.put_offs.append((destination, until, outcome))

    async def flush(self, destination: str) -> int:
        self.flushed.append(destination)
        return len(self.due)


@implementer(IRunner)
class IdleRunner:
    """Admits what it is told to, and remembers what it was to begin."""

    def __init__(self, admitting: bool = True) -> None:
        self.admitting = admitting
        self.begun: list[Job] = []
        self.flushed: list[str] = []
        self.count = 0
        self.other_count = 0

    def admits(self, destination: str) -> bool:
        return self.admitting

    def begin(self, jobs: Sequence[Job]) -> None:
        self.begun += jobs

    async def flush(self, destination: str) -> int:
        self.flushed.append(destination)
        # Nothing waits that is to have other TLS than the rest, unless a test says so.
        return self.count if destination == plain(destination) else self.other_count


@implementer(IRouter)
class DomainRouter:
    """Routes by the recipient's domain; those in *backups* are domains that we back up."""

    def __init__(self, *backups: str) -> None:
        self.backups = backups

    def route(self, recipient: Address, reverse_path: Address | None) -> Route:
        domain = recipient.key[1]
        return Route(domain, domain, backup=domain in self.backups)


@implementer(IDeliveryTarget)
class ScriptedTarget:
    """Answers each job with *outcomes* of its recipients' addresses; jobs in *held* wait until they are let go."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome | Exception] = {}
        self.jobs: list[Job] = []
        self.holding = False
        self.held: list[Deferred[None]] = []

    async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
        self.jobs.append(job)
        if self.holding:
            waiting: Deferred[None] = Deferred()
            self.held.append(waiting)
            await waiting
        found: list[Outcome] = []
        for recipient in job.recipients:
            outcome = self.outcomes.get(str(recipient.address), self.outcomes.get(job.destination, DELIVERED))
            if isinstance(outcome, Exception):
                raise outcome
            found.append(outcome)
        return found

    def let_go(self, count: int = 1) -> None:
        """End the first *count* deliveries that wait."""
        going, self.held = self.held[:count], self.held[count:]
        for waiting in going:
            waiting.callback(None)


@implementer(IReports)
class KeptReports:
    """Remembers what was to be reported; *trouble*, if set, is raised; with *waiting* all wait for that."""

    def __init__(self) -> None:
        self.trouble: OSError | None = None
        self.waiting: Deferred[None] | None = None
        self.begun: list[Job] = []
        self.told: list[tuple[str, Outcome]] = []

    async def report(self, job: Job, outcomes: Sequence[Outcome], content: Callable[[], Awaitable[IContent]]) -> None:
        self.begun.append(job)
        if self.trouble is not None:
            raise self.trouble
        await (self.waiting or succeed(None))
        self.told += [(str(each.address), outcome) for each, outcome in zip(job.recipients, outcomes, strict=True)]


def message(message_id: str = "m1", **keys: object) -> QueuedMessage:
    """Return a message from carol that arrived at the time 1000 and expires at 2000."""
    known = QueuedMessage(message_id, Address("carol", "a.example"), 1000.0, 2000.0, 10)
    return replace(known, **keys)  # type: ignore[arg-type]


def job(*recipients: str, message_id: str = "m1", **keys: object) -> Job:
    """Return a job for *recipients*, whose destination is the domain of the first."""
    addresses = [Address(*recipient.split("@")) for recipient in recipients]
    waiting = tuple(QueuedRecipient(address, addresses[0].domain) for address in addresses)
    return replace(Job(message(message_id), waiting), **keys)  # type: ignore[arg-type]
