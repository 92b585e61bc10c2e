"""At the start: what an unclean stop has left is brought in order before anything is accepted or claimed."""

import sqlite3
from contextlib import suppress
from math import inf

from mailsuite.queue.damage import set_aside
from mailsuite.queue.files import ContentFolder

# While others are at work, a file that is younger than so many seconds may be on its way to its row.
UNDER_WAY_SECONDS = 3600.0


def recover(connection: sqlite3.Connection, folder: ContentFolder, alone: bool, now: float) -> list[str]:
    """Set aside what has lost its file, remove files of unfinished messages; return the ids of the former.

    To be called in a transaction, so that no other process commits between the two looks. *alone*: no other process
    works on the queue. Raises `OSError`.
    """
    files = folder.names()
    rows = connection.execute("SELECT file, number, id FROM messages WHERE file IS NOT NULL").fetchall()
    # (The clock may have been set back since.)
    before = inf if alone else now - UNDER_WAY_SECONDS
    _remove_leftovers(folder, files.difference(row[0] for row in rows), before)
    lost: list[str] = []
    for file, number, identity in rows:
        if file not in files and _is_still_wanted(connection, number):
            set_aside(connection, number, now)
            lost.append(identity)
    return lost


def _remove_leftovers(folder: ContentFolder, names: set[str], before: float) -> None:
    """Remove files that no row tells of and that are older than *before*: none of them was acknowledged."""
    for name in names:
        with suppress(OSError):
            if folder.made(name) < before:
                folder.remove(name)


def _is_still_wanted(connection: sqlite3.Connection, number: int) -> bool:
    """Say whether the loss is news: what was set aside before was told of then."""
    found = connection.execute(
        "SELECT 1 FROM recipients WHERE message = ? AND state != 'damaged' LIMIT 1", (number,)
    ).fetchone()
    return found is not None
