"""The queue's file: made once, and refused where it is not ours or not whole, without a change to it."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from mailsuite.database import transaction
from mailsuite.queue.admin import Administration
from mailsuite.queue.errors import NewerQueue, NoQueue, QueueBusy, QueueError
from mailsuite.queue.schema import connect, trouble
from tests.queue.queues import Queues, names


def test_a_new_queue_is_nobody_elses(queues: Queues) -> None:
    """Folders and files are the owner's alone."""
    queues.open()
    folders = {stat.S_IMODE(os.stat(queues.path / name).st_mode) for name in (".", "content", "damaged")}

    assert folders == {0o700}
    assert stat.S_IMODE(os.stat(queues.path / "queue.sqlite").st_mode) == 0o600


def test_what_is_promised_is_durable(queues: Queues) -> None:
    """WAL with a sync for each commit; freed pages go back to the disk."""
    queue = queues.open()

    def settings(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "auto_vacuum")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert queues.wait(queue._writer.ask(lambda work: settings(work.connection))) == ["wal", 2, 2]


def test_a_second_start_finds_what_was_there(queues: Queues) -> None:
    """The file is not made anew."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example")
    queue.stop()

    assert names(queues.claim(queues.open())) == ["bob@b.example"]


def test_an_empty_file_becomes_a_queue(queues: Queues) -> None:
    """A crash may have come between making the file and its tables."""
    queues.path.mkdir()
    (queues.path / "queue.sqlite").touch()
    queues.accept(queues.open(), "bob@b.example")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("PRAGMA user_version = 3", "schema version 3"),
        ("PRAGMA user_version = 0", "schema version 0"),
        ("PRAGMA application_id = 1", "not a queue of mailsuite"),
    ],
)
def test_an_unknown_one_is_refused(queues: Queues, change: str, told: str) -> None:
    """A newer one, an older one, another program's: no start, and no change."""
    queues.open().stop()
    with queues.sql() as connection:
        connection.execute(change)
        connection.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    before = (queues.path / "queue.sqlite").read_bytes()
    with pytest.raises(QueueError, match=told):
        queues.open()

    assert (queues.path / "queue.sqlite").read_bytes() == before


def test_a_newer_one_is_called_that(queues: Queues) -> None:
    """So that a caller can tell."""
    queues.open().stop()
    with queues.sql() as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(NewerQueue):
        connect(str(queues.path / "queue.sqlite"))


@pytest.mark.parametrize("content", [b"this is no database " * 500, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_damaged_one_is_refused(queues: Queues, content: bytes) -> None:
    """The text says what to do; the file is left for whoever can save something of it."""
    queues.path.mkdir()
    (queues.path / "queue.sqlite").write_bytes(content)
    with pytest.raises(QueueError, match=r"damaged or no queue.*backup"):
        queues.open()

    assert (queues.path / "queue.sqlite").read_bytes() == content


def test_a_file_that_was_cut_short_is_refused(queues: Queues) -> None:
    """Half of a queue is not taken for a short one."""
    queue = queues.open()
    for index in range(50):
        queues.accept(queue, f"r{index}@b.example")
    queue.stop()
    path = queues.path / "queue.sqlite"
    os.truncate(path, os.path.getsize(path) // 2)
    with pytest.raises(QueueError, match="damaged"):
        queues.open()


def test_another_programs_database_is_refused(queues: Queues) -> None:
    """It is not filled with our tables."""
    queues.path.mkdir()
    with queues.sql() as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(QueueError, match="not a queue of mailsuite"):
        queues.open()


def test_a_folder_that_cannot_be_made(queues: Queues) -> None:
    """The start says so."""
    queues.path.write_text("in the way")
    with pytest.raises(QueueError, match="cannot be made"):
        queues.open()


def test_a_file_that_cannot_be_opened(queues: Queues) -> None:
    """The start says so."""
    (queues.path / "queue.sqlite").mkdir(parents=True)
    with pytest.raises(QueueError, match=r"queue\.sqlite"):
        queues.open()


def test_no_queue_is_made_by_a_look(tmp_path: Path) -> None:
    """Only the server makes one."""
    with pytest.raises(NoQueue, match="first starts"):
        Administration.open(str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_a_busy_one_is_waited_for_and_then_refused(queues: Queues) -> None:
    """Not for ever."""
    queues.open().stop()
    path = str(queues.path / "queue.sqlite")
    with queues.sql() as other:
        other.execute("BEGIN IMMEDIATE")
        connection = connect(path, wait=0.01)
        with pytest.raises(QueueBusy, match="in use"), trouble(path), transaction(connection):
            pass
        connection.close()
