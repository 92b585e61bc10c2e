"""Accounts in PostgreSQL are in a backup, as they were at one moment, and come back into what we write to."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mailsuite.cli import main
from mailsuite.directory import postgresql_copy, postgresql_schema
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.schema import connect
from tests.cli.site import new_site, run
from tests.directory.servers import Postgres, running_postgres

# Those with numbers come first.
TABLES = ("domains", "mailboxes", "logins", "credentials", "addresses", "alias_targets", "submission_caps")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def dsns(server: Postgres, request: pytest.FixtureRequest) -> tuple[str, str]:
    """How two empty databases are reached."""
    names = [f"{each}_{request.node.name.lower()}"[:60] for each in ("one", "two")]
    with closing(postgresql_schema.dial(server.dsn())) as connection:
        for name in names:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    one, two = map(server.dsn, names)
    return one, two


def made(folder: Path, dsn: str = "") -> Path:
    """Make a site; with *dsn*, one whose accounts are in PostgreSQL. Return its configuration."""
    config = new_site(folder, "--unprivileged")
    if dsn:
        (folder / "accounts.sqlite").unlink()
        text = config.read_text().replace("[directory]\n", '[directory]\nbackend = "postgresql"\n', 1)
        config.write_text(f'{text}\n[postgresql]\ndsn = "{dsn}"\n')
    return config


def done(config: Path, *words: str, typed: str = "") -> str:
    """Run a command that has to succeed; return what it says."""
    result = CliRunner().invoke(main, [*words, "--config", str(config)], input=typed)
    assert result.exit_code == 0, result.output
    return str(result.output)


def fill(config: Path) -> None:
    """Let there be something of everything, and numbers that were used and are gone."""
    done(config, "domain", "add", "example.com")
    done(config, "domain", "add", "example.net", "--alias-of", "example.com")
    for name in ("alice", "bob", "gone"):
        done(config, "user", "add", f"{name}@example.com", "--password-stdin", typed="open sesame\n")
    done(config, "user", "app-password", "add", "alice@example.com", "--label", "phone")
    done(config, "alias", "add", "all@example.com", "alice@example.com", "bob@example.com", "x@elsewhere.example")
    done(config, "quota", "set", "alice@example.com", "--messages", "7")
    done(config, "cap", "set", "alice@example.com", "messages", "day", "10")
    done(config, "user", "remove", "gone@example.com", "--force")


def rows(dsn: str) -> dict[str, Any]:
    """Return all that the database has, and the number that the next login gets."""
    with closing(postgresql_schema.dial(dsn)) as connection:
        found: dict[str, Any] = {
            table: sorted(connection.execute(f"SELECT * FROM {table}".encode()).fetchall(), key=repr)
            for table in (*TABLES, "site")
        }
        for table in TABLES[:5]:
            last = connection.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", (table,)).fetchone()
            found[f"{table} next"] = last
    return found


def test_there_and_back(dsns: tuple[str, str], tmp_path: Path) -> None:
    """Row by row, numbers and secret too; a number that was used is not used again; nothing is written over."""
    one, two = dsns
    config = made(tmp_path / "one", one)
    done(config, "db", "upgrade")
    fill(config)
    done(config, "backup", str(tmp_path / "backup"))
    # A second one into the same folder.
    done(config, "backup", str(tmp_path / "backup"))
    with closing(sqlite3.connect(tmp_path / "backup" / "accounts.sqlite")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
    assert not list((tmp_path / "backup").glob("*.part*"))

    (tmp_path / "two").mkdir()
    text = (tmp_path / "backup" / "mailsuite.toml").read_text().replace(one, two)
    (tmp_path / "two" / "mailsuite.toml").write_text(text)
    other = tmp_path / "two" / "mailsuite.toml"
    done(other, "restore", str(tmp_path / "backup"))

    assert rows(two) == rows(one)
    assert "carol@example.com" in done(other, "user", "add", "carol@example.com", "--no-password")
    refused = run("restore", str(tmp_path / "backup"), "--config", other)
    assert refused.exit_code == 1


def test_into_tables_that_were_made_and_nothing_over(dsns: tuple[str, str], tmp_path: Path) -> None:
    """Empty tables are as good as none; accounts that are there stay as they are, and so does all else."""
    one, two = dsns
    config = made(tmp_path / "one", one)
    done(config, "db", "upgrade")
    fill(config)
    done(config, "backup", str(tmp_path / "backup"))
    other = tmp_path / "two" / "mailsuite.toml"
    other.parent.mkdir()
    other.write_text(config.read_text().replace(one, two))
    done(other, "db", "upgrade")
    done(other, "domain", "add", "example.edu")
    before = rows(two)["domains"]
    refused = run("restore", str(tmp_path / "backup"), "--config", other)
    assert refused.exit_code == 1
    assert "has accounts, which would be written over" in refused.output
    assert rows(two)["domains"] == before
    assert not (other.parent / "mail").exists()
    done(other, "domain", "remove", "example.edu", "--force")
    done(other, "restore", str(tmp_path / "backup"))
    assert rows(two)["logins"] == rows(one)["logins"]


def test_from_the_accounts_file_and_to_it(dsns: tuple[str, str], tmp_path: Path) -> None:
    """One who begins with a file can go on with a database, and the other way round."""
    config = made(tmp_path / "one")
    fill(config)
    done(config, "backup", str(tmp_path / "backup"))
    moved = tmp_path / "two" / "mailsuite.toml"
    moved.parent.mkdir()
    text = config.read_text().replace("[directory]\n", '[directory]\nbackend = "postgresql"\n', 1)
    moved.write_text(f'{text}\n[postgresql]\ndsn = "{dsns[0]}"\n')
    done(moved, "restore", str(tmp_path / "backup"))
    done(moved, "backup", str(tmp_path / "back"))
    third = tmp_path / "three" / "mailsuite.toml"
    third.parent.mkdir()
    third.write_text(config.read_text())
    done(third, "restore", str(tmp_path / "back"))

    assert dump(tmp_path / "three" / "accounts.sqlite") == dump(tmp_path / "one" / "accounts.sqlite")


def test_it_is_one_moment(dsns: tuple[str, str], tmp_path: Path) -> None:
    """What is changed while it is copied is in it as a whole or not at all, and waits for nobody."""
    dsn = dsns[0]
    postgresql_schema.create(dsn)
    with postgresql_schema.open_accounts(dsn) as accounts:
        accounts.domains.add("example.org")
        accounts.users.add("alice@example.org", "hash")
        numbers = iter(range(100))

        def meanwhile(count: int) -> None:
            accounts.users.add(f"user{next(numbers)}@example.org", "hash")

        postgresql_copy.save(dsn, str(tmp_path / "copy"), meanwhile)
        assert next(numbers) > 1
    with Accounts(connect(str(tmp_path / "copy")), postgresql_schema.trouble) as copied:
        assert [user.name for user in copied.users.list()] == ["alice@example.org", "postmaster@example.org"]


def test_half_of_it_is_none(dsns: tuple[str, str], tmp_path: Path) -> None:
    """What ends a restore in its midst leaves a database without accounts."""
    dsn = dsns[0]
    with closing(connect(str(tmp_path / "file"), create=True)) as file:
        file.execute("INSERT INTO domains (name) VALUES ('example.org')")

    def stopped(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        postgresql_copy.load(str(tmp_path / "file"), dsn, stopped)
    assert postgresql_schema.version(dsn) is None


def dump(path: Path) -> dict[str, Any]:
    """Return all rows of an accounts file."""
    with closing(sqlite3.connect(path)) as file:
        found: dict[str, Any] = {
            table: file.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES
        }
        found["secret"] = file.execute("SELECT value FROM meta WHERE name = 'site_secret'").fetchone()
        found["numbers"] = dict(file.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    return found
