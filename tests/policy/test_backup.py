"""Whom the primary would accept: by its list, else by asking, else nobody knows."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from mailsuite.address import Address
from mailsuite.maybe import Maybe
from mailsuite.meaning import Known
from mailsuite.policy import backup_store
from mailsuite.policy.backup import LOOK_SECONDS, OLD_SECONDS, BackupDomain, BackupRecipients
from mailsuite.policy.backup_store import ListStore
from mailsuite.policy.callout import Callouts, Lifetimes
from tests.policy.lists import KEY, NOW, Threads, signed_list

ALICE = Address("alice", "Example.NET")
BOB = Address("bob", "example.net")


class Backup:
    """A backup MX for some domains, with a primary that knows bob alone."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.threads = Threads()
        self.store = ListStore(str(folder))
        self.asked: list[tuple[str, str]] = []
        self.silent = False
        self.now = float(NOW)
        self.recipients = BackupRecipients(
            self.store,
            {
                "example.net": BackupDomain(KEY, lifetimes=Lifetimes(5.0, 5.0)),
                "quiet.example": BackupDomain(callout=False),
                "silent.example": BackupDomain(KEY, callout=False),
            },
            Callouts(self.ask, self.clock),
            self.clock,
            self.threads.run,
            lambda: self.now,
        )

    async def ask(self, domain: str, address: Address) -> bool | None:
        """Stand for the primary."""
        self.asked.append((domain, address.local))
        if self.silent:
            await Deferred()
        return address.local == "bob"

    def known(self, address: Address) -> bool | None:
        """Ask; the answer is at hand in this world."""
        answer: Maybe[Known] = self.recipients.known(address)
        if isinstance(answer, Deferred):
            return cast("bool | None", answer.result)
        assert answer is None or isinstance(answer, bool)
        return answer

    def keep(self, *locals_: str, made: int = NOW) -> None:
        """Take a list, as a command or a fetch does."""
        self.store.keep("example.net", signed_list(*locals_, made=made), KEY, NOW)

    def look(self) -> None:
        """Let the time pass until the files are looked at."""
        self.clock.advance(LOOK_SECONDS)


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[Backup]:
    """A backup that is not started yet."""
    backup = Backup(tmp_path)
    yield backup
    backup.recipients.stop()
    assert backup.clock.getDelayedCalls() == []


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    """What is logged meanwhile."""
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


def test_the_list_decides_where_there_is_one(backup: Backup) -> None:
    """The primary is not asked, whatever it would say; the domain may be in any spelling."""
    backup.keep("alice")
    backup.recipients.start()

    assert (backup.known(ALICE), backup.known(BOB)) == (True, False)
    assert backup.asked == []


def test_without_a_list_the_primary_is_asked(backup: Backup) -> None:
    """Of any domain that no table says otherwise of; the answer is remembered."""
    backup.recipients.start()

    assert (backup.known(ALICE), backup.known(BOB), backup.known(BOB)) == (False, True, True)
    assert backup.asked == [("example.net", "alice"), ("example.net", "bob")]
    assert backup.known(Address("bob", "other.example")) is True


@pytest.mark.parametrize("domain", ["quiet.example", "silent.example"])
def test_where_nobody_may_be_asked_nobody_knows(backup: Backup, domain: str) -> None:
    """callout = false, and no list."""
    backup.recipients.start()

    assert backup.known(Address("bob", domain)) is None
    assert backup.asked == []


def test_a_stop_leaves_nobody_waiting(backup: Backup) -> None:
    """Sessions end in good order."""
    backup.recipients.start()
    backup.silent = True
    answer = backup.recipients.known(BOB)
    assert isinstance(answer, Deferred)
    assert not answer.called

    backup.recipients.stop()

    assert answer.result is None


def test_a_list_follows_its_file(backup: Backup) -> None:
    """A new one, a newer one, none: each takes effect within seconds."""
    backup.recipients.start()
    backup.keep("alice")
    assert backup.known(BOB) is True
    backup.look()
    assert (backup.known(ALICE), backup.known(BOB)) == (True, False)
    backup.keep("bob", made=NOW + 1)
    backup.look()
    assert (backup.known(ALICE), backup.known(BOB)) == (False, True)
    os.unlink(backup.store.path("example.net"))
    backup.look()

    assert backup.known(ALICE) is False
    assert backup.asked[-1] == ("example.net", "alice")


def test_a_list_is_read_beside_the_reactor(backup: Backup) -> None:
    """While that takes its time the old one holds, and no second look begins."""
    backup.keep("alice")
    backup.recipients.start()
    backup.threads.at_once = False
    backup.keep("bob", made=NOW + 1)
    backup.look()
    backup.look()

    assert backup.known(BOB) is False
    assert len(backup.threads.waiting) == 1
    backup.threads.work()
    assert backup.known(BOB) is True


def test_a_file_that_did_not_change_is_not_read_again(backup: Backup) -> None:
    """A look costs a question to the file system."""
    backup.keep("alice")
    backup.recipients.start()
    backup.threads.at_once = False
    for _ in range(3):
        backup.look()

    assert backup.threads.waiting == []


def test_a_spoiled_file_is_said_once_and_the_old_list_holds(backup: Backup, logged: list[LogEvent]) -> None:
    """It was good when it was taken."""
    backup.keep("alice")
    backup.recipients.start()
    Path(backup.store.path("example.net")).write_bytes(b"spoiled")
    for _ in range(3):
        backup.look()

    assert backup.known(ALICE) is True
    assert [event["reason"] for event in logged] == ["it is not a list of recipients, or one of a newer form"]


def test_a_file_that_is_spoiled_from_the_start_is_no_list(backup: Backup, logged: list[LogEvent]) -> None:
    """The primary is asked then."""
    backup.keep("alice")
    Path(backup.store.path("example.net")).write_bytes(b"spoiled")
    backup.recipients.start()

    assert backup.known(BOB) is True
    assert len(logged) == 1


def test_a_look_that_fails_is_not_the_last(
    backup: Backup, logged: list[LogEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it stumbled over."""
    backup.recipients.start()
    backup.keep("alice")
    with monkeypatch.context() as patch:
        patch.setattr(backup.store, "load", lambda domain, key: 1 / 0)
        backup.look()
    backup.keep("alice", made=NOW + 1)
    backup.look()

    assert backup.known(BOB) is False
    assert len(logged) == 1


def test_an_old_list_is_believed_no_more_where_it_says_no(backup: Backup) -> None:
    """Who came to the primary since then must not be refused: it is asked. Who is in the list need not be."""
    backup.keep("alice")
    backup.recipients.start()
    backup.now = NOW + OLD_SECONDS - 1
    assert (backup.known(ALICE), backup.known(BOB), backup.asked) == (True, False, [])

    backup.now += 1

    assert (backup.known(ALICE), backup.known(BOB)) == (True, True)
    assert backup.asked == [("example.net", "bob")]


def test_where_nobody_is_to_be_asked_an_old_list_says_nothing(backup: Backup) -> None:
    """Then mail is taken."""
    backup.store.keep("silent.example", signed_list("alice", domain="silent.example"), KEY, NOW)
    backup.recipients.start()
    backup.now = NOW + OLD_SECONDS

    assert backup.known(Address("bob", "silent.example")) is None
    assert backup.known(Address("alice", "silent.example")) is True


@pytest.mark.parametrize("started", [False, True])
def test_a_file_that_could_not_be_read_is_read_again(
    backup: Backup, logged: list[LogEvent], monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    """A disk's trouble passes without a change of the file; it is said once."""
    if started:
        backup.recipients.start()
    backup.keep("alice")
    with monkeypatch.context() as patch:
        patch.setattr(backup_store, "read_limited", broken)
        if not started:
            backup.recipients.start()
        for _ in range(3):
            backup.look()
        assert backup.known(BOB) is True
    assert [event["reason"] for event in logged] == ["[Errno 5] EIO"]

    backup.look()

    assert backup.known(BOB) is False


def broken(path: str) -> bytes:
    """Stand for a disk that cannot read the list of example.net."""
    if "example.net" in path:
        raise OSError(errno.EIO, "EIO")
    raise FileNotFoundError
