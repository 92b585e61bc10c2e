"""Mail in: 4 KiB messages to one local recipient over loopback, counted where they landed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.processes import cpu_seconds
from benchmarks.servers import Server, landed

Load = Callable[[int, int, int, int, bool], None]


@dataclass(frozen=True)
class Figure:
    """One run: *rate* in messages a second, *cpu* in microseconds of the server's CPU a message."""

    server: str
    load: str
    connections: int
    reuse: bool
    rate: float
    cpu: float


def measure(server: Server, load: Load, messages: int, connections: int, reuse: bool, size: int = 4096) -> Figure:
    """Send *messages* and wait until the last lies in the mailbox. Raises `RuntimeError` if one is missing."""
    before, cpu, began = landed(server), cpu_seconds(server.pid), time.monotonic()
    load(server.smtp_port, messages, size, connections, reuse)
    end = time.monotonic() + 120
    while landed(server) - before < messages:
        if time.monotonic() > end:
            raise RuntimeError(f"{server.name}: {landed(server) - before} of {messages} messages have landed")
        time.sleep(0.02)
    seconds = time.monotonic() - began
    used = cpu_seconds(server.pid) - cpu
    return Figure(
        server.name, load.__name__, connections, reuse, messages / seconds, used * 1e6 / messages
    )
