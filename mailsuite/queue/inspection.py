"""Looks at the queue's file and its content for what does not fit together; changes nothing. Everything blocks."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Literal, NamedTuple

from mailsuite.counted import counted
from mailsuite.queue.schema import connect
from mailsuite.queue.store import DATABASE

# A file without a row is on its way in, for less than so many seconds.
YOUNG_SECONDS = 3600.0
# So many complaints of SQLite's are told.
_COMPLAINTS = 20

_LARGE = "SELECT id, file, skip + size FROM messages WHERE file IS NOT NULL"
_SMALL = """
    SELECT m.id, m.size, coalesce(length(c.octets), 0) FROM messages m LEFT JOIN contents c ON c.message = m.number
    WHERE m.file IS NULL AND m.size != coalesce(length(c.octets), 0)"""
_LOST = "SELECT count(*) FROM recipients r LEFT JOIN messages m ON m.number = r.message WHERE m.number IS NULL"


class Trouble(NamedTuple):
    """*path* is a file, and where the kind is ``leftover`` nothing needs it."""

    kind: Literal["queue-file", "queue-content", "leftover"]
    path: str
    text: str


def inspect_queue(folder: str, now: float) -> Iterator[Trouble]:
    """Yield what is wrong with the queue in *folder*. Raises `mailsuite.queue.errors.QueueError`, `sqlite3.Error`,
    `OSError`."""
    path = f"{folder}/{DATABASE}"
    with closing(connect(path)) as connection:
        for (complaint,) in connection.execute(f"PRAGMA quick_check({_COMPLAINTS})").fetchall():
            if complaint != "ok":
                yield Trouble("queue-file", path, complaint)
        (lost,) = connection.execute(_LOST).fetchone()
        if lost:
            what = "recipient is of a message that is not there", "recipients are of messages that are not there"
            yield Trouble("queue-file", path, counted(lost, *what))
        for name, size, has in connection.execute(_SMALL).fetchall():
            yield Trouble("queue-content", path, f"of {size} octets of the message {name} there are {has}")
        # Files first: one that is gone by now had a row until then.
        files = _files(f"{folder}/content")
        yield from _contents(connection, f"{folder}/content", files)
        wanted = {name for _, name, _ in connection.execute(_LARGE).fetchall()}
    for name, (_, modified) in sorted(files.items()):
        if name not in wanted and modified < now - YOUNG_SECONDS:
            yield Trouble("leftover", f"{folder}/content/{name}", "no message in the queue has this content")


def _contents(connection: sqlite3.Connection, folder: str, files: dict[str, tuple[int, float]]) -> Iterator[Trouble]:
    for identity, name, size in connection.execute(_LARGE).fetchall():
        path = f"{folder}/{name}"
        try:
            has = files[name][0] if name in files else os.stat(path).st_size
        except FileNotFoundError:
            if connection.execute("SELECT 1 FROM messages WHERE file = ?", (name,)).fetchone() is not None:
                yield Trouble("queue-content", path, f"the content of the message {identity} is gone")
            continue
        if has != size:
            yield Trouble("queue-content", path, f"of {size} octets of the message {identity} there are {has}")


def _files(folder: str) -> dict[str, tuple[int, float]]:
    found: dict[str, tuple[int, float]] = {}
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return found
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        found[entry.name] = status.st_size, status.st_mtime
    return found
