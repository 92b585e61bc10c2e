"""A queue that an older mailsuite has left: nothing in it is lost, and it is the same as a new one."""

import sqlite3
from pathlib import Path

import pytest

from mailsuite.asked import NOTHING_ASKED
from mailsuite.queue import upgrades
from mailsuite.queue.admin import Administration
from mailsuite.queue.entries import Selection
from mailsuite.queue.errors import OlderQueue
from mailsuite.queue.schema import VERSION, connect
from tests.queue.queues import Queues, names

OLD = {1: Path(__file__).with_name("version_1.sql")}


def make(queues: Queues, version: int) -> None:
    """Put a queue of *version* there."""
    queues.path.mkdir()
    with queues.sql() as connection:
        connection.executescript(OLD[version].read_text())


def shape(path: Path) -> list[tuple[str, ...]]:
    """Return all tables, with their columns, and indexes of the file."""
    connection = sqlite3.connect(path)
    made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    shaped: list[tuple[str, ...]] = [(kind, name, sql if kind == "index" else "") for kind, name, sql in made]
    for kind, name, _ in list(shaped):
        if kind == "table":
            columns = connection.execute(f"PRAGMA table_info ('{name}')")
            shaped += [(name, *map(str, column)) for column in columns]
    connection.close()
    return shaped


@pytest.mark.parametrize("version", OLD)
def test_it_is_a_new_one_afterwards(queues: Queues, version: int) -> None:
    """The same tables, columns in their order, and indexes; sound for SQLite."""
    make(queues, version)
    queues.open().stop()
    connect(str(queues.path / "new.sqlite"), create=True).close()

    assert shape(queues.path / "queue.sqlite") == shape(queues.path / "new.sqlite")
    assert queues.ask("PRAGMA user_version") == [(VERSION,)]
    assert queues.ask("PRAGMA integrity_check") == [("ok",)]


def test_what_waited_waits(queues: Queues) -> None:
    """With its content and all that is known of it; nothing was asked of it that nobody knew."""
    make(queues, 1)
    queue = queues.open()
    (job,) = queues.claim(queue)

    assert names([job]) == ["bob@b.example"]
    assert (job.message.id, job.message.body, job.message.ret, job.message.envid) == ("m7", "8BITMIME", "HDRS", "e7")
    assert (job.message.asked, job.message.smtputf8) == (NOTHING_ASKED, False)
    assert (job.recipients[0].tries, job.recipients[0].notify) == (3, "FAILURE")
    assert queues.content(queue, job) == b"\r\nseven\r\n"
    with Administration.open(str(queues.path)) as admin:
        assert [(str(each.recipient.address), each.status) for each in admin.list(Selection())] == [
            ("bob@b.example", "claimed"), ("eve@b.example", "held"), ("dan@d.example", "damaged"),
        ]  # fmt: skip


def test_no_number_comes_a_second_time(queues: Queues) -> None:
    """Also those that were used up before."""
    make(queues, 1)
    queues.accept(queues.open(), "new@e.example")

    assert queues.ask("SELECT number FROM recipients WHERE local = 'new'") == [(100,)]


def test_only_the_server_does_it(queues: Queues) -> None:
    """Who looks from beside it leaves the file as it is, and says what to do."""
    make(queues, 1)
    with pytest.raises(OlderQueue, match="brings it up to date when it starts"):
        Administration.open(str(queues.path))

    assert queues.ask("PRAGMA user_version") == [(1,)]


def test_half_an_upgrade_is_none(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a step fails the file stays the old one, whole; the next start does it all."""
    make(queues, 1)
    before = shape(queues.path / "queue.sqlite")
    step = upgrades.STEPS[1]

    def fails(connection: sqlite3.Connection) -> None:
        step(connection)
        raise RuntimeError("power cut")

    monkeypatch.setattr(upgrades, "STEPS", {1: fails})
    with pytest.raises(RuntimeError):
        queues.open()
    assert shape(queues.path / "queue.sqlite") == before
    assert queues.ask("PRAGMA user_version") == [(1,)]
    monkeypatch.setattr(upgrades, "STEPS", {1: step})

    assert names(queues.claim(queues.open())) == ["bob@b.example"]


def test_every_older_version_is_known() -> None:
    """Each has a step, and an example of its file here."""
    assert sorted(upgrades.STEPS) == sorted(OLD) == list(range(1, VERSION))
