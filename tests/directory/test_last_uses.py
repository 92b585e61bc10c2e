"""When app passwords were used last: little is written, nothing lost, and no login waits for it."""

from collections.abc import Mapping

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsBusy
from mailsuite.directory.last_uses import PRECISION_SECONDS, WRITE_SECONDS, LastUses
from mailsuite.directory.sqlite import SqliteBackend

BEGIN = 1_800_000_000


class Written:
    """What was written, and whether that can be done now."""

    def __init__(self) -> None:
        self.uses: list[dict[int, int]] = []
        self.busy = False

    def __call__(self, uses: Mapping[int, int]) -> None:
        if self.busy:
            raise AccountsBusy("busy")
        self.uses.append(dict(uses))


@pytest.fixture
def clock() -> Clock:
    """The time, of today."""
    clock = Clock()
    clock.advance(BEGIN)
    return clock


@pytest.fixture
def written() -> Written:
    """Nothing yet."""
    return Written()


def collecting(written: Written | None, clock: Clock) -> LastUses:
    """Return a collection that has started; its thread works at once."""
    uses = LastUses(written, execute, clock.seconds, clock)
    uses.start()
    return uses


def stop(uses: LastUses) -> None:
    """Stop it in good order."""
    SynchronousTestCase().successResultOf(Deferred.fromCoroutine(uses.stop()))


def test_many_logins_are_one_write(written: Written, clock: Clock) -> None:
    """Some at a time, and each credential once in ten minutes."""
    uses = collecting(written, clock)
    for second in range(PRECISION_SECONDS):
        uses.note(1)
        if second < 3:
            uses.note(2 + second)
        clock.advance(1)
    assert written.uses == [{1: BEGIN, 2: BEGIN, 3: BEGIN + 1, 4: BEGIN + 2}]
    uses.note(1)
    stop(uses)
    assert written.uses[1:] == [{1: BEGIN + PRECISION_SECONDS}]


def test_what_cannot_be_written_now_is_written_later(written: Written, clock: Clock) -> None:
    """With what has come since."""
    uses = collecting(written, clock)
    written.busy = True
    uses.note(1)
    clock.advance(WRITE_SECONDS)
    uses.note(2)
    written.busy = False
    clock.advance(WRITE_SECONDS)

    assert written.uses == [{1: BEGIN, 2: BEGIN + int(WRITE_SECONDS)}]
    stop(uses)


def test_a_back_end_that_keeps_no_uses(clock: Clock) -> None:
    """Nothing is collected for it."""
    uses = collecting(None, clock)
    uses.note(1)
    assert not uses._unwritten
    stop(uses)


def test_it_changes_no_answer_of_the_directory(backend: SqliteBackend, accounts: Accounts, clock: Clock) -> None:
    """The accounts have the time; what caches are bound to is the same as before."""
    accounts.app_passwords.add("alice@example.com", "phone", (), "{SSHA512}x")
    login = backend.login("alice@example.com")
    assert login is not None
    (number,) = [each.id for each in login.credentials if each.label == "phone"]
    generation = accounts.generation()

    backend.use_writer()({number: BEGIN, 4711: BEGIN})

    assert accounts.app_passwords.list("alice@example.com")[0].last_used == BEGIN
    assert accounts.generation() == generation
