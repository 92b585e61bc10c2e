"""A queue of an older version becomes one of today's: step by step, all of it in one durable transaction.

A step is never changed once it has been released: it knows the file as it was then, and not as `schema` has it now.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import TypeAlias

Step: TypeAlias = Callable[[sqlite3.Connection], object]


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring the file from *version*, one of `STEPS`, up to date. To be called in a transaction."""
    while version in STEPS:
        STEPS[version](connection)
        version += 1
        connection.execute(f"PRAGMA user_version = {version}")


def _what_senders_ask(connection: sqlite3.Connection) -> None:
    """From 1: SMTPUTF8, priorities, and what is scheduled (RFC 6531, RFC 6710, RFC 4865)."""
    _allow_scheduled(connection)
    _run(
        connection,
        "ALTER TABLE messages ADD COLUMN smtputf8 INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE messages ADD COLUMN asked TEXT",
        "ALTER TABLE recipients ADD COLUMN priority INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX recipients_of_destination",
        "CREATE INDEX recipients_of_destination ON recipients (destination, state, owner, next_try)"
        " WHERE priority = 0",
        "CREATE INDEX recipients_ranked ON recipients (destination, state, owner, next_try) WHERE priority != 0",
        "CREATE INDEX recipients_by_priority ON recipients (destination, state, owner, priority, next_try)"
        " WHERE priority != 0",
        "CREATE INDEX recipients_scheduled ON recipients (next_try) WHERE state = 'scheduled'",
    )


def _allow_scheduled(connection: sqlite3.Connection) -> None:
    """Widen a CHECK, which ALTER TABLE cannot: as SQLite's manual has it, without a copy of what may be millions."""
    (schema,) = connection.execute("PRAGMA schema_version").fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'recipients'",
            ("'bounce', 'damaged')", "'bounce', 'damaged', 'scheduled')"),
        )
        connection.execute(f"PRAGMA schema_version = {schema + 1}")
    finally:
        connection.execute("PRAGMA writable_schema = OFF")


def _run(connection: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement)


STEPS: Mapping[int, Step] = {1: _what_senders_ask}
