"""Mail through: ``smtp-source`` to the server to Postfix's ``smtp-sink``, until the last message is in the sink."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import smtp_source
from benchmarks.processes import cpu_seconds
from benchmarks.servers import RELAYED, Server, free_port, wait_for_port

_COUNTED = re.compile(rb"mesg=(\d+)")
_RECIPIENT = f"somebody@{RELAYED}"


class Sink:
    """A server that takes all there is and keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "sink.log"
        with open(self._log, "wb") as log:
            user = ["-u", "nobody"] if os.geteuid() == 0 else []
            self._process = subprocess.Popen(
                ["smtp-sink", *user, "-c", f"127.0.0.1:{self.port}", "1000"], stdout=log, stderr=log
            )
        wait_for_port(self.port)

    def taken(self) -> int:
        """Count the messages that came so far."""
        with open(self._log, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 200))
            counted = _COUNTED.findall(log.read())
        return int(counted[-1]) if counted else 0

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


@dataclass(frozen=True)
class Figure:
    """One run: *rate* in messages a second, *cpu* in microseconds of the server's CPU a message."""

    server: str
    connections: int
    rate: float
    cpu: float


def measure(server: Server, sink: Sink, messages: int, connections: int, size: int = 4096) -> Figure:
    """Send *messages* through *server* and wait for the last. Raises `RuntimeError` if one does not come."""
    before, cpu, began = sink.taken(), cpu_seconds(server.pid), time.monotonic()
    smtp_source(server.smtp_port, messages, size, connections, True, _RECIPIENT)
    end = time.monotonic() + 120
    while (taken := sink.taken() - before) < messages:
        if time.monotonic() > end:
            raise RuntimeError(f"{server.name}: {taken} of {messages} messages came through")
        time.sleep(0.02)
    seconds = time.monotonic() - began
    used = cpu_seconds(server.pid) - cpu
    return Figure(server.name, connections, messages / seconds, used * 1e6 / messages)
