"""A fresh accounts file for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.records import Records


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
def records(path: str, accounts: Accounts) -> Iterator[Records]:
    """The same accounts as the server reads them."""
    records = Records.open(path)
    yield records
    records.close()


@pytest.fixture(scope="session")
def passwords() -> Passwords:
    """Passwords whose hashes cost next to nothing."""
    return Passwords(memory_kib=8, passes=1)
