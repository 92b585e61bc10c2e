"""`IQueue` in SQLite: state and small content in one file, large content in files beside it.

Several processes may work on one queue. Each has its own `SqliteQueue`, claims by a lease, and touches the file in a
thread of its own alone. All methods are for the reactor's thread.
"""

import errno
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from mailsuite import outcome as outcomes
from mailsuite.counted import counted
from mailsuite.interfaces import IContent, IDraft, IQueue, IScheduled
from mailsuite.queue import due
from mailsuite.queue.accepting import Accepting
from mailsuite.queue.chores import Housekeeping, opened
from mailsuite.queue.claiming import REPORTED_AT_ONCE, Claim
from mailsuite.queue.damage import open_content, set_aside
from mailsuite.queue.files import ContentFolder, Taken
from mailsuite.queue.flushing import find_waiting, make_due
from mailsuite.queue.owners import Lease
from mailsuite.queue.process import started, this_process, uptime
from mailsuite.queue.reading import Damaged, FileContent, LoadedContent
from mailsuite.queue.schedule import JITTER
from mailsuite.queue.settling import settle
from mailsuite.queue.unreadable import UNREADABLE_SECONDS, Unreadable
from mailsuite.queue.writer import Joint, Work, Writer, WriterReactor
from mailsuite.queued import Held, Job, QueuedMessage, QueuedRecipient, Settled

DATABASE = "queue.sqlite"
# Recipients of one job, all of one message: RFC 5321 §4.5.3.1.8 has every server take so many.
JOB_RECIPIENTS = 100
# For one claim, so many parts of the file that cannot be read are passed over.
PASSED_AT_ONCE = 100
# An outcome that cannot be recorded, as the only one, is tried again after so many seconds.
LATE_SECONDS = 60.0

# When nothing is scheduled that we know of, it is looked for all the same after so many seconds.
SCHEDULED_SECONDS = 10.0

# Troubles that are not about what is recorded, and that pass.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EAGAIN, errno.ENOMEM, errno.ESHUTDOWN)


def _random_name() -> str:
    return secrets.token_hex(16)


@implementer(IQueue, IScheduled)
class SqliteQueue:
    """See `IQueue`, and `IScheduled`. To be started and stopped.

    The folder *path* holds the file and what is beside it. *now* gives POSIX time. A sender is told of a delay after
    *delay_warning* seconds (0: never). Content up to *inline_size* octets lies in the database. What a process has
    claimed is free for others *lease* seconds after its last sign of life, on the clock *boot_time* (seconds since
    boot), or when it is seen to be dead. *name* makes names for files that nobody else makes. Nothing is put off for
    longer than *longest_wait*, unless the clock was set back.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        reactor: WriterReactor,
        now: Callable[[], float],
        delay_warning: float,
        inline_size: int,
        lease: float,
        job_recipients: int = JOB_RECIPIENTS,
        boot_time: Callable[[], float] = uptime,
        name: Callable[[], str] = _random_name,
        longest_wait: float = math.inf,
    ) -> None:
        self._now = now
        self._delay_warning = delay_warning
        self._job_recipients = job_recipients
        self._folder = ContentFolder(path, inline_size, name)
        self._lease = Lease(this_process, lease, boot_time, started)
        self._unreadable = Unreadable()
        self._reactor = reactor
        self._latest = longest_wait * (1 + JITTER) + UNREADABLE_SECONDS
        # What was to be recorded and could not be. Others than a claim only add to its end.
        self._unrecorded: list[Settled] = []
        self._late_from = 0.0
        self._recording = Joint(self._record, self._unrecorded.extend)
        # When something may have to be released next, and whose turn it is where priorities differ: for the thread.
        self._release_at = 0.0
        self._turns = count(1)
        self._path = f"{path}/{DATABASE}"
        chores = Housekeeping(self._path, self._folder, self._lease, now, self._record_last)
        self._writer = Writer(reactor, chores)

    # From the service

    def start(self) -> None:
        """Open and recover the queue; to be called after the last fork. Raises `QueueError`; nothing is changed then.

        Blocks for as long as that takes: with a million queued messages, a moment.
        """
        self._writer.start()

    def try_out(self) -> None:
        """Open the queue as `start` would, and leave it as it is. Raises `QueueError`."""
        opened(self._folder, self._path).close()

    def stop(self) -> None:
        """Do what was asked for, give back what is claimed, and close the queue. Blocks for that long.

        To be called when nothing is under way any more: what is claimed is for others then.
        """
        self._writer.stop()

    # New mail

    def accept(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        draft: IDraft,
        skip: int,
        claim: Callable[[str], bool],
    ) -> "Deferred[Sequence[Job]]":
        """See `IQueue.accept`. The size of a job's message is that of what was stored.

        A destination that is held or in trouble is not claimed, whatever *claim* says.
        """
        if not recipients:
            return succeed([])
        wanted = {name for name in {recipient.destination for recipient in recipients} if claim(name)}
        taken = self._folder.take(draft, skip)
        operation = partial(self._accept, message, tuple(recipients), taken, wanted)
        return self._writer.ask(operation, partial(self._folder.drop, taken))

    def _accept(
        self, message: QueuedMessage, recipients: Sequence[QueuedRecipient], taken: Taken, wanted: set[str], work: Work
    ) -> Sequence[Job]:
        placed = self._folder.place(taken)
        accepting = Accepting(
            work.connection, self._lease.number, self._now(), self._delay_warning, self._job_recipients
        )
        jobs = accepting.accept(message, recipients, placed, wanted)
        if message.asked.release:
            self._release_at = min(self._release_at, message.asked.release)
        work.after += [taken.close, partial(self._lease.took, jobs)]
        return jobs

    # The runner's

    def claim(
        self, room: int, reports: int, allowances: Mapping[str, int], default: int
    ) -> "Deferred[Sequence[Job]]":
        """See `IQueue.claim`. What cannot be read, in a damaged file, is passed over for a while."""
        claim = partial(self._claim, room, reports, dict(allowances), default)
        return Deferred.fromCoroutine(self._claim_again(claim))

    async def _claim_again(self, claim: Callable[[Work], Sequence[Job]]) -> Sequence[Job]:
        """Record what is late, then claim, until all that cannot be read is passed over."""
        await self._record_late()
        left = PASSED_AT_ONCE
        while True:
            try:
                return await self._writer.ask(claim, alone=True)
            except OSError:
                left -= 1
                if not self._unreadable.again or not left:
                    raise

    def held(self) -> "Deferred[Held]":
        """See `IQueue.held`."""
        return self._writer.ask(lambda work: due.held(work.connection))

    def scheduled(self, holder: str) -> "Deferred[int]":
        """See `IScheduled.scheduled`."""
        return self._writer.ask(lambda work: due.scheduled(work.connection, holder, self._now()))

    def _claim(
        self, room: int, reports: int, allowances: Mapping[str, int], default: int, work: Work
    ) -> Sequence[Job]:
        now = self._now()
        if self._lease.look_around(work.connection, now):
            self._log.info("What a process had claimed that does not live any more is free again")
        if self._latest < math.inf:
            due.bring_back(work.connection, now, now + self._latest)
        if now >= self._release_at or self._release_at > now + SCHEDULED_SECONDS:
            following = due.release(work.connection, now)
            later = now + SCHEDULED_SECONDS
            self._release_at = later if following is None else min(following, later)
        jobs = self._claim_readable(room, reports, allowances, default, now, work)
        work.after.append(partial(self._lease.took, jobs))
        return jobs

    def _claim_readable(
        self, room: int, reports: int, allowances: Mapping[str, int], default: int, now: float, work: Work
    ) -> Sequence[Job]:
        self._unreadable.again = False
        rows = self._unreadable.rows(REPORTED_AT_ONCE, now)
        claim = Claim(work.connection, self._lease.number, now, self._job_recipients, self._lease.stale, rows,
                      self._turns)
        try:
            self._unreadable.pass_over(work.connection, now, claim.look)
            jobs = claim.jobs(room, reports, allowances, default)
        except Exception as error:
            if claim.at is not None:
                self._unreadable.met(claim.at, error)
            raise
        work.after.append(partial(self._unreadable.passed, now))
        return jobs

    def content(self, job: Job) -> "Deferred[IContent]":
        """See `IQueue.content`. Fails also where others have claimed the job meanwhile."""
        if job.content is not None:
            return succeed(LoadedContent(job.content))
        return Deferred.fromCoroutine(self._content(job))

    async def _content(self, job: Job) -> IContent:
        opened: list[FileContent | LoadedContent] = []

        def close() -> None:
            for content in opened:
                content.close()

        try:
            return await self._writer.ask(partial(self._open, job, opened), close)
        except Damaged as error:
            # In a transaction of its own: in that one, nothing more could be written after a page that is damaged.
            await self._writer.ask(partial(self._set_aside, job.message, error))
            raise

    def _open(self, job: Job, opened: list[FileContent | LoadedContent], work: Work) -> IContent:
        if not self._is_ours(job, work):
            raise OSError(errno.ESTALE, f"message {job.message.id} is not claimed any more")
        opened.append(open_content(work.connection, job.message.number, self._folder))
        return opened[0]

    def _is_ours(self, job: Job, work: Work) -> bool:
        """Who was believed dead must not deliver what others have claimed meanwhile."""
        found = work.connection.execute(
            "SELECT 1 FROM recipients WHERE number = ? AND owner = ?",
            (job.recipients[0].number, self._lease.number),
        )
        return found.fetchone() is not None

    def _set_aside(self, message: QueuedMessage, error: Damaged, work: Work) -> None:
        name = set_aside(work.connection, message.number, self._now())
        if name is not None:
            work.after.append(lambda: self._folder.set_aside(name))
        self._log.error(
            "The content of the queued message {id} is damaged, and was set aside: {reason}",
            id=message.id, reason=str(error),
        )  # fmt: skip

    def record(self, settled: Sequence[Settled]) -> "Deferred[None]":
        """See `IQueue.record`. What others have claimed meanwhile, since our lease ran out, stays as it is.

        What cannot be kept now, on a full disk, is kept with a later claim: nothing stays claimed for ever.
        """
        return self._writer.join(self._recording, settled)

    async def _record_late(self) -> None:
        """Record what could not be: all of it at once, or else one by one, so that none keeps another one waiting.

        Raises `OSError` where nothing can be recorded now.
        """
        left = len(self._unrecorded) if self._reactor.seconds() >= self._late_from else 0
        size = left
        while left > 0:
            late = self._unrecorded[:size]
            del self._unrecorded[:size]
            try:
                await self._writer.ask(
                    partial(self._record, late), partial(self._unrecorded.extend, late), alone=True
                )
                left -= size
            except OSError as error:
                # (What failed is at the end again.)
                if error.errno in _PASSING:
                    raise
                if size == 1:
                    self._late_from = self._reactor.seconds() + LATE_SECONDS
                    left -= 1
                size = 1

    def _record_last(self, work: Work) -> None:
        """In the thread, before all is given back: nothing that was delivered is to be delivered again."""
        late = tuple(self._unrecorded)
        if late:
            self._record(late, work)

    def _record(self, settled: Sequence[Settled], work: Work) -> None:
        lost = settle(work, self._lease.number, settled, self._folder, self._now(), self._lease.stale)
        work.after.append(partial(self._lease.let_go, settled))
        if lost:
            self._log.warn("The outcome for {who} came too late: not ours any more", who=counted(lost, "recipient"))

    def put_off(self, destination: str, until: float, outcome: outcomes.Deferred) -> "Deferred[None]":
        """See `IQueue.put_off`."""
        return self._writer.ask(lambda work: due.put_off(work.connection, destination, until, outcome, self._now()))

    def flush(self, destination: str) -> "Deferred[int]":
        """See `IQueue.flush`. Done in pieces, so that other mail need not wait for a long queue."""
        return Deferred.fromCoroutine(self._flush(destination))

    async def _flush(self, destination: str) -> int:
        found = await self._writer.ask(lambda work: find_waiting(work.connection, destination, self._now()))
        for piece in found.pieces:
            await self._writer.ask(partial(self._flush_piece, found.destination, piece))
        return found.count

    def _flush_piece(self, destination: int, numbers: Sequence[int], work: Work) -> None:
        make_due(work.connection, destination, numbers, self._now())
