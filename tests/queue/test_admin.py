"""The queue in an operator's hands: what is seen, what is changed, and what is left to the server."""

import sqlite3
from collections.abc import Iterator

import pytest

from mailsuite.address import Address
from mailsuite.outcome import Answer, Deferred
from mailsuite.queue.admin import Administration, Counts
from mailsuite.queue.entries import PAGE, Entry, Selection, Status, pages
from mailsuite.queue.errors import NotQueued, QueueBusy, QueueError
from mailsuite.queue.store import SqliteQueue
from mailsuite.queued import Settled
from tests.queue.queues import BODY, LIFETIME, NOW, WARNING, Queues, names, to

LATER = Deferred("4.2.0", "later", Answer("mx.b.example", 450, "4.2.0", ("busy",)))
DOWN = Deferred("4.4.1", "no connection", whole=True)


@pytest.fixture
def queue(queues: Queues) -> SqliteQueue:
    """One queue, as the server has it."""
    return queues.open()


@pytest.fixture
def admin(queues: Queues, queue: SqliteQueue) -> Administration:
    """An operator's look at it, at the same time."""
    return Administration.open(str(queues.path), lambda: queues.now)


def listed(admin: Administration, **selection: object) -> list[str]:
    """Return the recipients that are selected."""
    return [str(entry.recipient.address) for entry in admin.list(Selection(**selection))]  # type: ignore[arg-type]


class TestSelecting:
    """Which entries a request is about."""

    @pytest.fixture(autouse=True)
    def mixed(self, queues: Queues, queue: SqliteQueue) -> None:
        """Three messages of different kinds, an hour apart."""
        queues.accept(queue, "bob@b.example", "eve@d.example", sender=Address("Carol", "A.example"))
        queues.now += 3600
        queues.accept(queue, to("bob@b.example", destination="smarthost"), sender=None)
        queues.now += 3600
        queues.accept(queue, "x y@B.Example", sender=Address('q"t', "xn--bcher-kva.example"))

    @pytest.mark.parametrize(
        ("selection", "found"),
        [
            ({}, ["m1", "m1", "m2", "m3"]),
            ({"id": "m1"}, ["m1", "m1"]),
            ({"id": "M1"}, []),
            ({"id": "' OR 1=1 --"}, []),
            ({"sender": "carol@a.EXAMPLE"}, ["m1", "m1"]),
            ({"sender": "<carol@a.example>"}, ["m1", "m1"]),
            ({"sender": "@a.example"}, ["m1", "m1"]),
            ({"sender": "<>"}, ["m2"]),
            ({"sender": "@bücher.example"}, ["m3"]),
            ({"sender": '"q\\"t"@bücher.example'}, ["m3"]),
            ({"recipient": "BOB@b.example"}, ["m1", "m2"]),
            ({"recipient": '"x y"@b.example'}, ["m3"]),
            ({"recipient": "@d.example"}, ["m1"]),
            ({"recipient": "nobody@b.example"}, []),
            ({"domain": "b.example"}, ["m1", "m2", "m3"]),
            ({"destination": "smarthost"}, ["m2"]),
            ({"before": NOW}, ["m1", "m1"]),
            ({"since": NOW + 3600}, ["m2", "m3"]),
            ({"before": NOW + 7199, "since": NOW + 1}, ["m2"]),
            ({"status": "waiting", "domain": "d.example"}, ["m1"]),
            ({"status": "held"}, []),
            ({"limit": 3}, ["m1", "m1", "m2"]),
            ({"limit": 1, "id": "m3"}, ["m3"]),
        ],
    )
    def test_all_that_is_asked_for_holds(
        self, admin: Administration, selection: dict[str, object], found: list[str]
    ) -> None:
        """Addresses and domains match as in SMTP, everything else exactly; the count is the same."""
        chosen = Selection(**selection)  # type: ignore[arg-type]

        assert [entry.message.id for entry in admin.list(chosen)] == found
        assert admin.count(chosen) == (len(found), len(set(found)))

    @pytest.mark.parametrize(
        "selection", [{"sender": ""}, {"sender": "a@"}, {"recipient": "nobody"}, {"domain": ""}, {"domain": "a@b"}]
    )
    def test_what_no_mail_can_have(self, selection: dict[str, str]) -> None:
        """It is told, and taken for nothing else: an empty sender is not the null reverse-path."""
        with pytest.raises(ValueError, match="expected one such as"):
            Selection(**selection)  # type: ignore[arg-type]

    def test_by_status(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """What is claimed is in no other state."""
        queues.claim(queue, room=1, default=0, b_example=1)
        admin.hold(Selection(domain="d.example"))
        admin.bounce(Selection(id="m3"))
        by_status: dict[Status, list[str]] = {
            "claimed": ["m1"], "held": ["m1"], "bounce": ["m3"], "waiting": ["m2"], "damaged": [],
        }  # fmt: skip

        for status, found in by_status.items():
            entries = list(admin.list(Selection(status=status)))
            assert [entry.message.id for entry in entries] == found
            assert {entry.status for entry in entries} <= {status}


@pytest.mark.parametrize("count", [PAGE, PAGE + 1])
def test_more_than_a_page(queues: Queues, queue: SqliteQueue, admin: Administration, count: int) -> None:
    """A list goes on over its pages, and so does a change; the server gets in between."""
    whom = [f"r{index}@b.example" for index in range(count)]
    queues.accept(queue, *whom)
    looked: list[int] = []

    assert listed(admin) == whom
    assert listed(admin, limit=PAGE + 1) == whom
    assert admin.hold(Selection(), looked.append).changed == count
    assert sum(looked) == count
    assert max(looked) <= PAGE
    assert queues.claim(queue) == []
    assert admin.remove(Selection(limit=PAGE)).changed == PAGE
    assert listed(admin) == whom[PAGE:]


class TestSeeing:
    """What is told of an entry."""

    def test_when_it_is_tried_next(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """Its own time or its destination's, whichever is later; nothing while it is claimed or held in any way."""
        (job,) = queues.accept(queue, "bob@b.example", claim=True)
        assert admin.show("m1")[0].tried_next is None
        queues.record(queue, Settled(job.recipients[0], NOW + 300, LATER))
        (entry,) = admin.show("m1")
        assert (entry.tried_next, entry.last, entry.recipient.tries) == (NOW + 300, LATER, 1)
        queues.wait(queue.put_off("b.example", NOW + 900, DOWN))
        (entry,) = admin.show("m1")
        assert (entry.tried_next, entry.last, entry.place.trouble) == (NOW + 900, DOWN, DOWN)
        admin.hold_destination("b.example", True)
        assert admin.show("m1")[0].tried_next is None
        admin.hold_destination("b.example", False)
        admin.hold_queue(True)
        assert (admin.show("m1")[0].tried_next, admin.held()) == (None, (True, []))
        admin.hold_queue(False)
        admin.hold(Selection())
        assert admin.show("m1")[0].tried_next is None

    def test_why_it_is_held(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """What the trouble of its destination is, it does not wait for that."""
        (job,) = queues.accept(queue, "bob@b.example", claim=True)
        queues.record(queue, Settled(job.recipients[0], NOW + 300, LATER))
        admin.hold(Selection())
        queues.wait(queue.put_off("b.example", NOW + 900, DOWN))

        assert admin.show("m1")[0].last == LATER

    def test_how_much_waits_where(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """The longest first."""
        for index in range(3):
            queues.accept(queue, f"r{index}@b.example")
        queues.accept(queue, "eve@d.example", claim=True)
        queues.wait(queue.put_off("b.example", NOW + 900, DOWN))
        admin.hold(Selection(recipient="r1@b.example"))
        admin.hold_destination("d.example", True)
        first, second = admin.counts()

        assert (first.place.name, first.recipients, first.held, first.claimed) == ("b.example", 3, 1, 0)
        assert (first.place.not_before, first.place.trouble, first.place.held) == (NOW + 900, DOWN, False)
        assert (second.place.name, second.recipients, second.held, second.claimed) == ("d.example", 1, 0, 1)
        assert (second.place.trouble, admin.held()) == (None, (False, ["d.example"]))

    def test_how_much_waits_where_in_parts(
        self, queues: Queues, queue: SqliteQueue, admin: Administration
    ) -> None:
        """Part by part everybody is told of once, those with equally much too."""
        for name in ("b", "d", "c", "b", "a", "d"):
            queues.accept(queue, f"x@{name}.example")
        found: list[Counts] = []
        after: tuple[int | None, str] = (None, "")
        while part := list(admin.counts(after, 1)):
            found += part
            after = part[0].recipients, part[0].place.name
        assert [(each.place.name[0], each.recipients) for each in found] == [("b", 2), ("d", 2), ("a", 1), ("c", 1)]
        assert found == list(admin.counts())

    @pytest.mark.parametrize("body", [BODY, b"x" * 5000])
    def test_the_content(self, queues: Queues, queue: SqliteQueue, admin: Administration, body: bytes) -> None:
        """As it was accepted, wherever it lies."""
        queues.accept(queue, "bob@b.example", body=body)

        assert b"".join(admin.content("m1")) == body

    def test_what_is_not_there(self, admin: Administration) -> None:
        """Said as such."""
        for look in (admin.show, admin.content):
            with pytest.raises(NotQueued, match="is not UTF-8"):
                look("caf\udce9")
            with pytest.raises(NotQueued, match="m7 is not in the queue"):
                look("m7")


class TestChanging:
    """Each request, and what the server does afterwards."""

    def test_retry(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """Due now, and its destination with it: all that is due there is tried, not a probe alone."""
        (job,) = queues.accept(queue, "bob@b.example", claim=True)
        queues.record(queue, Settled(job.recipients[0], NOW + 300, LATER))
        queues.accept(queue, "eve@b.example")
        queues.wait(queue.put_off("b.example", NOW + 900, DOWN))
        assert queues.claim(queue) == []

        assert admin.retry(Selection(id="m1")).changed == 1
        assert sorted(names(queues.claim(queue))) == ["bob@b.example", "eve@b.example"]

    def test_hold_and_release(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """Released after its lifetime it is tried, and has that time again; the others of its message do, too."""
        queues.accept(queue, "bob@b.example", "eve@b.example")
        assert admin.hold(Selection(recipient="bob@b.example")).changed == 1
        again = admin.hold(Selection(recipient="bob@b.example"))
        assert (again.changed, again.unfit) == (0, 1)
        (job,) = queues.claim(queue)
        assert names([job]) == ["eve@b.example"]
        queues.record(queue, Settled(job.recipients[0], NOW + LIFETIME + 10, LATER, warned=True))
        queues.now += LIFETIME + 5
        assert admin.release(Selection()).changed == 1
        (job,) = queues.claim(queue)
        assert (names([job]), job.purpose) == (["bob@b.example"], "try")
        assert job.message.expires == queues.now + LIFETIME
        queues.now += 5
        (job,) = queues.claim(queue)

        assert (names([job]), job.purpose) == (["eve@b.example"], "try")

    def test_release_keeps_the_time_of_a_warning_to_come(
        self, queues: Queues, queue: SqliteQueue, admin: Administration
    ) -> None:
        """A short hold changes nothing about it."""
        queues.accept(queue, "bob@b.example")
        admin.hold(Selection())
        admin.release(Selection())
        queues.done(queue)
        queues.wait(queue.put_off("b.example", NOW + LIFETIME, DOWN))
        queues.now += WARNING

        assert [job.purpose for job in queues.claim(queue)] == ["warn"]

    def test_remove(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """In any state; the content goes with the last of its recipients."""
        queues.accept(queue, "bob@b.example", "eve@d.example", body=b"x" * 5000)
        admin.hold(Selection(domain="d.example"))
        assert admin.remove(Selection(domain="b.example")).changed == 1
        assert len(queues.files()) == 1
        assert admin.remove(Selection(domain="d.example")).changed == 1

        assert queues.files() == []
        assert queues.ask("SELECT count(*) FROM messages") == [(0,)]
        assert queues.claim(queue) == []

    def test_bounce(self, queues: Queues, queue: SqliteQueue, admin: Administration) -> None:
        """The server gives it up at once, whatever its destination's state; what is held, too. It can be stopped."""
        queues.accept(queue, "bob@b.example", "eve@b.example")
        queues.accept(queue, "dan@b.example")
        queues.wait(queue.put_off("b.example", NOW + 900, DOWN))
        admin.hold(Selection(recipient="eve@b.example"))
        assert admin.bounce(Selection()).changed == 3
        assert admin.hold(Selection(recipient="dan@b.example")).changed == 1
        (job,) = queues.claim(queue)

        assert (job.purpose, names([job])) == ("bounce", ["bob@b.example", "eve@b.example"])

    @pytest.mark.parametrize("request_", ["retry", "hold", "remove", "bounce"])
    def test_what_is_claimed_is_left_alone(
        self, queues: Queues, queue: SqliteQueue, admin: Administration, request_: str
    ) -> None:
        """And counted; the others are changed."""
        (job,) = queues.accept(queue, "bob@b.example", claim=True)
        queues.accept(queue, "eve@b.example")
        came = getattr(admin, request_)(Selection())
        assert (came.changed, came.busy, came.unfit) == (1, 1, 0)
        queues.done(queue, job)

        assert "bob@b.example" not in listed(admin)

    def test_what_a_dead_server_had_claimed_is_not_left_alone(
        self, queues: Queues, queue: SqliteQueue, admin: Administration
    ) -> None:
        """No server has to run for an operator to get at it."""
        queues.accept(queue, "bob@b.example", claim=True)
        with queues.sql() as connection:
            connection.execute("UPDATE owners SET started = -1")

        assert admin.remove(Selection()).changed == 1

    def test_what_a_dead_server_had_claimed_is_said_to_wait(self, queues: Queues, queue: SqliteQueue) -> None:
        """There is no server that has it in its hands."""
        queues.accept(queue, "bob@b.example", claim=True)
        with queues.sql() as connection:
            connection.execute("UPDATE owners SET started = -1")
        with Administration.open(str(queues.path)) as admin:
            assert [entry.status for entry in admin.list(Selection())] == ["waiting"]
            assert listed(admin, status="claimed") == []
            assert [counts.claimed for counts in admin.counts()] == [0]

    def test_a_look_needs_no_turn(
        self, queues: Queues, queue: SqliteQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where others write, all is shown as it stands in the file."""
        monkeypatch.setattr("mailsuite.queue.schema.connect.__defaults__", (False, 0.01))
        queues.accept(queue, "bob@b.example", claim=True)
        with queues.sql() as connection:
            connection.execute("UPDATE owners SET started = -1")
            connection.execute("BEGIN IMMEDIATE")
            with Administration.open(str(queues.path)) as admin:
                assert [entry.status for entry in admin.list(Selection())] == ["claimed"]
            connection.execute("ROLLBACK")


def test_the_server_has_its_turn(queues: Queues, queue: SqliteQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may write while what is meant is looked for, and after each page for as long as that took."""
    queues.accept(queue, *(f"r{index}@b.example" for index in range(2 * PAGE)))
    slept: list[float] = []

    def look(connection: sqlite3.Connection, selection: Selection) -> Iterator[list[Entry]]:
        for page in pages(connection, selection):
            queues.wait(queue.put_off("d.example", NOW, DOWN))
            yield page

    def sleep(seconds: float) -> None:
        queues.wait(queue.put_off("e.example", NOW, DOWN))
        slept.append(seconds)

    monkeypatch.setattr("mailsuite.queue.admin.pages", look)
    monkeypatch.setattr("mailsuite.queue.schema.connect.__defaults__", (False, 0.01))
    with Administration.open(str(queues.path), lambda: queues.now, sleep) as admin:
        assert admin.hold(Selection()).changed == 2 * PAGE

    assert len(slept) == 2
    assert min(slept) > 0


def test_what_happens_after_it_was_found_counts(
    queues: Queues, queue: SqliteQueue, admin: Administration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server has claimed or delivered meanwhile is left to it."""
    queues.accept(queue, "bob@b.example")
    queues.accept(queue, "eve@e.example")
    queues.accept(queue, "dan@d.example")

    def look(connection: sqlite3.Connection, selection: Selection) -> Iterator[list[Entry]]:
        for page in pages(connection, selection):
            eve, _ = queues.claim(queue, default=0, e_example=1, d_example=1)
            queues.done(queue, eve)
            yield page

    monkeypatch.setattr("mailsuite.queue.admin.pages", look)
    came = admin.hold(Selection())

    assert (came.changed, came.busy, came.unfit) == (1, 1, 0)
    assert queues.ask("SELECT local, state FROM recipients ORDER BY local") == [("bob", "held"), ("dan", "waiting")]


def test_nothing_is_changed_while_others_write(
    queues: Queues, queue: SqliteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time the request is refused, in words."""
    monkeypatch.setattr("mailsuite.queue.schema.connect.__defaults__", (False, 0.01))
    queues.accept(queue, "bob@b.example")
    with queues.sql() as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(QueueBusy, match="in use"), Administration.open(str(queues.path)) as admin:
            admin.remove(Selection())

    assert len(queues.claim(queue)) == 1


def test_trouble_with_the_file_is_said_in_words(queues: Queues, queue: SqliteQueue) -> None:
    """Whatever SQLite has to complain about."""
    with pytest.raises(QueueError, match=r"queue\.sqlite"), Administration.open(str(queues.path)):
        raise sqlite3.OperationalError("disk I/O error")
