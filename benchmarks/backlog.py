"""Fairness: mail through to a host that works, beside a backlog for one that takes the connection and says nothing."""

import socket
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import relay
from benchmarks.long_queue import fill
from benchmarks.servers import Suite

MESSAGES = 2000
CONNECTIONS = 20


@dataclass(frozen=True)
class Figure:
    """Messages a second through, *alone* and beside a backlog of so many recipients for one dead host."""

    recipients: int
    alone: float
    beside: float


def told(figures: Sequence[Figure]) -> Iterable[str]:
    """Yield the figures as lines for people."""
    if figures:
        beside, alone = median(each.beside for each in figures), median(each.alone for each in figures)
        ratio = median(each.beside / each.alone for each in figures)
        yield (
            f"Mail through beside {figures[0].recipients:,} recipients for a dead host: {beside:.0f} msgs/s, without"
            f" them {alone:.0f} msgs/s ({ratio:.2f} x)"
        )


def _fill(recipients: int, site: Path) -> None:
    fill(site / "queue", recipients, 1)


class Silence:
    """A host that answers nobody: connections stand, and no greeting ever comes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._listener.getsockname()[1])
        self._held: list[socket.socket] = []
        threading.Thread(target=self._hold, daemon=True).start()

    def _hold(self) -> None:
        with suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])

    def stop(self) -> None:
        """Close it."""
        self._listener.close()
        for held in self._held:
            held.close()


def measure(folder: Path, sink: relay.Sink, recipients: int, rounds: int) -> list[Figure]:
    """Send through two suites in turn, one of which has the backlog."""
    silence = Silence()
    servers: list[Suite] = []
    try:
        for name, filled in (("alone", 0), ("beside", recipients)):
            (folder / name).mkdir()
            prepare = partial(_fill, filled)
            servers.append(Suite(folder / name, sink.port, silence.port, prepare))
        return [
            Figure(recipients, *(relay.measure(server, sink, MESSAGES, CONNECTIONS).rate for server in servers))
            for _ in range(rounds)
        ]
    finally:
        for server in servers:
            server.stop()
        silence.stop()
