"""Destinations in the queue's file, and the one time by which each is found: nothing of it can be claimed before.

That time is kept in the row, so that a destination that is down, held or without work costs a claim nothing, however
much waits for it. Whoever changes what it is made of calls `refresh` in the same transaction.
"""

import sqlite3

from mailsuite.outcome import Deferred
from mailsuite.queue.rows import as_text
from mailsuite.queued import Held

_DUE = """
    SELECT due, served, not_before,
        EXISTS (SELECT 1 FROM recipients INDEXED BY recipients_on_probe
            WHERE destination = :number AND purpose = 'probe'),
        (SELECT min(at) FROM (
            SELECT * FROM (SELECT next_try AS at FROM recipients INDEXED BY recipients_of_destination
                WHERE destination = :number AND state = 'waiting' AND owner IS NULL AND priority = 0
                ORDER BY next_try LIMIT 1)
            UNION ALL SELECT * FROM (SELECT next_try FROM recipients INDEXED BY recipients_ranked
                WHERE destination = :number AND state = 'waiting' AND owner IS NULL AND priority != 0
                ORDER BY next_try LIMIT 1)))
    FROM destinations WHERE number = :number"""
_FAR = "SELECT number FROM destinations WHERE due > ? AND held = 0 ORDER BY due LIMIT ?"
_BRING_BACK = """
    UPDATE recipients SET next_try = ? WHERE number IN (
        SELECT number FROM recipients INDEXED BY recipients_of_destination WHERE destination = ?
        AND state = 'waiting' AND owner IS NULL AND next_try > ? AND priority = 0 ORDER BY next_try LIMIT ?)"""
_BRING_RANKED_BACK = _BRING_BACK.replace("recipients_of_destination", "recipients_ranked").replace(
    "priority = 0", "priority != 0"
)
_RELEASED = """
    SELECT number, destination FROM recipients INDEXED BY recipients_scheduled
    WHERE state = 'scheduled' AND next_try <= ? ORDER BY next_try LIMIT ?"""
_ON_QUOTA = """
    SELECT count(*) FROM messages
    WHERE asked IS NOT NULL AND json_extract(asked, '$.holder') = ? AND json_extract(asked, '$.release') > ?"""
# So many are brought back in one transaction, of each destination and in all.
_FAR_RECIPIENTS = 100
_FAR_DESTINATIONS = 100
# So many are released in one transaction.
_RELEASED_AT_ONCE = 1000


def number_of(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of the destination *name*; its row is made where there is none."""
    row = connection.execute("SELECT number FROM destinations WHERE name = ?", (name,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO destinations (name) VALUES (?)", (name,)).lastrowid or 0)
    return int(row[0])


def refresh(connection: sqlite3.Connection, number: int, now: float) -> None:
    """Find anew when something of the destination can be claimed."""
    row = connection.execute(_DUE, {"number": number}).fetchone()
    if row is None:
        return
    known, served, not_before, probing, next_try = row
    # While one delivery finds out whether a destination works again, there is nothing to be had.
    due = None
    if next_try is not None and not probing:
        # After its turn a destination stands behind those that have not had theirs. `served` is never in the future,
        # or a clock that was set back would make all that is due wait.
        due = max(next_try, not_before, min(served, now))
    if due != known:
        connection.execute("UPDATE destinations SET due = ? WHERE number = ?", (due, number))


def bring_back(connection: sqlite3.Connection, now: float, latest: float) -> None:
    """What is not due before *latest*, later than anything is ever put off, is due now: the clock was set back.

    Some of it at a time; the rest with the next calls.
    """
    for (number,) in connection.execute(_FAR, (latest, _FAR_DESTINATIONS)).fetchall():
        connection.execute("UPDATE destinations SET not_before = min(not_before, ?) WHERE number = ?", (now, number))
        for statement in (_BRING_BACK, _BRING_RANKED_BACK):
            connection.execute(statement, (now, number, latest, _FAR_RECIPIENTS))
        refresh(connection, number, now)


def release(connection: sqlite3.Connection, now: float) -> float | None:
    """Let go on what its sender wanted to wait until *now*; return when there is more, ``None``: nothing is scheduled.

    Some of it at a time: a time that has passed means at once.
    """
    released = connection.execute(_RELEASED, (now, _RELEASED_AT_ONCE)).fetchall()
    connection.executemany(
        "UPDATE recipients SET state = 'waiting' WHERE number = ?", [(number,) for number, _ in released]
    )
    for destination in {destination for _, destination in released}:
        refresh(connection, destination, now)
    (following,) = connection.execute("SELECT min(next_try) FROM recipients WHERE state = 'scheduled'").fetchone()
    return None if following is None else float(following)


def scheduled(connection: sqlite3.Connection, holder: str, now: float) -> int:
    """Count the messages that wait by the wish of the login *holder*, and have still to."""
    (count,) = connection.execute(_ON_QUOTA, (holder, now)).fetchone()
    return int(count)


def put_off(connection: sqlite3.Connection, name: str, until: float, outcome: Deferred, now: float) -> None:
    """Let nothing of the destination *name* be due before *until*, and then one job until it is known to work."""
    number = number_of(connection, name)
    connection.execute(
        "UPDATE destinations SET not_before = ?, troubled = 1, last = ? WHERE number = ?",
        (until, as_text(outcome), number),
    )
    refresh(connection, number, now)


def lift(connection: sqlite3.Connection, number: int) -> None:
    """The destination works, or is to be tried as if it did. The caller refreshes it.

    A delivery that was to find that out, and may hang, is one like the others then: nothing waits for it.
    """
    connection.execute("UPDATE recipients SET purpose = 'try' WHERE destination = ? AND purpose = 'probe'", (number,))
    connection.execute(
        "UPDATE destinations SET not_before = 0, troubled = 0, last = NULL WHERE number = ? AND troubled", (number,)
    )


def set_held(connection: sqlite3.Connection, name: str, held: bool, now: float) -> None:
    """Hold the destination *name*, or let it go on."""
    number = number_of(connection, name)
    connection.execute("UPDATE destinations SET held = ? WHERE number = ?", (held, number))
    refresh(connection, number, now)


def is_held(connection: sqlite3.Connection, name: str) -> bool:
    """Say whether an operator holds the destination *name*."""
    return connection.execute("SELECT 1 FROM destinations WHERE name = ? AND held", (name,)).fetchone() is not None


def queue_is_held(connection: sqlite3.Connection) -> bool:
    """Say whether an operator holds the whole queue."""
    return connection.execute("SELECT 1 FROM meta WHERE name = 'held'").fetchone() is not None


def held(connection: sqlite3.Connection) -> Held:
    """Return what an operator holds."""
    names = connection.execute("SELECT name FROM destinations WHERE held")
    return Held(queue_is_held(connection), frozenset(name for (name,) in names))


def set_queue_held(connection: sqlite3.Connection, held: bool) -> None:
    """Hold the whole queue, or let it go on."""
    if held:
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('held', 1)")
    else:
        connection.execute("DELETE FROM meta WHERE name = 'held'")


def forget_unused(connection: sqlite3.Connection, after: int, count: int, now: float) -> int | None:
    """Forget destinations without recipients of which nothing has to be remembered.

    Looks at *count* of those whose number is above *after*; returns the last one, ``None`` at the end.
    """
    (last,) = connection.execute(
        "SELECT max(number) FROM (SELECT number FROM destinations WHERE number > ? ORDER BY number LIMIT ?)",
        (after, count),
    ).fetchone()
    if last is None:
        return None
    connection.execute(
        """DELETE FROM destinations WHERE number > ? AND number <= ? AND held = 0 AND not_before <= ?
        AND NOT EXISTS (SELECT 1 FROM recipients WHERE destination = destinations.number AND priority = 0)
        AND NOT EXISTS (SELECT 1 FROM recipients WHERE destination = destinations.number AND priority != 0)""",
        (after, last, now),
    )
    return int(last)
