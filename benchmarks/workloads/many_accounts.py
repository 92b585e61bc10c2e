"""A million accounts: how soon the suite serves with them, what memory it comes to, how long a lookup takes."""

import random
import smtplib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks import accounts_fill
from benchmarks.peers.peer import INBOUND, Ground, Peer
from benchmarks.peers.suite import Suite
from benchmarks.workloads.workload import Case, Scale, Workload
from mailsuite.address import Address
from mailsuite.directory.lookup import ADDRESSES_CACHED, Directory
from mailsuite.directory.remembered import Source, Terms
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.meaning import Mailboxes

T = TypeVar("T")

USERS = 1_000_000
FEW = 10
# Addresses that are named to a server: more than it keeps in memory.
_NAMED = 50_000
_IN_ONE = 1000
_LOOKUPS = 10_000


@dataclass(frozen=True)
class AccountsCase(Case):
    """A suite with so many *users*, and what is asked of its accounts."""

    users: int
    ask: Callable[[Path, int], float] | None = None


class ManyAccounts(Workload[AccountsCase]):
    """Accounts in SQLite, of which each has secrets for SCRAM."""

    name = "many_accounts"
    title = "A million accounts"
    note = (
        "The suite alone. *serve*: seconds from its start until it greets, and its memory after RCPT to 50,000"
        " addresses, where there are so many. *lookup*: milliseconds, the median of 10,000, of an address that was"
        " looked up before, and of one that was not."
    )
    ours_alone = True

    @classmethod
    def all_cases(cls) -> Sequence[AccountsCase]:
        """See `Workload.all_cases`."""
        return [
            AccountsCase(serve(FEW), INBOUND, Scale.FULL, FEW),
            AccountsCase(serve(USERS), INBOUND, Scale.FULL, USERS),
            AccountsCase("lookup, known", INBOUND, Scale.FULL, USERS, partial(_lookup, known=True)),
            AccountsCase("lookup, not known", INBOUND, Scale.FULL, USERS, partial(_lookup, known=False)),
        ]

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`: no suite runs but where its start is measured."""
        self._suites: dict[int, Suite] = {}
        for users in dict.fromkeys(case.users for case in self.cases):
            place = folder / f"accounts{users}"
            place.mkdir()
            self._suites[users] = Suite(Ground(place, ()), partial(_filled, self._count(users)))
            self._suites[users].prepare()
        yield list(self._suites.values())[:1]

    def measure(self, peer: Peer, case: AccountsCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        suite = self._suites[case.users]
        if case.ask is not None:
            return {"ms": case.ask(suite.folder / "accounts.sqlite", self._count(case.users))}
        with suite:
            _name(suite.smtp_port, self._count(case.users))
            return {"seconds": suite.start_seconds, "mib": suite.memory_kib() / 1024}

    def _count(self, users: int) -> int:
        return max(FEW, round(users * self.setting.share))


def serve(users: int) -> str:
    """Return what the case is called in the table."""
    return f"serve, {users:,} accounts"


def _filled(users: int, site: Path) -> None:
    # What a site has by default is to be looked for at the start.
    config = site / "mailsuite.toml"
    config.write_text(config.read_text().replace("[sasl]\nsecrets = []\n", ""))
    accounts_fill.fill(site / "accounts.sqlite", users)


def _chosen(users: int, count: int) -> list[str]:
    draw = random.Random(7)
    return [accounts_fill.address(draw.randrange(users)) for _ in range(count)]


def _name(port: int, users: int) -> None:
    """Name addresses to the server at *port*, which has to know them."""
    addresses = _chosen(users, _NAMED)
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as session:
        session.ehlo()
        for begin in range(0, _NAMED, _IN_ONE):
            commands = ["MAIL FROM:<>", *(f"RCPT TO:<{each}>" for each in addresses[begin : begin + _IN_ONE]), "RSET"]
            session.send("".join(f"{command}\r\n" for command in commands))
            for command in commands:
                code, text = session.getreply()
                if code != 250:
                    raise RuntimeError(f"{command}: {code} {text!r}")


def _lookup(path: Path, users: int, known: bool) -> float:
    """Return how many milliseconds a lookup takes, over the directory as the server has it."""
    backend = SqliteBackend(str(path), time.monotonic, _no_thread)
    backend.start()
    try:
        source = Source(backend.generation, time.monotonic, Terms(3600.0, 3600.0))
        directory = Directory(backend, source, time.time)
        addresses = list(dict.fromkeys(map(parse_address, _chosen(users, min(_LOOKUPS, ADDRESSES_CACHED)))))
        if known:
            for address in addresses:
                _found(directory, address)
        return median(_timed(directory, address) for address in addresses)
    finally:
        backend.stop()


def _timed(directory: Directory, address: Address) -> float:
    began = time.perf_counter()
    _found(directory, address)
    return (time.perf_counter() - began) * 1000


def _found(directory: Directory, address: Address) -> None:
    if not isinstance(directory.find(address), Mailboxes):
        raise RuntimeError(f"{address} is not known")


def _no_thread(work: Callable[[], T]) -> Awaitable[T]:
    raise RuntimeError("a lookup has asked for a thread")
