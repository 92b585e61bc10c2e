"""A queue of an older version becomes one of today's, or one of today's an older one (`mailsuite db`)."""

import sqlite3
from collections.abc import Sequence

from mailsuite.schema_steps import Step, Steps, present, run

_STATES_1 = "'bounce', 'damaged')"
_STATES_2 = "'bounce', 'damaged', 'scheduled')"
_NEW_IN_2 = (
    (
        "recipient whose mail is scheduled for later", "recipients whose mail is scheduled for later",
        "recipients WHERE state = 'scheduled'",
    ),
    ("recipient with a priority", "recipients with a priority", "recipients WHERE priority != 0"),
    ("message that needs SMTPUTF8", "messages that need SMTPUTF8", "messages WHERE smtputf8"),
    (
        "message with what its sender has asked for", "messages with what their sender has asked for",
        "messages WHERE asked IS NOT NULL",
    ),
)  # fmt: skip


def _what_senders_ask(connection: sqlite3.Connection) -> None:
    """From 1: SMTPUTF8, priorities, and what is scheduled (RFC 6531, RFC 6710, RFC 4865)."""
    _change_states(connection, _STATES_1, _STATES_2)
    run(
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
        "CREATE INDEX messages_by_holder ON messages (json_extract(asked, '$.holder')) WHERE asked IS NOT NULL",
    )


def _nothing_asked(connection: sqlite3.Connection) -> None:
    run(
        connection,
        # Version 1 waits where this one waits for a time.
        "UPDATE recipients SET state = 'waiting' WHERE state = 'scheduled'",
        "DROP INDEX messages_by_holder",
        "DROP INDEX recipients_scheduled",
        "DROP INDEX recipients_by_priority",
        "DROP INDEX recipients_ranked",
        "DROP INDEX recipients_of_destination",
        "CREATE INDEX recipients_of_destination ON recipients (destination, state, owner, next_try)",
        "ALTER TABLE recipients DROP COLUMN priority",
        "ALTER TABLE messages DROP COLUMN asked",
        "ALTER TABLE messages DROP COLUMN smtputf8",
    )
    _change_states(connection, _STATES_2, _STATES_1)


def _lost_of_2(connection: sqlite3.Connection) -> Sequence[str]:
    return present(connection, _NEW_IN_2)


def _change_states(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Change a CHECK, which ALTER TABLE cannot: as SQLite's manual has it, without a copy of what may be millions."""
    (schema,) = connection.execute("PRAGMA schema_version").fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'recipients'",
            (old, new),
        )
        connection.execute(f"PRAGMA schema_version = {schema + 1}")
    finally:
        connection.execute("PRAGMA writable_schema = OFF")


STEPS: Steps = {1: Step(_what_senders_ask, _nothing_asked, _lost_of_2)}
