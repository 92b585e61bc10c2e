"""Accounts that an older mailsuite has left become today's and back again: nothing in them is lost unsaid."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailsuite.database import transaction
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import OlderSchema
from mailsuite.directory.schema import VERSION, connect, connect_for_lookups, make_derived
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.upgrades import STEPS
from mailsuite.schema_steps import WouldLose, downgrade, upgrade
from tests.shapes import shape

OLD = {1: Path(__file__).with_name("version_1.sql")}
# What version 1 has no place for, and how a change that makes use of it is told.
NEW = {
    "UPDATE domains SET alias_of = 1 WHERE id = 2": "1 alias of a domain",
    "UPDATE domains SET senders = 'caught' WHERE id = 2": "1 domain with a rule of its own for senders",
    "UPDATE domains SET mailbox_octets = 0": "2 quotas of domains",
    "UPDATE mailboxes SET quota_messages = 0": "3 quotas of mailboxes",
    "UPDATE logins SET frozen = 1 WHERE id = 2": "1 frozen login",
    "UPDATE logins SET must_change = 1 WHERE id = 2": "1 login that must change its password",
    "UPDATE credentials SET last_used = 1": "3 passwords of which is known when they were last used",
    "UPDATE addresses SET wildcard = 1 WHERE local = 's*les'": "1 wildcard alias",
    "UPDATE addresses SET reject_code = 550 WHERE id = 2": "1 address with a reply of its own",
    "INSERT INTO submission_caps VALUES (2, NULL, 'messages', 3600, 10)": "1 cap of submission",
}


def make(path: str, version: int = 1) -> sqlite3.Connection:
    """Put accounts of *version* there."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(OLD[version].read_text())
    return connection


def bring_up(connection: sqlite3.Connection) -> None:
    """Bring it up to date."""
    with transaction(connection):
        upgrade(connection, STEPS)
        make_derived(connection)


@pytest.mark.parametrize("version", OLD)
def test_it_is_a_new_one_afterwards(path: str, version: int) -> None:
    """The same tables, columns in their order, keys, indexes, views and triggers; sound for SQLite."""
    with closing(make(path, version)) as connection:
        bring_up(connection)

        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connect(f"{path}.new", create=True).close()
    assert shape(path) == shape(f"{path}.new")


def test_all_that_was_there_is_there(path: str) -> None:
    """Users, hashes, states, aliases, the catch-all; an asterisk in an old name stays an asterisk."""
    with closing(make(path)) as connection:
        bring_up(connection)
    with Accounts.open(path) as accounts, closing(connect_for_lookups(path)) as reading:
        records = SqlRecords(lambda: reading)
        login = records.login("alice@example.com")
        wildcards = accounts._connection.execute("SELECT count(*) FROM addresses WHERE wildcard").fetchone()

        assert login is not None
        assert [each.stored for each in login.credentials] == ["hash of alice"]
        assert login.secrets == {"cram-md5": "secret of alice"}
        assert accounts.users.show("bob@example.com").suspended
        assert accounts.domains.show("example.net").catch_all == "alice@example.com"
        assert {each.name: each.targets for each in accounts.aliases.list()} == {
            "alice@example.com": ("alice@example.com", "x@elsewhere.example"),
            "all@example.net": ("alice@example.com", "bob@example.com", "Carol@elsewhere.example"),
            "s*les@example.net": ("alice@example.com",),
        }
        assert wildcards == (0,)
        assert records.site_secret() == b"\7" * 32


def test_an_older_one_is_refused_with_the_command(path: str) -> None:
    """Neither the server nor a command touches it; the message says what to do."""
    make(path).close()
    for opening in (Accounts.open, connect_for_lookups):
        with pytest.raises(OlderSchema, match=r"version 1, and this mailsuite needs .*mailsuite db upgrade"):
            opening(path)


def test_down_and_up_again(path: str, tmp_path: Path) -> None:
    """What makes no use of what is new goes down whole: it is the file that it was."""
    old = str(tmp_path / "old.sqlite")
    make(old).close()
    with closing(make(path)) as connection:
        before = list(connection.iterdump())
        bring_up(connection)
        with transaction(connection):
            assert downgrade(connection, STEPS, 1) == VERSION

        assert shape(path) == shape(old)
        assert [line for line in connection.iterdump() if "INSERT" in line] == [
            line for line in before if "INSERT" in line
        ]
        bring_up(connection)


def test_what_would_be_lost_is_said(path: str) -> None:
    """Each new thing that is in use keeps the file from going down, by its name; nothing is changed then."""
    with closing(make(path)) as connection:
        bring_up(connection)
        before = shape(path)
        for change, told in NEW.items():
            connection.execute("BEGIN")
            connection.execute(change)
            with pytest.raises(WouldLose) as refused:
                downgrade(connection, STEPS, 1)
            connection.execute("ROLLBACK")
            assert refused.value.lost == (told,)
        assert shape(path) == before


def test_what_is_lost_becomes_nothing_else(path: str) -> None:
    """A wildcard would be a name in version 1, and a mere reply an alias to nobody: they go."""
    with closing(make(path)) as connection:
        bring_up(connection)
        connection.execute("UPDATE addresses SET wildcard = 1 WHERE local = 's*les'")
        connection.execute("INSERT INTO addresses (domain_id, local, reject_code) VALUES (1, 'gone', 550)")
        for change in NEW:
            connection.execute(change)
        with transaction(connection):
            downgrade(connection, STEPS, 1, lossy=True)

        locals_ = [local for (local,) in connection.execute("SELECT local FROM addresses ORDER BY id")]
        assert locals_ == ["postmaster", "alice", "bob", "all"]
        assert connection.execute("SELECT * FROM empty_aliases").fetchall() == []


def test_a_login_raises_no_generation(accounts: Accounts, path: str) -> None:
    """That a password was used changes nothing that a cache keeps."""
    before = accounts.generation()
    with closing(connect(path)) as connection:
        connection.execute("UPDATE credentials SET last_used = 1")
        assert accounts.generation() == before
        connection.execute("UPDATE credentials SET stored = 'other'")
        assert accounts.generation() > before


def test_every_older_version_is_known() -> None:
    """Each has a step, and an example of its file here."""
    assert sorted(STEPS) == sorted(OLD) == list(range(1, VERSION))
