"""Content that is gone or not what was accepted: set aside, so that nothing is tried with it and nothing stops."""

import sqlite3

from mailsuite.database import primary_code
from mailsuite.queue.due import refresh
from mailsuite.queue.files import ContentFolder
from mailsuite.queue.reading import Damaged, FileContent, LoadedContent

_DAMAGE = "UPDATE recipients SET state = 'damaged' WHERE message = ? AND state != 'damaged'"


def open_content(connection: sqlite3.Connection, number: int, folder: ContentFolder) -> FileContent | LoadedContent:
    """Open the content of the message *number*. Raises `Damaged`, or `OSError` for a trouble that may pass."""
    row = connection.execute("SELECT file, skip, size FROM messages WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise Damaged("the message is gone from the queue")
    name, skip, size = row
    if name is not None:
        return folder.open(name, skip, size)
    octets = _octets(connection, number)
    if octets is None or len(octets) != size:
        raise Damaged(f"of {size} octets the queue's file has {len(octets or b'')}")
    return LoadedContent(octets)


def _octets(connection: sqlite3.Connection, number: int) -> bytes | None:
    try:
        row = connection.execute("SELECT octets FROM contents WHERE message = ?", (number,)).fetchone()
    except sqlite3.DatabaseError as error:
        if primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR):
            raise Damaged(f"the queue's file cannot be read: {error}") from error
        raise
    return None if row is None else row[0]


def set_aside(connection: sqlite3.Connection, number: int, now: float) -> str | None:
    """Let nothing of the message *number* be tried; return the name of its file, if it has one."""
    destinations = connection.execute("SELECT DISTINCT destination FROM recipients WHERE message = ?", (number,))
    touched = [destination for (destination,) in destinations]
    connection.execute(_DAMAGE, (number,))
    for destination in touched:
        refresh(connection, destination, now)
    row = connection.execute("SELECT file FROM messages WHERE number = ?", (number,)).fetchone()
    return None if row is None else row[0]
