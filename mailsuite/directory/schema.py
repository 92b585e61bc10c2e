"""The accounts file: how it has its tables (`mailsuite.directory.tables`), their version, and how it is opened.

The version is SQLite's ``user_version``; ``application_id`` tells our file from others. A file of another version is
refused before anything is written to it: ``mailsuite db`` brings it up, or down (`mailsuite.directory.upgrades`).
"""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mailsuite.database import primary_code, transaction
from mailsuite.directory import upgrades
from mailsuite.directory.errors import AccountsBusy, NewerSchema, NoAccounts, OlderSchema
from mailsuite.directory.tables import WATCHED, Dialect, tables, views
from mailsuite.reach import present
from mailsuite.schema_steps import version_of

VERSION = 2
APPLICATION_ID = 0x6D737561

# How long a command waits for another one's transaction, and how long a login does that renews a hash.
WAIT_SECONDS = 10.0
LOGIN_WAIT_SECONDS = 1.0
# How long the server does: its lookups run on the reactor thread, and WAL readers wait only for a recovery.
LOOKUP_WAIT_SECONDS = 0.1

_PATTERN = "replace(replace(a.local, '[', '[[]'), '?', '[?]')"
DIALECT = Dialect(
    id="INTEGER PRIMARY KEY",
    unused_id="INTEGER PRIMARY KEY AUTOINCREMENT",
    key="TEXT",
    number="INTEGER",
    clustered=" WITHOUT ROWID",
    base=lambda local: f"CASE WHEN instr({local}, '+') > 1 THEN substr({local}, 1, instr({local}, '+') - 1) END",
    fits=lambda local: f"{local} GLOB {_PATTERN}",
)


def connect(path: str, create: bool = False, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Return a connection that may change the accounts in *path*; with *create*, make the file if there is none.

    A change waits up to *wait* seconds for its turn.

    Raises `NoAccounts`, `OlderSchema`, `NewerSchema` or `AccountsBusy`.
    """
    if create:
        _touch(path)
    connection = _open(path, wait)
    try:
        with trouble(path):
            if create:
                _create(connection)
            _check_version(connection, path)
            _configure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_lookups(path: str) -> sqlite3.Connection:
    """Return a connection that cannot change anything. Raises as `connect`."""
    connection = _open(path, LOOKUP_WAIT_SECONDS)
    try:
        with trouble(path):
            _check_version(connection, path)
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def trouble(path: str) -> Iterator[None]:
    """Turn SQLite's complaints about the file into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise AccountsBusy(f"{path} is in use by another command; try again when it is done") from error
        raise NoAccounts(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise NoAccounts(f"{path} cannot be used as an accounts file: {error}") from error


def _touch(path: str) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise NoAccounts(f"{path} cannot be made: {error.strerror}") from error


def _open(path: str, wait: float) -> sqlite3.Connection:
    try:
        there = present(path)
    except OSError as error:
        raise NoAccounts(f"{path} cannot be reached: {error.strerror}") from error
    if not there:
        raise NoAccounts(f"there is no accounts file {path}; mailsuite init makes it with a new site")
    with trouble(path):
        return sqlite3.connect(path, timeout=wait, isolation_level=None)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _check_version(connection: sqlite3.Connection, path: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise NoAccounts(f"{path} is not an accounts file of mailsuite; look at [directory] path in the configuration")
    version = version_of(connection)
    if version in upgrades.STEPS:
        raise OlderSchema(
            f"{path} has schema version {version}, and this mailsuite needs version {VERSION}:"
            " stop the server, then: mailsuite db upgrade"
        )
    if version != VERSION:
        raise NewerSchema(
            f"{path} has schema version {version}, this mailsuite knows version {VERSION};"
            f" use the mailsuite that wrote it, or with that one: mailsuite db downgrade accounts --to {VERSION}"
        )


def make_derived(connection: sqlite3.Connection) -> None:
    """Make the views and triggers, which hold nothing; there are none. Within the caller's transaction."""
    for view in views(DIALECT):
        connection.execute(view)
    for table, columns in WATCHED.items():
        for change in ("INSERT", f"UPDATE{columns}", "DELETE"):
            name = f"{table}_{change.split()[0].lower()}"
            connection.execute(
                f"CREATE TRIGGER {name} AFTER {change} ON {table} BEGIN "  # noqa: S608 (our names)
                "UPDATE meta SET value = value + 1 WHERE name = 'generation'; END"
            )


@contextmanager
def without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Let many rows be written inside without a change of the generation for each. Within the caller's transaction."""
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield
    for _, statement in triggers:
        connection.execute(statement)
    connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'generation'")


def _create(connection: sqlite3.Connection) -> None:
    """Fill an empty file; leave every other one as it is."""
    with transaction(connection):
        (there,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if there:
            return
        connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
        for statement in tables(DIALECT):
            connection.execute(statement)
        make_derived(connection)
        connection.execute("INSERT INTO meta VALUES ('generation', 0)")
        # The root of all made-up salts and keyed hashes of this site; drawn once.
        connection.execute("INSERT INTO meta VALUES ('site_secret', ?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
