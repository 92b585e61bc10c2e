"""A fresh accounts file for each test."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.sqlite import SqliteBackend

T = TypeVar("T")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the accounts file of this test is."""
    return str(tmp_path / "accounts.sqlite")


@pytest.fixture
def accounts(path: str) -> Iterator[Accounts]:
    """Accounts with the domain example.com and the users alice, bob and postmaster."""
    with Accounts.open(path, create=True) as accounts:
        accounts.domains.add("example.com")
        accounts.users.add("alice@example.com", "hash of alice")
        accounts.users.add("bob@example.com", "hash of bob")
        yield accounts


@pytest.fixture
def records(path: str, accounts: Accounts) -> Iterator[SqlRecords]:
    """The same accounts over a connection that only reads."""
    with closing(connect_for_lookups(path)) as connection:
        yield SqlRecords(lambda: connection)


@pytest.fixture
def clock() -> Clock:
    """The time, as the directory is told it."""
    return Clock()


@pytest.fixture
def backend(path: str, accounts: Accounts, clock: Clock) -> Iterator[SqliteBackend]:
    """The same accounts as the server reads them; its threads work at once."""
    backend = SqliteBackend(path, clock.seconds, at_once)
    yield backend
    backend.stop()


def ticking() -> Callable[[], float]:
    """Return a clock on which every question comes a moment after the last: so each change is seen at once."""
    ticks = count()
    return lambda: float(next(ticks))


def at_once(work: Callable[[], T]) -> Deferred[T]:
    """Do *work* as a thread would, without one."""
    return execute(work)


@pytest.fixture(scope="session")
def passwords() -> Passwords:
    """Passwords whose hashes cost next to nothing."""
    return Passwords(memory_kib=8, passes=1)
