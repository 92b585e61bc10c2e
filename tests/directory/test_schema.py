"""The accounts file: made once, opened with care, never touched when it is another's."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from mailsuite.database import transaction
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsBusy, NewerSchema, NoAccounts
from mailsuite.directory.schema import VERSION, connect, connect_for_lookups, trouble

Opening = Callable[[str], object]
OPENINGS: list[Opening] = [Accounts.open, connect_for_lookups]


def set_version(path: str, version: int) -> None:
    """Make the file one of another version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_newer_schema_is_refused_and_the_file_stays_as_it_is(
    path: str, accounts: Accounts, opening: Opening
) -> None:
    """What a newer version wrote is neither read nor rewritten (a downgrade loses nothing)."""
    accounts.close()
    set_version(path, VERSION + 1)
    before = Path(path).read_bytes()

    with pytest.raises(NewerSchema, match=f"version {VERSION + 1}, this mailsuite knows version {VERSION}"):
        opening(path)

    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_missing_file_is_said_with_the_command_that_makes_it(path: str, opening: Opening) -> None:
    """Without a file there is a hint, and no file is made by looking."""
    with pytest.raises(NoAccounts, match="mailsuite init"):
        opening(path)

    assert not os.path.exists(path)


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be looked at" * 20])
@pytest.mark.parametrize("opening", OPENINGS)
def test_a_file_that_is_something_else_is_refused(path: str, content: bytes, opening: Opening) -> None:
    """An empty or a foreign file is not taken for accounts, nor changed."""
    Path(path).write_bytes(content)

    with pytest.raises(NoAccounts):
        opening(path)

    assert Path(path).read_bytes() == content


def test_another_programs_database_is_refused(path: str) -> None:
    """A database without our mark is left alone, even when we may create one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")

    with pytest.raises(NoAccounts, match="not an accounts file"):
        Accounts.open(path, create=True)


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_folder_in_the_files_place_is_said(tmp_path: Path, opening: Opening) -> None:
    """What cannot be opened at all is our error too, with the path."""
    with pytest.raises(NoAccounts, match=tmp_path.name):
        opening(str(tmp_path))


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The file cannot be made where its folder is missing."""
    with pytest.raises(NoAccounts, match="cannot be made"):
        Accounts.open(str(tmp_path / "missing" / "accounts.sqlite"), create=True)


def test_creating_again_keeps_what_is_there(path: str, accounts: Accounts) -> None:
    """`create` makes a file only where there is none."""
    with Accounts.open(path, create=True) as again:
        assert again.users.show("alice@example.com").name == "alice@example.com"


def test_only_the_owner_may_read_the_file(path: str, accounts: Accounts) -> None:
    """The file holds hashes: mode 0600, its companions too."""
    modes = {stat.S_IMODE(os.stat(name).st_mode) for name in (path, f"{path}-wal", f"{path}-shm")}

    assert modes == {0o600}


def test_changes_are_durable_when_they_return(path: str, accounts: Accounts) -> None:
    """Commits are synced (FULL) into a write-ahead log, so that readers never wait."""
    with closing(connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_servers_connection_cannot_change_anything(path: str, accounts: Accounts) -> None:
    """Lookups run on a connection that refuses to write."""
    with closing(connect_for_lookups(path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM logins")


def test_every_change_raises_the_generation(accounts: Accounts) -> None:
    """Caches are bound to the generation: each kind of change raises it, a look does not."""
    changes: list[Callable[[], object]] = [
        lambda: accounts.domains.add("example.net", postmaster=False),
        lambda: accounts.domains.set_catch_all("example.net", "alice@example.com"),
        lambda: accounts.users.add("carol@example.net"),
        lambda: accounts.users.set_password("carol@example.net", "x"),
        lambda: accounts.users.set_suspended("carol@example.net", True),
        lambda: accounts.aliases.add("all@example.net", ["alice@example.com", "bob@example.com"]),
        lambda: accounts.aliases.remove("all@example.net", ["bob@example.com"]),
        lambda: accounts.aliases.remove("all@example.net"),
        lambda: accounts.users.remove("carol@example.net"),
        lambda: accounts.domains.remove("example.net"),
    ]
    seen = [accounts.generation()]
    for change in changes:
        change()
        seen.append(accounts.generation())
        list(accounts.users.list())

    assert seen == sorted(set(seen))
    assert accounts.generation() == seen[-1]


def test_a_failed_change_leaves_nothing_behind(path: str, accounts: Accounts) -> None:
    """A transaction is whole or not at all."""
    with closing(connect(path)) as connection, pytest.raises(ZeroDivisionError), transaction(connection):
        connection.execute("DELETE FROM logins")
        raise ZeroDivisionError

    assert accounts.users.show("bob@example.com").has_password


def test_a_file_held_by_another_command_is_said(path: str, accounts: Accounts) -> None:
    """Who waits too long for another command's transaction is told to come back."""
    with closing(connect(path, wait=0)) as one, transaction(one), pytest.raises(AccountsBusy, match="try again"):
        waiting = Accounts(connect(path, wait=0), partial(trouble, path))
        with waiting:
            waiting.users.add("carol@example.com")


def test_each_site_draws_its_own_secret(tmp_path: Path) -> None:
    """The root of made-up salts is 32 octets, other ones in each file."""
    secrets = set()
    for name in ("one", "two"):
        with closing(connect(str(tmp_path / name), create=True)) as connection:
            secrets |= set(connection.execute("SELECT value FROM meta WHERE name = 'site_secret'"))

    assert len(secrets) == 2
    assert {len(secret) for (secret,) in secrets} == {32}


def test_text_that_is_no_utf_8_is_said(path: str, accounts: Accounts) -> None:
    """Python complains of it, without a code of SQLite's; who runs a command is told of the file nonetheless."""
    accounts.close()
    with pytest.raises(NoAccounts, match="UTF-8"), trouble(path), closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT CAST(X'ff40' AS TEXT)").fetchall()
