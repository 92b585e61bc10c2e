"""Logins of users who have logged in before: what the check of a password costs beside the session that it is in."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks.accounts import PASSWORD
from benchmarks.loads.pop3 import Session
from benchmarks.peers.peer import POP3, Ground, Peer
from benchmarks.peers.suite import Suite
from benchmarks.workloads.workload import Case, Scale, Workload, using
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.schema import connect

# Each logs in once before: that takes some 25 ms, for the argon2 hash.
_USERS = [f"u{number}" for number in range(200)]
_MESSAGES = 100
_A_MINUTE = 10_000
_SECONDS = 15.0


class KnownLogins(Workload[Case]):
    """Programs that look for mail all the time, at a steady pace."""

    name = "known_logins"
    title = "10,000 logins a minute"
    note = (
        "The suite alone, at that pace; argon2 hashes, users who have logged in before, mailboxes of 100 messages."
        " CPU of a session with USER, PASS, STAT and QUIT, and of one *without* PASS and STAT; what the difference"
        " comes to in a minute, in percent of one *core*: opening the mailbox is in it."
    )
    ours_alone = True

    @classmethod
    def all_cases(cls) -> Sequence[Case]:
        """See `Workload.all_cases`."""
        return [Case("known, argon2", POP3, Scale.FULL)]

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`."""
        with Suite(Ground(folder, _USERS), _with_slow_hashes) as suite:
            for user in _USERS:
                suite.fill(user, _MESSAGES)
                Session(suite.pop3_port, user).quit()
            yield [suite]

    def measure(self, peer: Peer, case: Case, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        count = self.messages(peer, round(_A_MINUTE * _SECONDS / 60))
        without, known = (
            using(peer, partial(_paced, count, peer.pop3_port, work)).each(count)["cpu"] for work in (_leave, _look)
        )
        return {"without": without, "cpu": known, "core": (known - without) * _A_MINUTE / 60e6 * 100}


def _with_slow_hashes(site: Path) -> None:
    hashed = Passwords().hash(PASSWORD)
    with closing(connect(str(site / "accounts.sqlite"))) as accounts:
        accounts.execute("UPDATE credentials SET stored = ? WHERE kind = 'password'", (hashed,))


def _paced(count: int, port: int, work: Callable[[int, str], None]) -> None:
    """Do *work* for *count* users, `_A_MINUTE` of them a minute."""
    begin = time.monotonic()
    for number, user in zip(range(count), cycle(_USERS), strict=False):
        time.sleep(max(0.0, begin + number * 60 / _A_MINUTE - time.monotonic()))
        work(port, user)


def _leave(port: int, user: str) -> None:
    Session(port, user, log_in=False).quit()


def _look(port: int, user: str) -> None:
    session = Session(port, user)
    session.ask(b"STAT")
    session.quit()
