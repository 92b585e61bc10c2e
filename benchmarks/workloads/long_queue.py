"""A queue of a million: how soon the suite serves with it, what memory it costs, how long a claim and a look take."""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import queue_fill
from benchmarks.peers.peer import RELAY, Ground, Peer
from benchmarks.peers.suite import BIN, Suite
from benchmarks.workloads.workload import Case, Scale, Workload
from mailsuite.database import transaction
from mailsuite.queue.claiming import Claim
from mailsuite.queue.owners import Lease
from mailsuite.queue.process import started, this_process, uptime
from mailsuite.queue.schema import connect
from mailsuite.queue.store import DATABASE, JOB_RECIPIENTS

RECIPIENTS = 1_000_000
# Seconds in which the runner fills its window with what nobody takes.
_AT_WORK = 5.0


@dataclass(frozen=True)
class LongQueueCase(Case):
    """A suite with so many *recipients*, and what is asked of it."""

    recipients: int
    ask: Callable[[Path], float] | None = None


class LongQueue(Workload[LongQueueCase]):
    """All of it is due, for hosts that take nothing."""

    name = "long_queue"
    title = "A queue of a million"
    note = (
        "The suite alone. *serve*: seconds from its start until it greets, and its memory after five seconds; claims,"
        " each with its commit, and commands: milliseconds."
    )
    ours_alone = True

    @classmethod
    def all_cases(cls) -> Sequence[LongQueueCase]:
        """See `Workload.all_cases`."""
        asked: dict[str, Callable[[Path], float]] = {
            "claim 10 messages": lambda site: _claim(site / "queue", 10, 100),
            "claim 1,000 messages": lambda site: _claim(site / "queue", 1000, 20),
            "queue list --limit 20": lambda site: _command(site, "queue", "list", "--limit", "20"),
            "queue show": lambda site: _command(site, "queue", "show", "b77"),
        }
        return [
            LongQueueCase("serve, empty", RELAY, Scale.FULL, 0),
            LongQueueCase(f"serve, {RECIPIENTS:,} recipients", RELAY, Scale.FULL, RECIPIENTS),
            *(LongQueueCase(name, RELAY, Scale.FULL, RECIPIENTS, ask) for name, ask in asked.items()),
        ]

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`: no suite runs but where its start is measured."""
        self._suites: dict[int, Suite] = {}
        for recipients in dict.fromkeys(case.recipients for case in self.cases):
            place = folder / f"queue{recipients}"
            place.mkdir()
            filled = partial(_filled, round(recipients * self.setting.share))
            self._suites[recipients] = Suite(Ground(place, ()), filled)
            self._suites[recipients].prepare()
        yield list(self._suites.values())[:1]

    def measure(self, peer: Peer, case: LongQueueCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        suite = self._suites[case.recipients]
        if case.ask is not None:
            return {"ms": case.ask(suite.folder)}
        with _untouched(suite.folder / "queue"), suite:
            time.sleep(_AT_WORK)
            return {"seconds": suite.start_seconds, "mib": suite.memory_kib() / 1024}


@contextmanager
def _untouched(queue: Path) -> Iterator[None]:
    """Leave *queue* as it is, whatever a suite does with it."""
    kept = queue.with_name("queue.kept")
    if queue.exists():
        shutil.copytree(queue, kept)
    yield
    if kept.exists():
        shutil.rmtree(queue)
        kept.rename(queue)


def _filled(recipients: int, site: Path) -> None:
    if recipients:
        queue_fill.fill(site / "queue", recipients, max(1, recipients // 100))


def _claim(path: Path, jobs: int, times: int) -> float:
    """Return how many milliseconds a claim of so many *jobs* takes, its commit with it."""
    with closing(connect(f"{path}/{DATABASE}")) as connection:
        lease = Lease(this_process, 60.0, uptime, started)
        with transaction(connection):
            lease.take(connection)
        try:
            return median(_timed(lambda: _claimed(connection, lease, jobs)) for _ in range(times))
        finally:
            with transaction(connection):
                lease.give_back(connection, time.time())


def _claimed(connection: sqlite3.Connection, lease: Lease, jobs: int) -> None:
    with transaction(connection):
        claim = Claim(connection, lease.number, time.time(), JOB_RECIPIENTS)
        if len(claim.jobs(jobs, 0, {}, jobs)) != jobs:
            raise RuntimeError("the queue gave less than what is due")


def _command(site: Path, *arguments: str) -> float:
    command = [str(BIN / "mailsuite"), *arguments, "--config", str(site / "mailsuite.toml")]
    return median(_timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3))


def _timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return (time.monotonic() - began) * 1000
