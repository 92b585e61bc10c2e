"""How many function calls one piece of work costs the suite, Twisted's included."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.accounts import RELAYED
from benchmarks.loads.pop3 import log_in_often, retrieve_all
from benchmarks.loads.sink import Sink
from benchmarks.loads.smtp import Load, send_by_data
from benchmarks.peers.peer import Ground, address
from benchmarks.peers.suite import Suite
from benchmarks.processes import descendants
from benchmarks.workloads.workload import wait_for

_SENT_TO = "busy"
# Where nothing changes: a mailbox that has just got mail is listed again at each login.
_READS = "quiet"
# A long run, and a short one to be taken off it; mail through is slow, one at a time.
_RUNS = (100, 20)
_THROUGH = (50, 10)


class CountedSuite(Suite):
    """The suite, one process, that tells how many calls it has made."""

    name = "counted"

    def command(self) -> Sequence[str | Path]:
        """See `Peer.command`."""
        return [sys.executable, "-m", "benchmarks.counted", self._file, *super().command()[1:]]

    @property
    def _file(self) -> Path:
        return self.folder / "calls"

    def calls(self) -> int:
        """Return how many there were so far."""
        (pid,) = (pid for pid in descendants(self.pid) if pid != self.pid)
        self._file.unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR1)
        end = time.monotonic() + 60
        while not self._file.exists():
            if time.monotonic() > end:
                raise TimeoutError("the suite tells no count")
            time.sleep(0.01)
        return int(self._file.read_text())


def count(folder: Path) -> dict[str, float]:
    """Return the calls for each piece of work, by what it is called.

    A long run less a short one: what a session and a first time cost is in both. One client does one thing at a time,
    so that the same calls are made each time.
    """
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(folder))
        suite = stack.enter_context(CountedSuite(Ground(folder, [_SENT_TO, _READS], sink.port)))
        suite.fill(_READS, max(_RUNS))
        works: Mapping[str, Callable[[int], None]] = {
            "message in, new connection": partial(_mail_in, suite, False),
            "message in, reused connection": partial(_mail_in, suite, True),
            "POP3 login": lambda times: log_in_often(suite.pop3_port, [_READS], times, 1),
            "POP3 message read": lambda times: retrieve_all(suite.pop3_port, _READS, times),
        }
        counts = {name: _each(suite, work, *_RUNS) for name, work in works.items()}
        return {**counts, "message through": _each(suite, partial(_mail_through, suite, sink), *_THROUGH)}


def _each(suite: CountedSuite, work: Callable[[int], None], long: int, short: int) -> float:
    before = suite.calls()
    work(short)
    between = suite.calls()
    work(long)
    return (suite.calls() - between - (between - before)) / (long - short)


def _mail_in(suite: Suite, reuse: bool, times: int) -> None:
    send_by_data(suite.smtp_port, Load(address(_SENT_TO), times, connections=1, reuse=reuse))


def _mail_through(suite: Suite, sink: Sink, times: int) -> None:
    before = sink.taken()
    # One by one: what is tried together depends on the machine.
    for number in range(1, times + 1):
        send_by_data(suite.smtp_port, Load(f"somebody@{RELAYED}", 1, connections=1))
        wait_for(lambda number=number: sink.taken() - before, number, "messages have come through")  # type: ignore[misc]
