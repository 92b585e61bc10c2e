"""A queue that an older mailsuite has left: nothing in it is lost, and it is the same as a new one."""

from pathlib import Path

import pytest

from mailsuite.asked import NOTHING_ASKED
from mailsuite.database import transaction
from mailsuite.queue.admin import Administration
from mailsuite.queue.entries import Selection
from mailsuite.queue.errors import OlderQueue
from mailsuite.queue.schema import VERSION, connect
from mailsuite.queue.upgrades import STEPS
from mailsuite.schema_steps import WouldLose, downgrade, upgrade
from tests.queue.queues import Queues, names
from tests.shapes import shape

OLD = {1: Path(__file__).with_name("version_1.sql")}


def make(queues: Queues, version: int) -> None:
    """Put a queue of *version* there."""
    queues.path.mkdir()
    with queues.sql() as connection:
        connection.executescript(OLD[version].read_text())


def bring_up(queues: Queues) -> None:
    """Bring it up to date, all or nothing."""
    with queues.sql() as connection, transaction(connection):
        upgrade(connection, STEPS)


@pytest.mark.parametrize("version", OLD)
def test_it_is_a_new_one_afterwards(queues: Queues, version: int) -> None:
    """The same tables, columns in their order, and indexes; sound for SQLite."""
    make(queues, version)
    bring_up(queues)
    connect(str(queues.path / "new.sqlite"), create=True).close()

    assert shape(queues.path / "queue.sqlite") == shape(queues.path / "new.sqlite")
    assert queues.ask("PRAGMA user_version") == [(VERSION,)]
    assert queues.ask("PRAGMA integrity_check") == [("ok",)]


def test_what_waited_waits(queues: Queues) -> None:
    """With its content and all that is known of it; nothing was asked of it that nobody knew."""
    make(queues, 1)
    bring_up(queues)
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
    bring_up(queues)
    queues.accept(queues.open(), "new@e.example")

    assert queues.ask("SELECT number FROM recipients WHERE local = 'new'") == [(100,)]


def test_an_older_one_is_refused_with_the_command(queues: Queues) -> None:
    """Neither the server nor who looks from beside it touches the file; they say what to do."""
    make(queues, 1)
    for opening in (queues.open, lambda: Administration.open(str(queues.path))):
        with pytest.raises(OlderQueue, match=r"version 1, and this mailsuite needs .*mailsuite db upgrade"):
            opening()

    assert queues.ask("PRAGMA user_version") == [(1,)]


def test_down_and_up_again(queues: Queues) -> None:
    """What makes no use of what is new goes down whole."""
    make(queues, 1)
    before = shape(queues.path / "queue.sqlite")
    bring_up(queues)
    with queues.sql() as connection, transaction(connection):
        assert downgrade(connection, STEPS, 1) == VERSION

    assert shape(queues.path / "queue.sqlite") == before
    assert queues.ask("PRAGMA integrity_check") == [("ok",)]
    bring_up(queues)
    assert names(queues.claim(queues.open())) == ["bob@b.example"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE recipients SET state = 'scheduled'", "3 recipients whose mail is scheduled for later"),
        ("UPDATE recipients SET priority = 4", "3 recipients with a priority"),
        ("UPDATE messages SET smtputf8 = 1", "2 messages that need SMTPUTF8"),
        ("UPDATE messages SET asked = '{}'", "2 messages with what their sender has asked for"),
    ],
)
def test_what_would_be_lost_is_said(queues: Queues, change: str, told: str) -> None:
    """And is lost only where that is wished: what is scheduled then waits as all else does."""
    make(queues, 1)
    bring_up(queues)
    with queues.sql() as connection:
        connection.execute(change)
        with pytest.raises(WouldLose) as refused:
            downgrade(connection, STEPS, 1)
        downgrade(connection, STEPS, 1, lossy=True)

    assert refused.value.lost == (told,)
    assert queues.ask("SELECT count(*) FROM recipients WHERE state = 'scheduled'") == [(0,)]


def test_every_older_version_is_known() -> None:
    """Each has a step, and an example of its file here."""
    assert sorted(STEPS) == sorted(OLD) == list(range(1, VERSION))
