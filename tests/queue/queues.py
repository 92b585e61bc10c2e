"""What the tests of the queue's store share: a reactor with real threads and no time, queues in a folder, messages."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.address import Address
from mailsuite.interfaces import IContent, IDraft
from mailsuite.queue.process import uptime
from mailsuite.queue.store import SqliteQueue
from mailsuite.queue.writer import WriterReactor
from mailsuite.queued import Job, QueuedMessage, QueuedRecipient, Settled
from tests.doubles import MemoryDraft
from tests.turning_clock import TurningClock

T = TypeVar("T")
# A test that would hang fails after so many seconds.
PATIENCE = 20.0
NOW = 1_000_000.0
LIFETIME = 432_000.0
WARNING = 14_400.0
BODY = b"Subject: hello\r\n\r\nbody\r\n"


class ThreadClock(TurningClock):
    """A clock whose calls from threads wait until the test runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., object], *arguments: Any) -> None:
        self.threads.put(lambda: function(*arguments))


class Queues:
    """Queues on one folder, each as a process of its own would have it, and the clocks that they go by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reactor = ThreadClock()
        self.now = NOW
        # A bit ahead, so that an operator's process, which goes by the real one, takes no queue for dead.
        self.uptime = uptime() + 100_000
        self.opened: list[SqliteQueue] = []
        self.count = 0

    def open(self, **options: Any) -> SqliteQueue:
        """Start one."""
        settings: dict[str, Any] = {"delay_warning": WARNING, "inline_size": 1000, "lease": 60.0, **options}
        reactor = cast(WriterReactor, self.reactor)
        queue = SqliteQueue(str(self.path), reactor, lambda: self.now, boot_time=lambda: self.uptime, **settings)
        queue.start()
        self.opened.append(queue)
        return queue

    def stop(self) -> None:
        """Stop all of them."""
        for queue in self.opened:
            queue.stop()

    def wait(self, asked: "Deferred[T]") -> T:
        """Let reactor and threads go on until *asked* has its result; return or raise it."""
        results: list[Any] = []
        asked.addBoth(results.append)
        self.reactor.advance(0)
        while not results:
            self.reactor.threads.get(timeout=PATIENCE)()
            self.reactor.advance(0)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return cast(T, results[0])

    def accept(
        self,
        queue: SqliteQueue,
        *recipients: QueuedRecipient | str,
        body: bytes = BODY,
        claim: bool = False,
        sender: Address | None = Address("carol", "a.example"),  # noqa: B008 (a frozen value)
        **fields: Any,
    ) -> Sequence[Job]:
        """Accept a message that arrives now, for *recipients*; return what is claimed at once."""
        self.count += 1
        known: dict[str, Any] = {"id": f"m{self.count}", "arrived": self.now, "expires": self.now + LIFETIME, **fields}
        message = QueuedMessage(reverse_path=sender, size=len(body), **known)
        whom = [to(each) if isinstance(each, str) else each for each in recipients]
        return self.wait(queue.accept(message, whom, draft(body), 0, lambda destination: claim))

    def claim(
        self, queue: SqliteQueue, room: int = 100, default: int = 100, reports: int = 100, **allowances: int
    ) -> Sequence[Job]:
        """Claim; an allowance for ``b.example`` is given as ``b_example``."""
        named = {name.replace("_", "."): allowance for name, allowance in allowances.items()}
        return self.wait(queue.claim(room, reports, named, default))

    def record(self, queue: SqliteQueue, *settled: Settled) -> None:
        """Record."""
        self.wait(queue.record(settled))

    def done(self, queue: SqliteQueue, *jobs: Job) -> None:
        """Record that all recipients of *jobs* leave the queue."""
        self.record(queue, *(Settled(each, None) for job in jobs for each in job.recipients))

    def content(self, queue: SqliteQueue, job: Job) -> bytes:
        """Return the content of *job*'s message."""
        return octets(self.wait(queue.content(job)))

    @contextmanager
    def sql(self) -> Iterator[sqlite3.Connection]:
        """Look into the file, or change it, behind the queues' backs."""
        connection = sqlite3.connect(self.path / "queue.sqlite", isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of *statement*."""
        with self.sql() as connection:
            return connection.execute(statement, values).fetchall()

    def files(self) -> list[str]:
        """Return the names of all content files."""
        return sorted(path.name for path in (self.path / "content").iterdir())


def draft(body: bytes = BODY) -> IDraft:
    """Return a draft in memory."""
    made = MemoryDraft()
    made.write(body)
    return cast(IDraft, made)


def to(address: str, **fields: Any) -> QueuedRecipient:
    """Return a recipient whose destination is its domain, unless *fields* say otherwise."""
    local, _, domain = address.rpartition("@")
    known: dict[str, Any] = {"destination": domain, **fields}
    return QueuedRecipient(Address(local, domain), **known)


def octets(content: IContent) -> bytes:
    """Read all of *content* in small pieces and close it."""
    pieces = []
    while piece := content.read(7):
        pieces.append(piece)
    content.close()
    return b"".join(cast(list[bytes], pieces))


def names(jobs: Sequence[Job]) -> list[str]:
    """Return the recipients of *jobs*, in order."""
    return [str(each.address) for job in jobs for each in job.recipients]
