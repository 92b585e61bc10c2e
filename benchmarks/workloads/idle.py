"""W5: the memory of connections that do nothing: SMTP after EHLO, POP3 before login."""

import resource
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.peer import IDLE_POP3, IDLE_SMTP, Peer
from benchmarks.workloads.workload import Case, Scale, Workload

_HELLO = {IDLE_SMTP: b"EHLO client.example\r\n", IDLE_POP3: b""}
# Those that come first bring what all share.
_WARM = 20


@dataclass(frozen=True)
class IdleCase(Case):
    """So many *connections*."""

    connections: int


class Idle(Workload[IdleCase]):
    """Each sample is a server just started, and nobody else runs: what was freed would hide what is needed."""

    name = "idle"
    title = "W5: idle connections"
    note = (
        "Proportional set size of all processes: KiB for each connection, and MiB in all. SMTP after EHLO, POP3 before"
        " login. The kernel's share is not in it."
    )
    alone = True

    @classmethod
    def all_cases(cls) -> Sequence[IdleCase]:
        """See `Workload.all_cases`."""
        counts = ((1000, Scale.QUICK), (5000, Scale.CORE), (10_000, Scale.FULL))
        roles = ((IDLE_SMTP, "SMTP"), (IDLE_POP3, "POP3"))
        return [IdleCase(f"{name}, {count:,}", role, scale, count) for role, name in roles for count, scale in counts]

    def measure(self, peer: Peer, case: IdleCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        port = peer.smtp_port if case.role == IDLE_SMTP else peer.pop3_port
        _allow_files(case.connections + _WARM + 200)
        held: list[socket.socket] = []
        try:
            held += [_open(port, _HELLO[case.role]) for _ in range(_WARM)]
            time.sleep(0.5)
            before = peer.memory_kib()
            for _ in range(case.connections):
                held.append(_open(port, _HELLO[case.role]))
            time.sleep(0.5)
            after = peer.memory_kib()
        finally:
            for one in held:
                one.close()
        return {"kib": (after - before) / case.connections, "mib": after / 1024}


def _open(port: int, hello: bytes) -> socket.socket:
    session = socket.create_connection(("127.0.0.1", port), 30)
    session.recv(4096)
    if hello:
        session.sendall(hello)
        session.recv(4096)
    return session


def _allow_files(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard), hard))
