"""What does not fit together in a queue is found."""

import os
import sqlite3
from pathlib import Path

import pytest

from mailsuite.queue.inspection import inspect_queue
from tests.queue.queues import NOW, Queues


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A queue with a small message and a large one."""
    queues = Queues(tmp_path / "queue")
    queue = queues.open(inline_size=100)
    queues.accept(queue, "bob@b.example", id="small")
    queues.accept(queue, "bob@b.example", id="large", body=b"x" * 200)
    queues.stop()
    return tmp_path / "queue"


def content(folder: Path) -> Path:
    """The file of the large message."""
    (path,) = (folder / "content").iterdir()
    return path


def kinds(folder: Path, now: float = NOW) -> list[str]:
    """What is wrong."""
    return [each.kind for each in inspect_queue(str(folder), now)]


def changed(folder: Path, statement: str) -> None:
    """Run *statement* on the queue's file."""
    with sqlite3.connect(folder / "queue.sqlite") as connection:
        connection.execute(statement)


def test_all_is_well(folder: Path) -> None:
    """Nothing is found."""
    assert kinds(folder) == []


def test_content(folder: Path) -> None:
    """Of a file that is cut off, or gone, and in the queue's own file."""
    content(folder).write_bytes(b"x" * 199)
    assert kinds(folder) == ["queue-content"]
    content(folder).unlink()
    assert kinds(folder) == ["queue-content"]
    changed(folder, "DELETE FROM contents")
    assert kinds(folder) == ["queue-content"] * 2


def test_rows(folder: Path) -> None:
    """Recipients of no message; and then the file of that one is a leftover, once it is old."""
    changed(folder, "DELETE FROM messages WHERE id = 'large'")
    os.utime(content(folder), (NOW, NOW))

    assert kinds(folder) == ["queue-file"]
    assert kinds(folder, NOW + 4000) == ["queue-file", "leftover"]


def test_damage(folder: Path) -> None:
    """SQLite's own complaints are told."""
    path = folder / "queue.sqlite"
    whole = path.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    path.write_bytes(whole[: 3 * page] + b"\xff" * page + whole[4 * page :])

    try:
        assert "queue-file" in kinds(folder)
    except sqlite3.DatabaseError as error:
        assert "malformed" in str(error)
