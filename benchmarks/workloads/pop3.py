"""W4: mail out of mailboxes: logins, opening large mailboxes, reading all of one, and what a session at rest takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.loads.pop3 import Session, log_in_often, retrieve_all
from benchmarks.peers.peer import POP3, Mailboxes, Peer
from benchmarks.workloads.workload import Case, Scale, Setting, Used, Workload, using

_CLIENTS = 20
_LOGINS = 1600
_USERS = [f"u{number}" for number in range(200)]
# A mailbox is opened again so often, and the median counts: one opening of a few milliseconds says little.
_AGAIN = 9
# Those that stay open before memory is read, so that what all sessions share is there.
_WARM = 100
_REST_MESSAGES = 100
# Beyond so many messages, mail to be listed is links to a few files: a million files keep a disk busy for minutes.
_FILES = 50_000
_READ = b"Subject: x\r\n\r\n" + b"y" * (4096 - 16) + b"\r\n"


@dataclass(frozen=True)
class Pop3Case(Case):
    """*work* on mailboxes of *size* messages; *foreign*: as other programs write them."""

    work: str
    size: int
    foreign: bool = False


def _opens(size: int, scale: Scale) -> Pop3Case:
    return Pop3Case(f"open {size:,}", POP3, scale, "open", size)


def _opens_foreign(size: int, scale: Scale) -> Pop3Case:
    return Pop3Case(f"open {size:,}, no sizes", POP3, scale, "open", size, foreign=True)


def _reads(size: int, scale: Scale) -> Pop3Case:
    return Pop3Case(f"read {size:,}", POP3, scale, "read", size)


class Pop3(Workload[Pop3Case]):
    """Sessions in the clear, with passwords that are checked at each login."""

    name = "pop3"
    title = "W4: POP3"
    note = (
        "*logins*: USER, PASS, STAT, QUIT, 20 clients, mailboxes of 100 messages. *open*: seconds from PASS to the end"
        " of LIST and UIDL: the *first* time, *again* (median of nine times), and *after one* new message; CPU of the"
        " first for each message."
        " The mail lies in new/, a file for each message (of 500,000: a name), named as the server's own delivery does"
        " it, and nobody has an index or a list of unique ids yet; *no sizes*: with LF ends and names that tell no"
        " sizes, as others leave it."
        " *read*: RETR of all messages, 4 KiB each, one after the other. *at rest*: a session that has logged in, and"
        " 100 messages."
    )

    @classmethod
    def all_cases(cls) -> Sequence[Pop3Case]:
        """See `Workload.all_cases`."""
        return [
            Pop3Case("at rest", POP3, Scale.QUICK, "rest", _REST_MESSAGES),
            Pop3Case("logins", POP3, Scale.QUICK, "logins", _REST_MESSAGES),
            _opens(1000, Scale.QUICK),
            _opens(50_000, Scale.CORE),
            _opens_foreign(10_000, Scale.CORE),
            _opens(500_000, Scale.FULL),
            _reads(5000, Scale.QUICK),
            _reads(50_000, Scale.CORE),
        ]

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        # Whose users have got their mail.
        self._filled: set[str] = set()

    def users(self) -> Sequence[str]:
        """See `Workload.users`."""
        opened = [case for case in self.cases if case.work == "open"]
        read = [f"read{case.size}" for case in self.cases if case.work == "read"]
        return [*_USERS, *(_opened(case, turn) for case in opened for turn in range(self.setting.rounds)), *read]

    def measure(self, peer: Peer, case: Pop3Case, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        assert isinstance(peer, Mailboxes)
        work = {"rest": self._rest, "logins": self._logins, "open": self._open, "read": self._read}
        return work[case.work](peer, case, turn)

    def _rest(self, peer: Mailboxes, case: Pop3Case, turn: int) -> dict[str, float]:
        self._fill_users(peer)
        held = [Session(peer.pop3_port, user) for user in _USERS[:_WARM]]
        before = peer.memory_kib()
        held += [Session(peer.pop3_port, user) for user in _USERS[_WARM:]]
        time.sleep(1)
        more = peer.memory_kib() - before
        for session in held:
            session.quit()
        # A later round would find what the first has left, and say less.
        return {"kib": more / (len(_USERS) - _WARM)} if turn == 0 else {}

    def _logins(self, peer: Mailboxes, case: Pop3Case, turn: int) -> dict[str, float]:
        self._fill_users(peer)
        logins = self.messages(peer, _LOGINS) // _CLIENTS * _CLIENTS
        return using(peer, lambda: log_in_often(peer.pop3_port, _USERS, logins, _CLIENTS)).each(logins)

    def _open(self, peer: Mailboxes, case: Pop3Case, turn: int) -> dict[str, float]:
        user = _opened(case, turn)
        if case.foreign:
            peer.fill_as_others(user, case.size)
        else:
            peer.fill(user, case.size, files=case.size <= _FILES)
        first = _opening(peer, user)
        again = median(_opening(peer, user).seconds for _ in range(_AGAIN))
        peer.deliver(user)
        after_one = _opening(peer, user).seconds
        return {
            "first": first.seconds, "again": again, "after_one": after_one, "cpu": first.cpu * 1e6 / case.size
        }  # fmt: skip

    def _read(self, peer: Mailboxes, case: Pop3Case, turn: int) -> dict[str, float]:
        user = f"read{case.size}"
        if turn == 0:
            peer.fill(user, case.size, _READ, files=True)
            # What an index or a cache makes of a first session is not what is measured here.
            Session(peer.pop3_port, user).quit()
        return using(peer, lambda: retrieve_all(peer.pop3_port, user, case.size)).each(case.size)

    def _fill_users(self, peer: Mailboxes) -> None:
        if peer.name not in self._filled:
            self._filled.add(peer.name)
            for user in _USERS:
                peer.fill(user, _REST_MESSAGES)


def _opening(peer: Mailboxes, user: str) -> Used:
    """Return what it took to open the mailbox of *user* once."""
    session = Session(peer.pop3_port, user, log_in=False)
    used = using(peer, session.open)
    session.quit()
    return used


def _opened(case: Pop3Case, turn: int) -> str:
    return f"open{case.size}{'foreign' if case.foreign else ''}-{turn}"
