"""Bans and known places in their file: what commands and servers write beside each other, and what a restart keeps."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.envelope import Peer
from mailsuite.policy import ban_file, ban_sync
from mailsuite.policy.ban_file import BanFile, BanFileError
from mailsuite.policy.ban_sync import LOOK_SECONDS, WRITE_SECONDS, BanSync
from mailsuite.policy.bans import ALL, LOGINS, OPERATOR, SERVER, Ban, Bans
from mailsuite.policy.known import DAY, KNOWN_SECONDS, KnownPlaces, Use
from tests.doubles_pop3 import KeptLog

T = TypeVar("T")

ALICE = "alice@b.example"
HOME, WORK = Peer("192.0.2.1"), Peer("198.51.100.1")
BEGIN = 1_800_000_000.0


class Server:
    """One server's part of it; its threads work at once."""

    def __init__(self, file: BanFile, clock: Clock, run: Any = execute) -> None:
        self.known = KnownPlaces(clock.seconds)
        self.bans = Bans(clock.seconds, lambda peer: self.known.anybody_at(peer.network))
        self.lifted: list[str] = []
        self.log = KeptLog()
        self.sync = BanSync(
            file, self.bans, self.known, self.lifted.append, self.log, run, clock.seconds, clock
        )

    def stop(self) -> None:
        """Stop it in good order."""
        SynchronousTestCase().successResultOf(Deferred.fromCoroutine(self.sync.stop()))


@pytest.fixture
def clock() -> Clock:
    """The time, of today."""
    clock = Clock()
    clock.advance(BEGIN)
    return clock


@pytest.fixture
def file(tmp_path: Path) -> BanFile:
    """The site's file, which is not there yet."""
    return BanFile.of(str(tmp_path))


@pytest.fixture
def server(file: BanFile, clock: Clock) -> Iterator[Server]:
    """A server that runs."""
    server = Server(file, clock)
    server.sync.start()
    yield server
    server.stop()


def operators(subject: str, until: float | None = None) -> Ban:
    """Return a ban as a command makes it."""
    return Ban(subject, until, "because", OPERATOR, ALL, BEGIN)


def test_what_a_command_writes_holds_within_a_second(server: Server, file: BanFile, clock: Clock) -> None:
    """It is put and lifted in the server that runs."""
    file.keep([operators("192.0.2.0/24")], [], clock.seconds())
    clock.advance(LOOK_SECONDS)
    assert server.bans.keeps_out(HOME, for_logins=False)

    assert file.remove(["192.0.2.0/24", "192.0.2.9"]) == ["192.0.2.0/24"]
    clock.advance(LOOK_SECONDS)
    assert not server.bans.keeps_out(HOME, for_logins=False)
    assert server.lifted == ["192.0.2.0/24"]
    assert server.log.records == [("ban", {"subject": "192.0.2.0/24", "lifted": "yes"})]


def test_our_own_bans_are_written_and_survive(server: Server, file: BanFile, clock: Clock) -> None:
    """A crash a second later forgets none of it; the end of a ban is the same after it."""
    server.sync.ban("192.0.2.1", 600, "5 wrong passwords from this address")
    assert server.bans.forbids(HOME, ALICE, False)
    assert server.log.records == [
        ("ban", {
            "subject": "192.0.2.1", "until": "2027-01-15T08:10:00Z", "reason": "5 wrong passwords from this address",
        })
    ]  # fmt: skip
    clock.advance(LOOK_SECONDS)
    assert [ban.subject for ban in file.bans(clock.seconds())] == ["192.0.2.1"]

    other = Server(file, clock)
    other.sync.start()
    assert other.bans.forbids(HOME, ALICE, False)
    clock.advance(600)
    assert not other.bans.forbids(HOME, ALICE, False)
    assert other.lifted == server.lifted == []
    other.stop()


def test_two_servers_share_what_they_learn(server: Server, file: BanFile, clock: Clock) -> None:
    """Bans within two looks, places within the time of a write, and all of it at a stop."""
    other = Server(file, clock)
    other.sync.start()
    server.sync.ban("192.0.2.1", 600, "")
    server.known.note(ALICE, HOME.network)
    clock.pump([LOOK_SECONDS] * 3)
    assert other.bans.forbids(HOME, ALICE, False)
    clock.pump([LOOK_SECONDS] * int(WRITE_SECONDS + 2))
    assert other.known.has(ALICE, HOME.network)

    other.known.note(ALICE, WORK.network)
    other.stop()
    third = Server(file, clock)
    third.sync.start()
    assert third.known.has(ALICE, WORK.network)
    assert third.bans.keeps_out(WORK, True) is False
    third.stop()


def test_an_operators_word_stays(file: BanFile, clock: Clock) -> None:
    """Our own ban of the same subject does not take its place, unless it has ended."""
    now = clock.seconds()
    file.keep([operators("192.0.2.1", now + 10)], [], now)
    ours = Ban("192.0.2.1", now + 60, "guesses", SERVER, LOGINS, now)
    file.keep([ours], [], now)
    assert file.bans(now) == [operators("192.0.2.1", now + 10)]

    file.keep([operators("192.0.2.1", None)], [], now)
    file.keep([ours], [], now + 100)
    assert file.bans(now) == [operators("192.0.2.1", None)]

    file.remove(["192.0.2.1"])
    file.keep([ours], [], now)
    file.keep([operators("192.0.2.1")], [], now)
    assert file.bans(now) == [operators("192.0.2.1")]


def test_bans_in_parts(file: BanFile, clock: Clock) -> None:
    """The oldest first, without what has ended; one that is lifted between two parts takes no other with it."""
    now = clock.seconds()
    file.keep([operators(f"192.0.2.{n}", now + 10 if n == 2 else None) for n in range(1, 6)], [], now)
    part = file.numbered(now + 10, limit=2)
    assert [ban.subject for _, ban in part] == ["192.0.2.1", "192.0.2.3"]
    file.remove(["192.0.2.3"])
    assert [ban.subject for _, ban in file.numbered(now + 10, part[-1][0])] == ["192.0.2.4", "192.0.2.5"]


def test_the_file_is_bounded(file: BanFile, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has ended, what was not used for long, and what is too much is dropped as others come."""
    monkeypatch.setattr(ban_file, "MOST", 2)
    monkeypatch.setattr(ban_file, "PAIRS", 2)
    now = clock.seconds()
    file.keep([Ban(f"192.0.2.{n}", now + 10 + n, "", SERVER, LOGINS, now) for n in range(4)], [], now)
    file.keep([], [Use(f"u{n}", "p", now - n * DAY) for n in range(4)], now)
    assert [ban.subject for ban in file.bans(now)] == ["192.0.2.2", "192.0.2.3"]
    assert [use.account for use in file.known(0)] == ["u1", "u0"]

    later = now + KNOWN_SECONDS - DAY / 2
    file.keep([operators("192.0.2.9")], [Use("u9", "p", later)], later)
    assert [ban.subject for ban in file.bans(0)] == ["192.0.2.9"]
    assert [use.account for use in file.known(0)] == ["u0", "u9"]


def test_a_use_that_is_older_changes_nothing(file: BanFile, clock: Clock) -> None:
    """Whichever server writes last."""
    now = clock.seconds()
    file.keep([], [Use(ALICE, "p", now)], now)
    file.keep([], [Use(ALICE, "p", now - DAY)], now)

    assert file.known(0) == [Use(ALICE, "p", now)]


def test_a_file_that_cannot_be_written_stops_nobody(server: Server, file: BanFile, clock: Clock) -> None:
    """The ban holds in memory, and is written when that can be done."""
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("ALTER TABLE bans RENAME TO gone")
    server.known.note(ALICE, HOME.network)
    server.sync.ban("192.0.2.1", 6000, "")
    clock.pump([LOOK_SECONDS] * 70)
    assert server.bans.forbids(HOME, ALICE, False)

    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("ALTER TABLE gone RENAME TO bans")
    clock.pump([LOOK_SECONDS] * 2)
    assert [ban.subject for ban in file.bans(clock.seconds())] == ["192.0.2.1"]
    assert not server.known.fresh()
    assert [use.account for use in file.known(0)] == [ALICE]


def test_what_is_not_written_is_bounded(
    server: Server, file: BanFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the file cannot be written."""
    monkeypatch.setattr(ban_sync, "MOST", 3)
    for last in range(1, 6):
        server.sync.ban(f"192.0.2.{last}", 600, "")
    clock.advance(LOOK_SECONDS)

    assert [ban.subject for ban in file.bans(clock.seconds())] == ["192.0.2.3", "192.0.2.4", "192.0.2.5"]


def test_a_change_that_could_not_be_read_is_read_later(server: Server, file: BanFile, clock: Clock) -> None:
    """Trouble at that moment does not hide it, whatever the trouble."""
    broken = True

    def run(work: Callable[[], T]) -> Deferred[T]:
        def trouble() -> T:
            raise RuntimeError("no thread to be had")

        return execute(trouble if broken else work)

    other = Server(file, clock, run)
    other.sync.start()
    file.keep([operators("192.0.2.0/24")], [], clock.seconds())
    clock.advance(LOOK_SECONDS)
    assert not other.bans.keeps_out(HOME, for_logins=False)
    broken = False
    clock.advance(LOOK_SECONDS)
    assert other.bans.keeps_out(HOME, for_logins=False)
    other.stop()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"this is no database, whatever its name says" * 30, "move it away"), (None, "version 9")],
)
def test_a_file_that_is_not_ours(file: BanFile, clock: Clock, content: bytes | None, words: str) -> None:
    """It says which file, and what to do."""
    if content is None:
        file.bans(0)
        with closing(sqlite3.connect(file.path)) as connection:
            connection.execute("PRAGMA user_version = 9")
    else:
        Path(file.path).write_bytes(content)

    with pytest.raises(BanFileError, match=words) as caught:
        Server(file, clock).sync.start()
    assert file.path in str(caught.value)


def test_the_file_is_for_its_owner(file: BanFile) -> None:
    """From where people log in is nobody else's business."""
    assert file.bans(0) == []
    assert os.stat(file.path).st_mode & 0o077 == 0


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is told as what it is."""
    with pytest.raises(BanFileError, match="No such file"):
        BanFile.of(str(tmp_path / "gone")).bans(0)
