"""Mail out of mailboxes: logins, opening large mailboxes, reading all of one, and what a session at rest takes.

The suite and Dovecot take turns in every round. Times are seconds as a client sees them; *cpu* is the server's, in
microseconds for each login or message.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.pop3_load import Session, log_in_often, retrieve_all
from benchmarks.pop3_servers import Dovecot, OwnServer, Pop3Server, no_dovecot
from benchmarks.processes import cpu_seconds, memory_kib

PARTS = ("pop3_logins", "pop3_open", "pop3_retr", "pop3_memory")
_CLIENTS = 20
_LOGINS = 2000
_IDLE = 300
_WARM = 100
_IDLE_MESSAGES = 100
_OCTETS = 4096


@dataclass(frozen=True)
class Figure:
    """One measurement of *what*: in seconds, per second or KiB, as *what* says."""

    server: str
    what: str
    value: float
    cpu: float = 0.0


class Plan:
    """Which parts, how many *rounds*, and which *sizes* of mailboxes are opened and read."""

    def __init__(self, parts: Sequence[str], rounds: int, opened: Sequence[int], read: Sequence[int]) -> None:
        self.parts = parts
        self.rounds = rounds
        self.opened = opened if "pop3_open" in parts else ()
        self.read = read if "pop3_retr" in parts else ()

    def users(self) -> list[str]:
        """Return all who need a mailbox."""
        rounds = range(self.rounds)
        users = [f"open{size}-{turn}" for size in self.opened for turn in rounds]
        users += [f"read{size}" for size in self.read]
        return [f"u{number}" for number in range(_IDLE)] + users


def measure(folder: Path, plan: Plan) -> list[Figure]:
    """Measure everything in *plan* on servers that are made for it."""
    servers: list[Pop3Server] = [OwnServer(folder, plan.users())]
    try:
        if not no_dovecot():
            servers.append(Dovecot(folder, plan.users()))
        for server in servers:
            for number in range(_IDLE):
                server.fill(f"u{number}", _IDLE_MESSAGES)
        return list(_measured(servers, plan))
    finally:
        for server in servers:
            server.stop()


def _measured(servers: Sequence[Pop3Server], plan: Plan) -> Iterator[Figure]:
    if "pop3_memory" in plan.parts:
        yield from map(_memory, servers)
    for _ in range(plan.rounds):
        for server in servers:
            if "pop3_logins" in plan.parts:
                yield _logins(server)
    for size in plan.read:
        for server in servers:
            server.fill(f"read{size}", size, b"Subject: x\r\n\r\n" + b"y" * (_OCTETS - 16) + b"\r\n")
            # What an index or a cache makes of a first session is not what is measured here.
            Session(server.pop3_port, f"read{size}").quit()
        for _ in range(plan.rounds):
            for server in servers:
                yield _read(server, size)
    for size in plan.opened:
        for turn in range(plan.rounds):
            for server in servers:
                yield from _open(server, f"open{size}-{turn}", size)


def _logins(server: Pop3Server) -> Figure:
    users = [f"u{number}" for number in range(_IDLE)]
    before = cpu_seconds(server.pid)
    seconds = log_in_often(server.pop3_port, users, _LOGINS, _CLIENTS)
    return Figure(server.name, "logins/s", _LOGINS / seconds, _us(server, before, _LOGINS))


def _read(server: Pop3Server, size: int) -> Figure:
    before = cpu_seconds(server.pid)
    seconds = retrieve_all(server.pop3_port, f"read{size}", size)
    return Figure(server.name, f"RETR/s of {size}", size / seconds, _us(server, before, size))


def _open(server: Pop3Server, user: str, size: int) -> Iterator[Figure]:
    server.fill(user, size)
    for what in ("first", "again", "again after one more"):
        if what == "again after one more":
            server.deliver(user)
        session = Session(server.pop3_port, user, log_in=False)
        before = cpu_seconds(server.pid)
        seconds = session.opened()
        yield Figure(server.name, f"seconds to open {size}, {what}", seconds, _us(server, before, size))
        session.quit()


def _memory(server: Pop3Server) -> Figure:
    # The first ones, which stay, bring the processes that more can share.
    held = [Session(server.pop3_port, f"u{number}") for number in range(_WARM)]
    before = memory_kib(server.pid)
    held += [Session(server.pop3_port, f"u{number}") for number in range(_WARM, _IDLE)]
    time.sleep(1)
    more = memory_kib(server.pid) - before
    for session in held:
        session.quit()
    return Figure(server.name, f"KiB of a session at rest, {_IDLE_MESSAGES} messages", more / (_IDLE - _WARM))


def _us(server: Pop3Server, before: float, count: int) -> float:
    return (cpu_seconds(server.pid) - before) * 1e6 / count


def told(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield a line for each thing that was measured: medians of the rounds, and ours to theirs."""
    for what in dict.fromkeys(figure.what for figure in figures):
        by_server: dict[str, list[Figure]] = {}
        for figure in figures:
            if figure.what == what:
                by_server.setdefault(figure.server, []).append(figure)
        parts = [
            f"{server} {_short(median(run.value for run in runs))} ({median(run.cpu for run in runs):.1f} us of CPU)"
            for server, runs in by_server.items()
        ]
        if len(by_server) > 1:
            ours, theirs = by_server.values()
            ratio = median(us.value / them.value for us, them in zip(ours, theirs, strict=True) if them.value)
            parts.append(f"ours to theirs {_short(ratio)}")
        yield f"{what}: {', '.join(parts)}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
