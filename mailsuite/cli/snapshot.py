"""Copies of a site's SQLite files as they are at one moment, while others write."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote

from mailsuite.cli.databases import WAIT_SECONDS
from mailsuite.durable import fsync_path, sync_folder

_MAGIC = b"SQLite format 3\0"


def is_database(path: str) -> bool:
    """Say whether *path* is a file of SQLite's."""
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def complaint(path: str) -> str:
    """Return what SQLite finds damaged in the database *path*; empty where it finds nothing.

    Nobody has to wait for it. Raises `sqlite3.OperationalError` where the file cannot be read.
    """
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=WAIT_SECONDS)) as connection:
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return str(error)
    return "" if found == "ok" else str(found)


def snapshot(path: str, target: str) -> None:
    """Let *target* be the database *path* as it is now, durably. Raises `sqlite3.Error`, `OSError`.

    In one step: with several SQLite would begin anew whenever somebody writes. Nobody has to wait for it.
    """
    with (
        drafted(target) as draft,
        closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as source,
        closing(sqlite3.connect(draft)) as copy,
    ):
        source.backup(copy)


@contextmanager
def drafted(target: str) -> Iterator[str]:
    """Yield the path of an empty file, for its owner alone, which is to be made the database *target*; that it is,
    durably, when it was written. Raises `sqlite3.Error`, `OSError`."""
    draft = f"{target}.part"
    for leftover in (draft, f"{draft}-wal", f"{draft}-shm"):
        with suppress(FileNotFoundError):
            os.unlink(leftover)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    yield draft
    with closing(sqlite3.connect(draft)) as copy:
        # It is one file: whoever opens it makes a log beside it again.
        copy.execute("PRAGMA journal_mode = DELETE")
    fsync_path(draft)
    os.rename(draft, target)
    sync_folder(os.path.dirname(target))


def settle_queue(path: str, files: set[str]) -> set[str]:
    """Take out of the snapshot *path* of a queue each message whose content was a file not among *files*; return
    the files of the others.

    The first had left the queue while it was copied: a file is removed only after its message's row.
    """
    with closing(sqlite3.connect(path)) as copy, copy:
        rows = copy.execute("SELECT number, file FROM messages WHERE file IS NOT NULL").fetchall()
        gone = [(number,) for number, file in rows if file not in files]
        copy.executemany("DELETE FROM recipients WHERE message = ?", gone)
        copy.executemany("DELETE FROM messages WHERE number = ?", gone)
    return {file for _, file in rows} & files
