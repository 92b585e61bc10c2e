"""The queue's file: its tables, their version, and how the file is opened.

The version is SQLite's ``user_version``; ``application_id`` tells our file from others. What we do not know is refused
before anything is written to it. No text in it is ever made into SQL, and nothing is pickled.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mailsuite.database import primary_code, transaction
from mailsuite.queue import upgrades
from mailsuite.queue.errors import NewerQueue, NoQueue, OlderQueue, QueueBusy, QueueError
from mailsuite.reach import present
from mailsuite.schema_steps import version_of

VERSION = 2
APPLICATION_ID = 0x6D737571

# How long one transaction waits for another process's; ours are all short.
WAIT_SECONDS = 10.0
# Pages kept in memory, in KiB: the upper parts of all indexes of a queue of a million.
_CACHE_KIB = 32_768
# A checkpoint copies so many pages (of 4 KiB) at once; what comes and goes between two of them is copied only once.
_CHECKPOINT_PAGES = 4000
_LOG_OCTETS = 64 * 1024 * 1024

# Claimed where `owner` is set, and then `purpose` says what for. `report_at`: when its sender has to hear of it, of
# the delay or that it was given up. What is `scheduled` begins to wait at `next_try`, by its sender's wish.
_RECIPIENTS = """CREATE TABLE recipients (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        message INTEGER NOT NULL,
        destination INTEGER NOT NULL,
        local TEXT NOT NULL,
        domain TEXT NOT NULL,
        mailbox_id INTEGER,
        mailbox_path TEXT,
        notify TEXT NOT NULL,
        original TEXT NOT NULL,
        added BLOB NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'held', 'bounce', 'damaged', 'scheduled')),
        tries INTEGER NOT NULL DEFAULT 0,
        next_try REAL NOT NULL,
        report_at REAL NOT NULL,
        warned INTEGER NOT NULL DEFAULT 0,
        last TEXT,
        owner INTEGER,
        purpose TEXT,
        priority INTEGER NOT NULL DEFAULT 0)"""

# Times are POSIX seconds, but `owners.until`, which is time since boot. Numbers are never used again, so that what a
# process that has lost its lease still says about a recipient cannot hit another one.
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    # One row for each process that claims; `node` is the machine's name with the process's view of other processes.
    """CREATE TABLE owners (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        node TEXT NOT NULL,
        boot TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started INTEGER NOT NULL,
        until REAL NOT NULL)""",
    # `due`: before it nothing of this destination can be claimed, by its put-off and all its recipients; NULL: nothing
    # waits, or a probe is under way. `served`: when it had its last turn. `troubled`: put off, and not yet known to
    # work again; `last` is why.
    """CREATE TABLE destinations (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        due REAL,
        served REAL NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        troubled INTEGER NOT NULL DEFAULT 0,
        held INTEGER NOT NULL DEFAULT 0,
        last TEXT)""",
    # The content is a row of `contents`, or `file` without its first `skip` octets; `size` is what is left. `asked`:
    # what few senders ask for, as JSON.
    """CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        shard INTEGER NOT NULL DEFAULT 0,
        sender_local TEXT,
        sender_domain TEXT,
        arrived REAL NOT NULL,
        expires REAL NOT NULL,
        size INTEGER NOT NULL,
        body TEXT NOT NULL,
        ret TEXT NOT NULL,
        envid TEXT NOT NULL,
        origin TEXT NOT NULL,
        arrived_from TEXT NOT NULL,
        file TEXT,
        skip INTEGER NOT NULL,
        smtputf8 INTEGER NOT NULL DEFAULT 0,
        asked TEXT)""",
    # A table of its own: who looks through the messages must not read their content.
    "CREATE TABLE contents (message INTEGER PRIMARY KEY, octets BLOB NOT NULL)",
    _RECIPIENTS,
)
_INDEXES = (
    "CREATE INDEX messages_by_id ON messages (id)",
    "CREATE INDEX messages_by_holder ON messages (json_extract(asked, '$.holder')) WHERE asked IS NOT NULL",
    "CREATE UNIQUE INDEX messages_by_file ON messages (file) WHERE file IS NOT NULL",
    "CREATE INDEX destinations_due ON destinations (due) WHERE held = 0 AND due IS NOT NULL",
    "CREATE INDEX recipients_of_message ON recipients (message, destination)",
    # Nearly all is of priority 0, and costs no more for the rest: that has indexes of its own.
    "CREATE INDEX recipients_of_destination ON recipients (destination, state, owner, next_try) WHERE priority = 0",
    "CREATE INDEX recipients_ranked ON recipients (destination, state, owner, next_try) WHERE priority != 0",
    "CREATE INDEX recipients_by_priority ON recipients (destination, state, owner, priority, next_try)"
    " WHERE priority != 0",
    "CREATE INDEX recipients_scheduled ON recipients (next_try) WHERE state = 'scheduled'",
    "CREATE INDEX recipients_of_owner ON recipients (owner) WHERE owner IS NOT NULL",
    "CREATE INDEX recipients_on_probe ON recipients (destination) WHERE purpose = 'probe'",
    "CREATE INDEX recipients_to_report ON recipients (report_at) WHERE state IN ('waiting', 'bounce')",
)


def connect(path: str, create: bool = False, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Return a connection to the queue in *path*; with *create*, make the file if there is none.

    A transaction waits up to *wait* seconds for its turn. The connection is for the thread that made it. Raises
    `QueueError`; a file that is not our queue, or not of our version, is left as it is.
    """
    if create:
        _touch(path)
    connection = _open(path, wait)
    try:
        with trouble(path):
            if create:
                _create(connection)
            _check(connection, path)
            _configure(connection)
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
            raise QueueBusy(f"{path} is in use; try again in a moment") from error
        raise QueueError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise QueueError(
            f"{path} is damaged or no queue of mailsuite ({error}); it was not changed. Bring it back from a backup,"
            " or move the whole folder away and start with an empty queue"
        ) from error


def _touch(path: str) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise QueueError(f"{path} cannot be made: {error.strerror}") from error


def _open(path: str, wait: float) -> sqlite3.Connection:
    try:
        there = present(path)
    except OSError as error:
        raise QueueError(f"{path} cannot be reached: {error.strerror}") from error
    if not there:
        raise NoQueue(f"there is no queue {path}; the server makes it when it first starts")
    with trouble(path):
        return sqlite3.connect(path, timeout=wait, isolation_level=None)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Some builds overwrite what was deleted: that would write every message a second time.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_OCTETS}")


def _check(connection: sqlite3.Connection, path: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise QueueError(f"{path} is not a queue of mailsuite; look at [queue] path in the configuration")
    version = version_of(connection)
    if version in upgrades.STEPS:
        raise OlderQueue(
            f"{path} has schema version {version}, and this mailsuite needs version {VERSION}:"
            " stop the server, then: mailsuite db upgrade"
        )
    if version != VERSION:
        raise NewerQueue(
            f"{path} has schema version {version}, this mailsuite knows version {VERSION};"
            f" use the mailsuite that wrote it, or with that one: mailsuite db downgrade queue --to {VERSION}"
        )


def _create(connection: sqlite3.Connection) -> None:
    """Fill an empty file; leave every other one as it is."""
    if not _is_empty(connection):
        return
    # Has an effect only on a file without tables, and only before the transaction.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    with transaction(connection):
        # Another process may have been quicker.
        if not _is_empty(connection):
            return
        for statement in (*_TABLES, *_INDEXES):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return not tables and not application
