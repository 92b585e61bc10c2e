"""A queue of a million: how soon the suite serves with it, what memory it costs, how long a claim and a look take."""

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.progress import track

from benchmarks.processes import memory_kib
from benchmarks.servers import BIN, DEAD, Suite
from mailsuite.address import Address
from mailsuite.queue.accepting import Accepting
from mailsuite.queue.claiming import Claim
from mailsuite.queue.files import ContentFolder, Placed
from mailsuite.queue.owners import Lease
from mailsuite.queue.process import started, this_process, uptime
from mailsuite.queue.schema import connect, transaction
from mailsuite.queue.store import DATABASE, JOB_RECIPIENTS
from mailsuite.queued import QueuedMessage, QueuedRecipient

RECIPIENTS_OF_ONE = 10
# Messages written in one transaction.
_AT_ONCE = 2000
_WEEK = 604_800.0
_BODY = b"Subject: benchmark\r\n\r\n" + b"x" * 78 + b"\r\n"
# Seconds in which the runner fills its window with what nobody takes.
_AT_WORK = 5.0


@dataclass(frozen=True)
class Figure:
    """*start* is in seconds, beside that of an empty queue; memory in MiB; the others are medians in milliseconds."""

    recipients: int
    destinations: int
    start: float
    start_empty: float
    memory: float
    memory_empty: float
    claim_ten: float
    claim_thousand: float
    list_twenty: float
    show: float


def measure(folder: Path, recipients: int, destinations: int) -> Figure:
    """Make such a queue in *folder* and measure. The whole of it is due, for hosts that take nothing."""
    empty_start, empty_memory = _serve(folder / "empty", _nothing)
    start, memory = _serve(folder / "long", lambda site: fill(site / "queue", recipients, destinations))
    queue = folder / "long" / "suite" / "queue"
    return Figure(
        recipients,
        destinations,
        start,
        empty_start,
        memory,
        empty_memory,
        _claim(queue, 10, 100),
        _claim(queue, 1000, 20),
        _command(folder, "queue", "list", "--limit", "20"),
        _command(folder, "queue", "show", "b77"),
    )


def fill(path: Path, recipients: int, destinations: int, domain: str = DEAD) -> None:
    """Put *recipients* into the queue in *path*, ten of each message, spread over domains below *domain*."""
    ContentFolder(str(path), 0, str).create()
    now = time.time()
    messages = range(recipients // RECIPIENTS_OF_ONE)
    with closing(connect(f"{path}/{DATABASE}", create=True)) as connection:
        accepting = Accepting(connection, 0, now, 0.0, JOB_RECIPIENTS)
        for begin in track(messages[::_AT_ONCE], "filling the queue"):
            with transaction(connection):
                for number in messages[begin : begin + _AT_ONCE]:
                    accepting.accept(
                        QueuedMessage(f"b{number}", Address("bench", "client.example"), now, now + _WEEK, len(_BODY)),
                        _recipients(number, destinations, domain),
                        Placed(len(_BODY), _BODY),
                        (),
                    )


def _recipients(number: int, destinations: int, domain: str) -> list[QueuedRecipient]:
    places = (f"d{(number * RECIPIENTS_OF_ONE + each) % destinations}.{domain}" for each in range(RECIPIENTS_OF_ONE))
    return [QueuedRecipient(Address("somebody", place), place) for place in places]


def _nothing(site: Path) -> None:
    """An empty queue is made by the suite itself."""


def _serve(folder: Path, prepare: Callable[[Path], None]) -> tuple[float, float]:
    """Start the suite; return how many seconds that took, and its memory in MiB after some work."""
    folder.mkdir()
    suite = Suite(folder, prepare=prepare)
    try:
        time.sleep(_AT_WORK)
        return suite.start_seconds, memory_kib(suite.pid) / 1024
    finally:
        suite.stop()


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


def _command(folder: Path, *arguments: str) -> float:
    config = folder / "long" / "suite" / "mailsuite.toml"
    command = [str(BIN / "mailsuite"), *arguments, "--config", str(config)]
    return median(_timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3))


def _timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return (time.monotonic() - began) * 1000


def told(figure: Figure) -> Iterable[str]:
    """Yield the figures as lines for people."""
    yield (
        f"A queue of {figure.recipients:,} recipients for {figure.destinations:,} destinations: serves after"
        f" {figure.start:.1f} s (empty: {figure.start_empty:.1f} s), {figure.memory:.0f} MiB at work"
        f" (empty: {figure.memory_empty:.0f} MiB)"
    )
    yield (
        f"A claim of 10 messages takes {figure.claim_ten:.1f} ms, of 1,000 {figure.claim_thousand:.0f} ms;"
        f" queue list --limit 20 {figure.list_twenty:.0f} ms, queue show {figure.show:.0f} ms"
    )
