"""The accounts file: its tables, their version, and how the file is opened.

The version is SQLite's ``user_version``; ``application_id`` tells our file from others. A file of a newer version is
refused before anything is written to it.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mailsuite.directory.errors import AccountsBusy, NewerSchema, NoAccounts

VERSION = 1
APPLICATION_ID = 0x6D737561

# How long a command waits for another one's transaction, and how long a login does that renews a hash.
WAIT_SECONDS = 10.0
LOGIN_WAIT_SECONDS = 1.0
# How long the server does: its lookups run on the reactor thread, and WAL readers wait only for a recovery.
LOOKUP_WAIT_SECONDS = 0.1

# Keys (``name``, ``local``, ``domain``) are in the form of `mailsuite.directory.spelling`. Numbers of logins and
# mailboxes are never used again, so that what others keep by number cannot fall to a stranger.
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE domains (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        class TEXT NOT NULL DEFAULT 'local',
        catch_all_local TEXT,
        catch_all_domain TEXT)""",
    """CREATE TABLE mailboxes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL UNIQUE)""",
    """CREATE TABLE logins (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        mailbox_id INTEGER REFERENCES mailboxes (id) ON DELETE SET NULL,
        suspended INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX logins_of_mailbox ON logins (mailbox_id)",
    """CREATE TABLE credentials (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        login_id INTEGER NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        scope TEXT NOT NULL DEFAULT '',
        label TEXT NOT NULL DEFAULT '',
        stored TEXT NOT NULL,
        UNIQUE (login_id, kind, label))""",
    """CREATE TABLE addresses (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        domain_id INTEGER NOT NULL REFERENCES domains (id),
        local TEXT NOT NULL,
        mailbox_id INTEGER REFERENCES mailboxes (id) ON DELETE CASCADE,
        UNIQUE (domain_id, local))""",
    "CREATE INDEX addresses_of_mailbox ON addresses (mailbox_id)",
    """CREATE TABLE alias_targets (
        address_id INTEGER NOT NULL REFERENCES addresses (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        local TEXT NOT NULL,
        domain TEXT NOT NULL,
        PRIMARY KEY (address_id, position),
        UNIQUE (address_id, local, domain)) WITHOUT ROWID""",
    "CREATE INDEX alias_targets_by_domain ON alias_targets (domain, local)",
    # What leads to an address: by its own name, or as the base of a plus-address (`mailsuite.directory.resolve`).
    """CREATE VIEW lost_targets AS SELECT address_id, position, domain FROM alias_targets t WHERE NOT EXISTS (
        SELECT 1 FROM domains d JOIN addresses a ON a.domain_id = d.id
        WHERE d.name = t.domain AND a.local IN (
            t.local, CASE WHEN instr(t.local, '+') > 1 THEN substr(t.local, 1, instr(t.local, '+') - 1) END))""",
    """CREATE VIEW lost_catch_alls AS SELECT id, name, catch_all_domain AS domain FROM domains o
        WHERE catch_all_domain IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM domains d JOIN addresses a ON a.domain_id = d.id
        WHERE d.name = o.catch_all_domain AND a.local IN (o.catch_all_local,
            CASE WHEN instr(o.catch_all_local, '+') > 1
            THEN substr(o.catch_all_local, 1, instr(o.catch_all_local, '+') - 1) END))""",
    """CREATE VIEW empty_aliases AS SELECT a.id, d.name AS domain FROM addresses a JOIN domains d ON d.id = a.domain_id
        WHERE a.mailbox_id IS NULL AND NOT EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id)""",
)

# Triggers, so that a change by any hand raises the generation that caches are bound to.
_WATCHED = ("domains", "mailboxes", "logins", "credentials", "addresses", "alias_targets")


def connect(path: str, create: bool = False, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Return a connection that may change the accounts in *path*; with *create*, make the file if there is none.

    A change waits up to *wait* seconds for its turn.

    Raises `NoAccounts`, `NewerSchema` or `AccountsBusy`.
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
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit durably what is done inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def trouble(path: str) -> Iterator[None]:
    """Turn SQLite's complaints about the file into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
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
    if not os.path.exists(path):
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
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise NewerSchema(
            f"{path} has schema version {version}, this mailsuite knows version {VERSION};"
            " use the mailsuite that wrote it, or a newer one"
        )


def _create(connection: sqlite3.Connection) -> None:
    """Fill an empty file; leave every other one as it is."""
    with transaction(connection):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            return
        for statement in _TABLES:
            connection.execute(statement)
        for table in _WATCHED:
            for change in ("INSERT", "UPDATE", "DELETE"):
                connection.execute(
                    f"CREATE TRIGGER {table}_{change.lower()} AFTER {change} ON {table} BEGIN "  # noqa: S608 (our names)
                    "UPDATE meta SET value = value + 1 WHERE name = 'generation'; END"
                )
        connection.execute("INSERT INTO meta VALUES ('generation', 0)")
        # The root of all made-up salts and keyed hashes of this site; drawn once.
        connection.execute("INSERT INTO meta VALUES ('site_secret', ?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
