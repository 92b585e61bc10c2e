"""What the commands do with accounts, on PostgreSQL: the tests of the accounts file, each on empty tables."""

from collections.abc import Iterator

import pytest

from mailsuite.directory import postgresql_schema
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.postgresql_schema import PostgresRecords
from tests.directory.servers import Postgres, running_postgres
from tests.directory.test_accepted import *  # noqa: F403 (tests, to be run here too)
from tests.directory.test_aliases import *  # noqa: F403
from tests.directory.test_domains import *  # noqa: F403
from tests.directory.test_users import *  # noqa: F403


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """PostgreSQL with empty tables."""
    with running_postgres() as server:
        postgresql_schema.create(server.dsn())
        yield server


@pytest.fixture(scope="module")
def opened(server: Postgres) -> Iterator[Accounts]:
    """The accounts, open for changes."""
    with postgresql_schema.open_accounts(server.dsn()) as opened:
        yield opened


@pytest.fixture(scope="module")
def records(server: Postgres) -> Iterator[PostgresRecords]:
    """The same accounts, for who only reads."""
    with postgresql_schema.reading(server.dsn()) as records:
        yield records


@pytest.fixture
def accounts(opened: Accounts) -> Accounts:
    """The accounts that tests begin with, as in the accounts file."""
    for table in ("logins", "mailboxes", "addresses", "domains"):
        opened._connection.execute(f"DELETE FROM {table}")
    opened.domains.add("example.com")
    opened.users.add("alice@example.com", "hash of alice")
    opened.users.add("bob@example.com", "hash of bob")
    return opened
