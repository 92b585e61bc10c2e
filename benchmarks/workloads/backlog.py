"""Fairness: mail through to a host that works, beside a backlog for one that takes the connection and says nothing."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import queue_fill
from benchmarks.loads import sink
from benchmarks.loads.sink import Sink
from benchmarks.peers.peer import RELAY, Ground, Peer
from benchmarks.peers.suite import Suite
from benchmarks.workloads.relay import through
from benchmarks.workloads.workload import Case, Scale, Workload

_MESSAGES = 2000
RECIPIENTS = 100_000


@dataclass(frozen=True)
class BacklogCase(Case):
    """So many *recipients* wait."""

    recipients: int


class Backlog(Workload[BacklogCase]):
    """Two suites take turns, one of which has the backlog."""

    name = "backlog"
    title = "A backlog beside new mail"
    note = (
        "The suite alone; mail through as in W2, while so many recipients wait for one host that takes connections and"
        " says nothing. Messages a second, and microseconds of CPU a message."
    )
    ours_alone = True

    @classmethod
    def all_cases(cls) -> Sequence[BacklogCase]:
        """See `Workload.all_cases`."""
        return [
            BacklogCase("none", RELAY, Scale.FULL, 0),
            BacklogCase(f"{RECIPIENTS:,} recipients", RELAY, Scale.FULL, RECIPIENTS),
        ]

    @classmethod
    def missing(cls) -> str:
        """See `Workload.missing`."""
        return sink.missing()

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`."""
        with ExitStack() as stack:
            self._sink = stack.enter_context(Sink(folder))
            silence = stack.enter_context(Silence())
            self._suites: Mapping[str, Suite] = {
                case.name: stack.enter_context(self._suite(folder, silence.port, case.recipients))
                for case in self.cases
            }
            yield list(self._suites.values())[:1]

    def _suite(self, folder: Path, dead: int, recipients: int) -> Suite:
        place = folder / f"backlog{recipients}"
        place.mkdir()
        ground = Ground(place, (), self._sink.port, dead)
        filled = round(recipients * self.setting.share)
        return Suite(ground, lambda site: queue_fill.fill(site / "queue", filled, 1))

    def measure(self, peer: Peer, case: BacklogCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        messages = self.messages(peer, _MESSAGES)
        return through(self._suites[case.name], self._sink, messages, 20).each(messages)


class Silence:
    """A host that answers nobody: connections stand, and no greeting ever comes; a context manager runs it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._listener.getsockname()[1])
        self._held: list[socket.socket] = []
        threading.Thread(target=self._hold, daemon=True).start()

    def _hold(self) -> None:
        with suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])

    def __enter__(self) -> "Silence":
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()
        for held in self._held:
            held.close()
