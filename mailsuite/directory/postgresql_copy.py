"""Accounts of PostgreSQL in an accounts file, and back: so a backup has the same file whatever back end there is.

Tables, columns and versions are the same in both, so each row goes over as it is, numbers too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg

from mailsuite.database import transaction
from mailsuite.directory import schema
from mailsuite.directory.errors import NoAccounts
from mailsuite.directory.postgresql_schema import check_version, dial, make_tables, trouble, version_of
from mailsuite.directory.sql import Connection
from mailsuite.directory.tables import NUMBERED, WATCHED

# So many rows are fetched at once.
_ROWS = 5000

Copied = Callable[[int], object]


def save(dsn: str, path: str, copied: Copied) -> None:
    """Fill the accounts file *path*, which is new and empty, with all that the database *dsn* has at one moment.

    Nobody has to wait for it. *copied* hears of every few rows. Raises `AccountsError`, or `sqlite3.Error`.
    """
    with trouble(), dial(dsn) as database, closing(schema.connect(path, create=True)) as file:
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        database.read_only = True
        with database.transaction(), transaction(file), schema.without_triggers(file):
            check_version(database)
            file.execute("PRAGMA defer_foreign_keys = ON")
            for table in WATCHED:
                columns = _columns(file, table)
                statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
                for rows in _fetched(database, f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608 (our names)
                    file.executemany(statement, rows)
                    copied(len(rows))
            file.execute("DELETE FROM sqlite_sequence")
            file.executemany(
                "INSERT INTO sqlite_sequence VALUES (?, ?)", [(each, _last(database, each)) for each in NUMBERED]
            )
            (generation,) = _one(database, "SELECT value FROM meta WHERE name = 'generation'")
            (secret,) = _one(database, "SELECT secret FROM site")
            file.execute("UPDATE meta SET value = ? WHERE name = 'generation'", (generation,))
            file.execute("UPDATE meta SET value = ? WHERE name = 'site_secret'", (bytes(secret),))


def load(path: str, dsn: str, copied: Copied) -> None:
    """Fill the database *dsn*, which has no accounts, with those of the file *path*: all of them, or none.

    Its tables are made where there are none. Raises `AccountsError`, or `sqlite3.Error`.
    """
    with trouble(), dial(dsn) as database, closing(schema.connect_for_lookups(path)) as file, database.transaction():
        if version_of(database) is None:
            make_tables(database)
        check_version(database)
        _refuse_inhabited(database)
        for table in WATCHED:
            columns = _columns(file, table)
            rows = file.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 (our names)
            with database.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
                    copied(1)
        last = dict(file.execute("SELECT name, seq FROM sqlite_sequence"))
        last["domains"] = file.execute("SELECT max(id) FROM domains").fetchone()[0]
        for table, number in last.items():
            if number:
                database.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (table, number))
        generation, secret = (
            file.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]
            for name in ("generation", "site_secret")
        )
        database.execute("UPDATE meta SET value = greatest(value, %s) WHERE name = 'generation'", (generation,))
        database.execute("UPDATE site SET secret = %s", (secret,))


def _refuse_inhabited(database: "psycopg.Connection[Any]") -> None:
    """Raise `NoAccounts` where *database* has accounts."""
    for table in WATCHED:
        (found,) = _one(database, f"SELECT EXISTS (SELECT 1 FROM {table})")  # noqa: S608 (our names)
        if found:
            raise NoAccounts("the database of [postgresql] dsn has accounts, which would be written over")


def _columns(file: Connection, table: str) -> Sequence[str]:
    return [name for _, name, *_ in file.execute(f"PRAGMA table_info({table})")]


def _fetched(database: "psycopg.Connection[Any]", statement: str) -> Iterator[list[Any]]:
    with database.cursor(name="mailsuite_copy") as cursor:
        cursor.execute(statement.encode())
        while rows := cursor.fetchmany(_ROWS):
            yield rows


def _last(database: "psycopg.Connection[Any]", table: str) -> int:
    """Return the last number that was given out; a sequence is outside of transactions, so none is missing."""
    (number,) = _one(database, f"SELECT pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')::regclass)")
    return int(number or 0)


def _one(database: "psycopg.Connection[Any]", statement: str) -> Any:
    row = database.execute(statement.encode()).fetchone()
    assert row is not None
    return row
