"""Content that is gone, short or unreadable stops nothing; and what an unclean stop leaves is brought in order."""

import errno
import os
from pathlib import Path

import pytest

from mailsuite.outcome import DELIVERED, Deferred
from mailsuite.queue.admin import Administration
from mailsuite.queue.entries import Selection
from mailsuite.queue.reading import Damaged, LoadedContent, open_file
from mailsuite.queue.recovery import UNDER_WAY_SECONDS
from mailsuite.queue.store import SqliteQueue
from mailsuite.queue.unreadable import UNREADABLE_SECONDS
from mailsuite.queued import AS_BEFORE, Settled
from tests.queue.queues import LIFETIME, Queues, names, octets

LARGE = b"x" * 5000


def damage(queues: Queues, how: str) -> None:
    """Damage the content of the only message."""
    path = queues.path / "content" / queues.files()[0] if queues.files() else Path("/nonexistent")
    match how:
        case "gone":
            path.unlink()
        case "short":
            os.truncate(path, 4999)
        case "long":
            os.truncate(path, 5001)
        case "a folder":
            path.unlink()
            path.mkdir()
        case "a link":
            path.rename(queues.path / "elsewhere")
            path.symlink_to(queues.path / "elsewhere")
        case "no row":
            with queues.sql() as connection:
                connection.execute("DELETE FROM contents WHERE message = 1")
        case "a short row":
            with queues.sql() as connection:
                connection.execute("UPDATE contents SET octets = x'41' WHERE message = 1")


@pytest.mark.parametrize("how", ["gone", "short", "long", "a folder", "a link", "no row", "a short row"])
def test_what_is_damaged_is_set_aside(queues: Queues, how: str) -> None:
    """It is told once, the file lies where nobody reads it, and nothing is tried, expired or reported."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example", "eve@d.example", body=b"small" if "row" in how else LARGE)
    queues.accept(queue, "bob@b.example", body=b"another one")
    first, second, other = sorted(queues.claim(queue), key=lambda job: job.message.number)
    damage(queues, how)
    with pytest.raises(Damaged):
        queues.content(queue, first)
    assert queues.files() == []
    assert len(os.listdir(queues.path / "damaged")) == (how not in ("gone", "no row", "a short row"))
    assert queues.content(queue, other) == b"another one"
    queues.record(queue, Settled(first.recipients[0], queues.now), Settled(second.recipients[0], AS_BEFORE))
    queues.done(queue, other)
    queues.now += 2 * LIFETIME

    assert queues.claim(queue) == []


def test_a_trouble_that_passes_damages_nothing(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a descriptor to spare a message cannot be read now; it can later."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example", body=LARGE)
    (job,) = queues.claim(queue)

    def none_left(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", none_left)
        with pytest.raises(OSError, match="Too many"):
            queues.content(queue, job)

    assert queues.content(queue, job) == LARGE


def test_a_file_that_becomes_short_while_it_is_read(tmp_path: Path) -> None:
    """Half a message is never taken for a whole one."""
    path = tmp_path / "content"
    path.write_bytes(b"0123456789")
    content = open_file(str(path), 2, 8)
    assert content.read(4) == b"2345"
    os.truncate(path, 6)
    with pytest.raises(Damaged, match="shorter"):
        content.read(4)
    content.close()
    content.close()


def test_reading_in_pieces(tmp_path: Path) -> None:
    """From memory and from a file alike; nothing at the end."""
    path = tmp_path / "content"
    path.write_bytes(b"0123456789")

    assert octets(open_file(str(path), 1, 9)) == b"123456789"
    assert octets(LoadedContent(b"123456789")) == b"123456789"
    assert octets(LoadedContent(b"")) == b""


def test_a_damaged_one_can_be_given_up(queues: Queues) -> None:
    """Its sender hears of it though the content is gone; the report's own look at it does not bring it back."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example", body=LARGE)
    (job,) = queues.claim(queue)
    damage(queues, "gone")
    with pytest.raises(Damaged):
        queues.content(queue, job)
    queues.record(queue, Settled(job.recipients[0], AS_BEFORE))
    with Administration.open(str(queues.path), lambda: queues.now) as admin:
        assert admin.bounce(Selection()).changed == 1
    (job,) = queues.claim(queue)
    assert job.purpose == "bounce"
    with pytest.raises(Damaged):
        queues.content(queue, job)
    queues.record(queue, Settled(job.recipients[0], None, DELIVERED))

    assert queues.ask("SELECT count(*) FROM messages") == [(0,)]


def test_a_damaged_one_that_was_mended_goes_on(queues: Queues) -> None:
    """Bring the file back, release it."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example", body=LARGE)
    (job,) = queues.claim(queue)
    damage(queues, "short")
    with pytest.raises(Damaged):
        queues.content(queue, job)
    queues.record(queue, Settled(job.recipients[0], AS_BEFORE))
    (aside,) = (queues.path / "damaged").iterdir()
    (queues.path / "content" / aside.name).write_bytes(LARGE)
    with Administration.open(str(queues.path), lambda: queues.now) as admin:
        assert admin.release(Selection()).changed == 1
    (job,) = queues.claim(queue)

    assert queues.content(queue, job) == LARGE


class TestRecovery:
    """At the start."""

    def leftover(self, queues: Queues, seconds: float) -> str:
        """Leave a file without a row, made so many seconds before *now* as the queue sees it."""
        path = queues.path / "content" / "leftover"
        path.write_bytes(LARGE)
        queues.now = os.stat(path).st_ctime + seconds
        return path.name

    @pytest.mark.parametrize("seconds", [0.001, -7200.0])
    def test_what_was_never_acknowledged_is_removed(self, queues: Queues, seconds: float) -> None:
        """Though the clock was set back since; and what has its row stays."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", body=LARGE)
        kept = queues.files()
        queue.stop()
        self.leftover(queues, seconds)
        queues.open()

        assert queues.files() == kept

    @pytest.mark.parametrize(("seconds", "stays"), [(UNDER_WAY_SECONDS - 1, True), (UNDER_WAY_SECONDS + 1, False)])
    def test_what_another_process_has_under_way_stays(self, queues: Queues, seconds: float, stays: bool) -> None:
        """Its row may come at any moment, though not after an hour."""
        queues.open()
        name = self.leftover(queues, seconds)
        queues.open()

        assert (name in queues.files()) is stays

    def test_what_has_lost_its_file_is_set_aside(self, queues: Queues) -> None:
        """The others go on, and the start does not fail."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", body=LARGE)
        damage(queues, "gone")
        queues.accept(queue, "eve@d.example", body=LARGE)
        queue.stop()
        for _ in range(2):
            queue = queues.open()
            jobs = queues.claim(queue)
            assert names(jobs) == ["eve@d.example"]
            queue.stop()

        assert queues.ask("SELECT state FROM recipients ORDER BY number") == [("damaged",), ("waiting",)]


class TestRows:
    """A part of the queue's file that cannot be read bars the way of nothing else."""

    def fill(self, queues: Queues, queue: SqliteQueue) -> None:
        """Let three messages wait for one destination, the first to be damaged, and one for another."""
        for whom in ("r1@b.example", "r2@b.example", "r3@b.example", "eve@d.example"):
            queues.accept(queue, whom)

    @pytest.mark.parametrize(
        "change",
        [
            "DELETE FROM messages WHERE number = 1",
            "UPDATE messages SET id = CAST(x'ff' AS TEXT) WHERE number = 1",
            "UPDATE recipients SET local = CAST(x'ff' AS TEXT) WHERE number = 1",
        ],
    )
    def test_a_row_that_cannot_be_read_is_passed_over(self, queues: Queues, change: str) -> None:
        """All the others are tried, and it is looked at again a while later, when it may have been mended."""
        queue = queues.open()
        self.fill(queues, queue)
        with queues.sql() as connection:
            connection.execute(change)
        got = names([*queues.claim(queue), *queues.claim(queue)])
        assert sorted(got) == ["eve@d.example", "r2@b.example", "r3@b.example"]
        with queues.sql() as connection:
            connection.execute(
                """INSERT OR REPLACE INTO messages SELECT 1, id, shard, sender_local, sender_domain, arrived, expires,
                size, body, ret, envid, origin, arrived_from, file, skip, smtputf8, asked FROM messages
                WHERE number = 2"""
            )
            connection.execute("UPDATE recipients SET local = 'r1' WHERE number = 1")
        assert queues.claim(queue) == []
        queues.now += UNREADABLE_SECONDS

        assert names(queues.claim(queue)) == ["r1@b.example"]

    @pytest.mark.parametrize("table", ["recipients", "destinations"])
    def test_words_that_cannot_be_read_hold_nothing_up(self, queues: Queues, table: str) -> None:
        """What was said last is not known then."""
        queue = queues.open()
        self.fill(queues, queue)
        with queues.sql() as connection:
            connection.execute(f"UPDATE {table} SET last = '{{'")
        jobs = queues.claim(queue)

        assert len(names(jobs)) == 4
        assert {each.last for job in jobs for each in job.recipients} == {None}

    @pytest.mark.parametrize("table", ["messages", "recipients"])
    def test_a_damaged_page(self, queues: Queues, table: str) -> None:
        """The others go on, but for the few rows whose page has to be balanced with the damaged one."""
        queue = queues.open()
        for index in range(300):
            queues.accept(queue, f"r{index}@{'b' if index < 150 else 'd'}.example", envid="x" * 100)
        queue.stop()
        _damage_page(queues, table)
        queue = queues.open()
        got = {name for _ in range(3) for name in names(queues.claim(queue, room=1000, default=1000))}

        assert len([name for name in got if name.endswith("@d.example")]) > 130
        assert "r0@b.example" not in got

    def test_what_is_to_be_reported(self, queues: Queues) -> None:
        """The others are reported, and it comes again a while later; a whole that cannot be read leaves the tries."""
        queue = queues.open()
        self.fill(queues, queue)
        queues.wait(queue.put_off("b.example", queues.now + 2 * LIFETIME, Deferred("4.4.1", "down", whole=True)))
        queues.now += LIFETIME
        with queues.sql() as connection:
            connection.execute("UPDATE messages SET id = CAST(x'ff' AS TEXT) WHERE number = 1")
        assert sorted(names(queues.claim(queue))) == ["eve@d.example", "r2@b.example", "r3@b.example"]
        assert queues.claim(queue) == []
        with queues.sql() as connection:
            connection.execute("UPDATE messages SET id = 'm1' WHERE number = 1")
        queues.now += UNREADABLE_SECONDS

        assert names(queues.claim(queue)) == ["r1@b.example"]

    def test_reports_that_cannot_be_looked_through(self, queues: Queues) -> None:
        """Mail is tried all the same, and what comes before the damage is reported."""
        queue = queues.open()
        self.fill(queues, queue)
        queues.now += LIFETIME
        queues.accept(queue, "new@e.example")
        with queues.sql() as connection:
            connection.execute("UPDATE recipients SET local = CAST(x'ff' AS TEXT) WHERE number = 2")
        jobs = [*queues.claim(queue), *queues.claim(queue)]

        assert [name for job in jobs if job.purpose == "try" for name in names([job])] == ["new@e.example"]
        assert sorted(names(jobs)) == ["eve@d.example", "new@e.example", "r1@b.example", "r3@b.example"]

    def test_content_in_a_damaged_page(self, queues: Queues) -> None:
        """It is set aside like content that is gone, and not tried again and again."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", body=b"needle" + b"x" * 900)
        for _ in range(9):
            queues.accept(queue, "eve@d.example", body=b"x" * 900)
        queue.stop()
        _damage_page(queues, "contents")
        queue = queues.open()
        (job,) = queues.claim(queue, default=0, b_example=1)
        with pytest.raises(Damaged):
            queues.content(queue, job)
        queues.record(queue, Settled(job.recipients[0], AS_BEFORE))

        assert queues.ask("SELECT state FROM recipients WHERE number = 1") == [("damaged",)]


def _damage_page(queues: Queues, table: str) -> None:
    """Overwrite the beginning of a page that holds rows of *table*: the one with the first of them."""
    path = queues.path / "queue.sqlite"
    with queues.sql() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        needle = {"messages": "m1carola.example", "recipients": "r0b.example", "contents": "needle"}[table].encode()
    octets_ = bytearray(path.read_bytes())
    at = octets_.rindex(needle) // 4096 * 4096
    octets_[at : at + 64] = b"\xff" * 64
    path.write_bytes(octets_)
