"""Lives of a whole server but for its network, each ended at another step; and after each the life of the next one.

To be run: ``python -m tests.queue.crashing_child SITE FOLDER PART PARTS``. FOLDER/plan has the steps to end at, as
JSON: pairs of a kind and a number, the first being 1. Where there is none it is made, from a life that is not ended.
Else the steps of the plan at the places PART, PART + PARTS and so on have their turn: a copy of SITE is made in a
folder of FOLDER, and a forked process takes mail there and delivers it until its step of that kind and number, where
it ends as by SIGKILL; a second one starts afterwards, works off what is left, and stops in good order. Beside the site
lie ``world``, what others were told or given by both, and ``queued``, what the queue held in between.

A step is a commit, a checkpoint or a change that is not committed yet; the making, writing (all, or half), linking,
renaming, syncing and removing of a file or folder; a barrier; a delivery; an acknowledgement.
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from mailsuite import outcome as outcomes
from mailsuite import outgoing
from mailsuite.address import Address
from mailsuite.app import Parts
from mailsuite.config import load
from mailsuite.directory.passwords import Passwords
from mailsuite.envelope import NO_PARAMETERS, Acceptance, Envelope, Recipient
from mailsuite.interfaces import IContent
from mailsuite.mailbox.sync import FSync, SyncFS
from mailsuite.message.trace import return_path
from mailsuite.outcome import Answer, Delivered, Failed, Outcome
from mailsuite.queued import Job
from mailsuite.workers.footing import Alone

CRASHED = 42
SENDER = Address("alice", "example.org")
# How long the next life may take to work off what the dead one has left: much less than a lease.
PATIENCE = 20.0
# A kind, and which one of it, from 1.
Step: TypeAlias = tuple[str, int]
# By name: the octets of a message, and its recipients. What becomes of one elsewhere, its local part says.
MESSAGES: dict[str, tuple[int, tuple[str, ...]]] = {
    "small": (300, ("bob@example.org", "now@far.example", "later@far.example")),
    "medium": (3000, ("never@far.example", "now@near.example", "later@near.example")),
    "large": (300_000, ("bob@example.org", "now@far.example", "later@near.example")),
    "gone": (300_000, ("now@far.example",)),
    "local": (400, ("alice@example.org", "bob@example.org")),
}
_FATES: dict[str, Outcome] = {
    "now": Delivered(Answer("mx.example", 250, "2.0.0", ("Taken",))),
    "later": outcomes.Deferred("4.2.1", "mx.example is busy", Answer("mx.example", 450, "4.2.1", ("Busy",))),
    "never": Failed("5.1.1", "mx.example knows nobody", Answer("mx.example", 550, "5.1.1", ("Nobody",))),
}
# What is in somebody's hands, or was never tried, is tried at once; the rest waits.
_IN_QUEUE = """
    SELECT m.id, r.local || '@' || r.domain, r.owner IS NOT NULL, r.owner IS NOT NULL OR r.tries = 0
    FROM recipients r JOIN messages m ON m.number = r.message"""


@lru_cache
def octets(name: str) -> bytes:
    """Return the message of that name."""
    size, _ = MESSAGES[name]
    head = f"From: <{SENDER}>\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n"
    return head.encode() + b"".join(b"%s %d\r\n" % (name.encode(), number) for number in range(size // 10))


def digest(content: bytes) -> str:
    """Return what stands for *content*."""
    return sha256(content).hexdigest()


class QuickPasswords(Passwords):
    """Hashes once for all lives: nobody logs in."""

    def __init__(self) -> None:
        super().__init__()
        self._hashed = super().hash("anything")

    def hash(self, password: str) -> str:
        return self._hashed


class World:
    """Everybody else: what they are told stays told. Counts steps, and ends the process at step *last*."""

    def __init__(self, path: Path, life: int, last: Step = ("", 0)) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._write = os.write
        self._life = life
        self._last = last
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def say(self, *words: object) -> None:
        """Tell it."""
        self._write(self._fd, (" ".join(map(str, (self._life, *words))) + "\n").encode())

    def step(self, kind: str, half: Callable[[], object] = lambda: None) -> None:
        """Come to the step before something of that *kind*; where it is the last one, do *half* of it, and end."""
        with self._lock:
            self.counts[kind] += 1
            if (kind, self.counts[kind]) == self._last:
                half()
                self.say("crashed", self.counts[kind], kind)
                os._exit(CRASHED)


class Connection(sqlite3.Connection):
    """The queue's, with a step before and behind each commit, and before each change."""

    world: World
    _changes = ("INSERT", "UPDATE", "DELETE", "PRAGMA wal_checkpoint", "PRAGMA incremental_vacuum")

    def __init__(self, *arguments: Any, **keys: Any) -> None:
        super().__init__(*arguments, **keys)
        self._coming: list[str] = []

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        text = statement.strip()
        if text.startswith("INSERT INTO messages"):
            self._coming.append(arguments[0][0])
        if text == "COMMIT":
            return self._commit()
        if text.startswith(self._changes):
            self.world.step(" ".join(text.split()[:3]))
        return super().execute(statement, *arguments)

    def _commit(self) -> sqlite3.Cursor:
        coming, self._coming = self._coming, []
        for name in coming:
            self.world.say("committing", name)
        self.world.step("COMMIT")
        done = super().execute("COMMIT")
        for name in coming:
            self.world.say("committed", name)
        self.world.step("what comes behind COMMIT")
        return done

    def close(self) -> None:
        self.world.step("the closing of the queue")
        super().close()


def hook(world: World) -> None:
    """Put steps into what the suite calls, and others in the place of other servers."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def connect_so(path: str, **keys: Any) -> sqlite3.Connection:
        if path.endswith("queue.sqlite"):
            Connection.world = world
            keys["factory"] = Connection
        return connect(path, **keys)

    sqlite3.connect = connect_so  # type: ignore[assignment]
    _hook_files(world)
    for kind in (SyncFS, FSync):
        _hook_barrier(kind, world)


def _hook_files(world: World) -> None:
    system: Any = os
    for name in ("link", "unlink", "rename", "fsync", "mkdir"):
        _hook_call(system, name, world)
    opened: set[int] = set()
    plain_open, plain_write, plain_close = os.open, os.write, os.close

    def open_so(path: Any, flags: int, *arguments: Any, **keys: Any) -> int:
        counts = bool(flags & os.O_CREAT) and not str(path).endswith(("mail.log", "world"))
        if counts:
            world.step("open")
        fd = plain_open(path, flags, *arguments, **keys)
        if counts:
            opened.add(fd)
        return fd

    def write_so(fd: int, data: Any) -> int:
        if fd in opened:
            world.step("write")
            world.step("write, but for half of it", lambda: plain_write(fd, bytes(data)[: len(data) // 2]))
        return plain_write(fd, data)

    def close_so(fd: int) -> None:
        opened.discard(fd)
        plain_close(fd)

    system.open, system.write, system.close = open_so, write_so, close_so


def _hook_call(system: Any, name: str, world: World) -> None:
    plain = getattr(system, name)

    def call(*arguments: Any, **keys: Any) -> Any:
        world.step(name)
        return plain(*arguments, **keys)

    setattr(system, name, call)


def _hook_barrier(kind: Any, world: World) -> None:
    plain = kind.sync

    def sync(self: Any, receipts: Any) -> None:
        world.step("barrier")
        plain(self, receipts)
        world.step("what comes behind a barrier")

    kind.sync = sync


def elsewhere(world: World) -> Callable[..., object]:
    """Return what takes the place of `RemoteDelivery`: the world takes each message, and says so."""

    class Elsewhere:
        def __init__(self, *parts: object) -> None:
            return None

        async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
            opened = await content()
            whole = b""
            while piece := opened.read(65_536):
                whole += piece if isinstance(piece, bytes) else await piece
            opened.close()
            outcomes = []
            for recipient in job.recipients:
                world.step("delivery")
                outcomes.append(_FATES[recipient.address.local])
                world.say(recipient.address.local, job.message.id, recipient.address, digest(whole))
            world.step("what comes behind a delivery")
            return outcomes

        def stop(self) -> None:
            return None

    return Elsewhere


class Life:
    """One life of the server in *site*. *work*: it is given all messages; else it works off what is there."""

    def __init__(self, site: Path, world: World, passwords: Passwords, work: bool) -> None:
        self._reactor: Any = reactor
        self._site = site
        self._passwords = passwords
        self._world = world
        self._work = work
        self._ended = 1

    def run(self) -> int:
        """Return the status to end with."""
        setattr(outgoing, "RemoteDelivery", elsewhere(self._world))  # noqa: B010
        self._reactor.callWhenRunning(lambda: Deferred.fromCoroutine(self._live()).addErrback(self._failed))
        self._reactor.run()
        return self._ended

    async def _live(self) -> None:
        settings = load(self._site / "mailsuite.toml")
        footing = Alone(settings, self._reactor)
        footing.begin()
        parts = Parts(settings, self._reactor, self._passwords, footing, lambda: False, lambda host, port: False)
        parts.start()
        if self._work:
            await gatherResults([Deferred.fromCoroutine(self._accept(parts, name)) for name in MESSAGES])
        await self._idle()
        await parts.close()
        footing.end()
        self._ended = 0
        self._reactor.stop()

    async def _accept(self, parts: Parts, name: str) -> None:
        recipients = [self._recipient(parts, text) for text in MESSAGES[name][1]]
        draft = parts.smtp.store.draft()
        prefix = return_path(SENDER)
        content = octets(name)
        draft.write(prefix)
        for at in range(0, len(content), 100_000):
            draft.write(content[at : at + 100_000])
        self._world.say("offered", name)
        acceptance = Acceptance(name, Envelope(SENDER, NO_PARAMETERS, recipients), len(prefix), header=b"")
        outcomes = parts.smtp.intake.accept(acceptance, draft)
        settled = await outcomes if hasattr(outcomes, "__await__") else outcomes
        assert all(isinstance(outcome, Delivered) for outcome in settled), settled
        self._world.step("acknowledgement")
        self._world.say("acknowledged", name)
        self._world.step("what comes behind an acknowledgement")

    def _recipient(self, parts: Parts, text: str) -> Recipient:
        local, _, domain = text.partition("@")
        address = Address(local, domain)
        meaning: Any = parts.smtp.directory.find(address)
        boxes = getattr(meaning, "mailboxes", ())
        return Recipient(address, boxes, NO_PARAMETERS, () if boxes else (address,))

    async def _idle(self) -> None:
        """Wait until nothing is due and nothing in hand."""
        end = time.monotonic() + PATIENCE
        database = sqlite3.Connection(self._site / "queue" / "queue.sqlite")
        busy = "SELECT 1 FROM recipients WHERE owner IS NOT NULL OR next_try <= ? LIMIT 1"
        while database.execute(busy, (time.time(),)).fetchone() is not None:
            assert time.monotonic() < end, "it does not come to an end"
            await deferLater(self._reactor, 0.02)
        database.close()

    def _failed(self, failure: Any) -> None:
        failure.printTraceback(sys.stderr)
        self._reactor.stop()


def forked(work: Callable[[], int]) -> int:
    """Do *work* in a process of its own; return its status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_queue(site: Path) -> list[list[Any]]:
    """Return what the dead server's queue holds; only a copy is touched."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (site / "queue").glob("queue.sqlite*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder)
        database = sqlite3.connect(f"{folder}/queue.sqlite")
        made = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'recipients'").fetchone() is not None
        rows = [list(row) for row in database.execute(_IN_QUEUE)] if made else []
        database.close()
    return rows


def plan(template: Path, folder: Path) -> list[Step]:
    """Return all steps of a life that is not ended."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        site, counts = Path(name, "site"), Path(name, "counts")
        shutil.copytree(template, site)

        def life() -> int:
            watching = World(Path(name, "world"), 1)
            hook(watching)
            status = Life(site, watching, Passwords(), True).run()
            counts.write_text(json.dumps(watching.counts))
            return status

        assert forked(life) == 0, "a life that is not ended ended"
        return [(kind, at) for kind, count in json.loads(counts.read_text()).items() for at in range(1, count + 1)]


def lives(template: Path, folder: Path, passwords: Passwords, last: Step) -> None:
    """Live twice, the first time until *last*, if that comes."""
    site, world = folder / "site", folder / "world"
    shutil.copytree(template, site)

    def first() -> int:
        watching = World(world, 1, last)
        hook(watching)
        return Life(site, watching, passwords, True).run()

    status = forked(first)
    assert status in (0, CRASHED), f"{last}: the first life ended with {status}"
    (folder / "queued").write_text(json.dumps(in_queue(site)))
    status = forked(lambda: Life(site, World(world, 2), passwords, False).run())
    assert status == 0, f"{last}: the life after it ended with {status}"


def main(template: Path, folder: Path, part: int, parts: int) -> None:
    """Make the plan, or do a part of it."""
    # What each life would take its time for.
    load(template / "mailsuite.toml")
    for name in MESSAGES:
        octets(name)
    file = folder / "plan"
    if not file.exists():
        file.write_text(json.dumps(plan(template, folder)))
        return
    passwords = QuickPasswords()
    steps = [(kind, at) for kind, at in json.loads(file.read_text())]
    for number in range(part, len(steps), parts):
        lives(template, folder / str(number), passwords, steps[number])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
