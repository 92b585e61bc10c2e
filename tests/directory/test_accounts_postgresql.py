"""What the commands do with accounts, on PostgreSQL: the tests of the accounts file, each on empty tables."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from mailsuite.database import transaction
from mailsuite.directory import postgresql_schema
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsBusy, NewerSchema, NoAccounts, Unreadable
from mailsuite.directory.postgresql import PostgresBackend
from mailsuite.directory.postgresql_schema import PostgresRecords
from mailsuite.directory.schema import VERSION, connect
from tests.directory.servers import PASSWORD, Postgres, running_postgres
from tests.directory.test_accepted import *  # noqa: F403 (tests, to be run here too)
from tests.directory.test_aliases import *  # noqa: F403
from tests.directory.test_bulk import (  # noqa: F401
    test_an_import_can_be_run_again_at_no_cost,
    test_more_rows_are_no_more_statements,
    test_who_was_there_before,
)
from tests.directory.test_domains import *  # noqa: F403
from tests.directory.test_rehearsal import *  # noqa: F403
from tests.directory.test_users import *  # noqa: F403
from tests.kept_out import kept_out, open_folder
from tests.transport.loop import reactor


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


def test_tables_are_those_of_the_accounts_file(server: Postgres, tmp_path: Path) -> None:
    """Name by name: a version of the one is that of the other, and its columns may be empty where they may there."""
    with closing(connect(str(tmp_path / "accounts"), create=True)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            (table, column, bool(needed or key))
            for table in tables if not table.startswith("sqlite_") and table != "meta"
            for _, column, _, needed, _, key in file.execute(f"PRAGMA table_info({table})")
        }  # fmt: skip
        views = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}
    with closing(postgresql_schema.dial(server.dsn())) as connection:
        found = connection.execute(
            "SELECT table_name, column_name, is_nullable = 'NO' FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name NOT IN ('meta', 'site')"
            " AND table_name NOT IN (SELECT table_name FROM information_schema.views WHERE table_schema = 'public')"
        ).fetchall()
        seen = connection.execute(
            "SELECT table_name FROM information_schema.views WHERE table_schema = 'public'"
        ).fetchall()
    assert set(found) == columns
    assert {name for (name,) in seen} == views


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_tables_of_another_version_are_refused(server: Postgres, opened: Accounts, version: int) -> None:
    """And so is a database without any; nobody touches them."""
    opened._connection.execute("UPDATE meta SET value = ? WHERE name = 'version'", (version,))
    try:
        backend = PostgresBackend(server.dsn(), reactor, 1, 9.0, 3.0)
        for opening in (partial(postgresql_schema.connect, server.dsn()), backend.start):
            with pytest.raises(NewerSchema, match=f"version {version}"):
                opening()
    finally:
        opened._connection.execute("UPDATE meta SET value = ? WHERE name = 'version'", (VERSION,))
    with pytest.raises(NoAccounts, match="mailsuite db upgrade"):
        postgresql_schema.connect(server.dsn("template1"))
    with pytest.raises(NoAccounts, match="dsn"):
        postgresql_schema.connect("no dsn at all")


@pytest.mark.parametrize("named", ["dsn", "PGPASSFILE", "HOME"])
def test_a_file_of_passwords_that_cannot_be_read_is_named(
    server: Postgres, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a command, and by the service, which waits for it: libpq says only that there is no password."""
    with open_folder() as folder, open_folder() as other:
        passfile = folder / ".pgpass"
        passfile.write_text(f"127.0.0.1:*:*:*:{PASSWORD}\n")
        dsn = server.dsn().replace(f" password='{PASSWORD}'", "")
        if named == "dsn":
            dsn += f" passfile={passfile}"
        else:
            monkeypatch.setenv(named, str(folder if named == "HOME" else passfile))
        passfile.chmod(0o600)
        assert postgresql_schema.version(dsn) == VERSION
        passfile.chmod(0)
        with kept_out(other) as user:
            with pytest.raises(Unreadable) as refused:
                postgresql_schema.version(dsn)
            assert f"in {passfile}, which the user {user} cannot read: Permission denied" in refused.value.what
            assert refused.value.mend == f"chown {user} {passfile}"
            with pytest.raises(psycopg.OperationalError, match=f"; to mend it: chown {user} "):
                postgresql_schema.dial(dsn)
        with kept_out(folder), pytest.raises(Unreadable, match=f"may not pass the folder {folder}"):
            postgresql_schema.version(dsn)
        passfile.unlink()
        # The usual place need not have one.
        kind, told = (NoAccounts, "no password supplied$") if named == "HOME" else (Unreadable, "that is not there")
        with pytest.raises(kind, match=told):
            postgresql_schema.version(dsn)


def test_commands_take_turns(server: Postgres, accounts: Accounts) -> None:
    """While one changes accounts another one waits, and at last says so; who reads is not kept."""
    with transaction(accounts._connection), postgresql_schema.reading(server.dsn()) as records:
        assert records.login("alice@example.com") is not None
        waiting = Accounts(postgresql_schema.connect(server.dsn(), wait=0), postgresql_schema.trouble)
        with pytest.raises(AccountsBusy, match="in use by another command"), waiting:
            waiting.users.add("carol@example.com")
    accounts.users.add("carol@example.com")
