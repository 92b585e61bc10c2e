"""The queue's store: what goes in comes out, is claimed once, and leaves with its content."""

import errno
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mailsuite.address import Address
from mailsuite.database import transaction
from mailsuite.interfaces import IDraft, IQueue, IScheduled
from mailsuite.mailbox.draft import MEMORY_OCTETS, Draft
from mailsuite.meaning import Mailbox
from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queue import store
from mailsuite.queue.admin import Administration
from mailsuite.queue.chores import BUSY_TRANSACTIONS, Housekeeping
from mailsuite.queue.entries import Selection
from mailsuite.queue.files import ContentFolder
from mailsuite.queue.owners import Lease
from mailsuite.queue.process import started, this_process
from mailsuite.queue.rows import as_outcome, as_text
from mailsuite.queue.settling import settle
from mailsuite.queue.store import SqliteQueue
from mailsuite.queue.writer import Work
from mailsuite.queued import AS_BEFORE, LOCAL, Job, QueuedMessage, QueuedRecipient, Settled
from tests.queue.queues import BODY, NOW, Queues, draft, names, to

INLINE = 1000
# Any text that UTF-8 can hold; nothing else comes through the parsers.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def test_a_message_is_claimed_read_and_removed(queues: Queues) -> None:
    """The way of a message that waits: all that is known of it comes back, and nothing is left at the end."""
    queue = queues.open()
    assert queues.accept(queue, "bob@b.example", origin="192.0.2.1", envid="x y", body=BODY) == []
    (job,) = queues.claim(queue)

    assert (job.purpose, job.destination, names([job])) == ("try", "b.example", ["bob@b.example"])
    assert (job.message.id, job.message.arrived) == ("m1", NOW)
    assert job.message.reverse_path == Address("carol", "a.example")
    assert (job.message.origin, job.message.envid, job.message.size) == ("192.0.2.1", "x y", len(BODY))
    assert job.content is None
    assert queues.content(queue, job) == BODY
    queues.done(queue, job)
    for table in ("messages", "contents", "recipients"):
        assert queues.ask(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_wanted_destination_is_claimed_at_once(queues: Queues) -> None:
    """One job for each destination, with the content at hand; nobody else gets it."""
    queue = queues.open()
    jobs = queues.accept(queue, "bob@b.example", "eve@d.example", "ben@b.example", claim=True)

    assert [names([job]) for job in jobs] == [["bob@b.example", "ben@b.example"], ["eve@d.example"]]
    assert [(job.content, job.purpose) for job in jobs] == [(BODY, "try")] * 2
    assert all(each.number for job in jobs for each in job.recipients)
    assert queues.content(queue, jobs[0]) == BODY
    assert queues.claim(queue) == []


def test_what_is_held_from_the_first_waits_for_an_operator(queues: Queues) -> None:
    """It is claimed neither at once nor later, and the reason is kept with it; released it goes its way."""
    queue = queues.open()
    eve = QueuedRecipient(Address("eve", "c.example"), LOCAL, Mailbox(1, "c.example/eve"))
    assert queues.accept(queue, "bob@b.example", eve, claim=True, hold="too much") == []
    assert queues.claim(queue) == []
    with Administration.open(str(queues.path), lambda: queues.now) as admin:
        found = list(admin.list(Selection(status="held")))
        assert [entry.last for entry in found] == [Deferred("4.7.0", "too much")] * 2
        assert admin.release(Selection()).changed == 2
    assert sorted(names(queues.claim(queue))) == ["bob@b.example", "eve@c.example"]


def test_only_what_is_wanted_is_claimed_at_once(queues: Queues) -> None:
    """The others wait, due now."""
    queue = queues.open()
    message = QueuedMessage("m", None, NOW, NOW + 10, 0)
    whom = [to("bob@b.example"), to("eve@d.example")]
    jobs = queues.wait(queue.accept(message, whom, draft(), 0, lambda destination: destination == "d.example"))

    assert names(jobs) == ["eve@d.example"]
    assert names(queues.claim(queue)) == ["bob@b.example"]


def test_a_message_without_recipients_is_no_message(queues: Queues) -> None:
    """Nothing is kept of it."""
    queue = queues.open()

    assert queues.accept(queue) == []
    assert queues.ask("SELECT count(*) FROM messages") == [(0,)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT, TEXT, st.tuples(TEXT, TEXT, TEXT, TEXT), st.binary(max_size=50))
def test_any_characters_come_back(
    queues: Queues, local: str, domain: str, destination: str, texts: tuple[str, ...], added: bytes
) -> None:
    """Quotes, semicolons, line ends and NULs are text, and none of them is ever SQL (lessons 10 and 16)."""
    queue = queues.opened[0] if queues.opened else queues.open()
    envid, origin, original, arrived_from = texts
    sender = Address(domain, local)
    recipient = QueuedRecipient(
        Address(local, domain), destination, Mailbox(7, texts[0]), "NEVER", original, added
    )
    message = QueuedMessage(origin, sender, NOW, NOW + 10, 0, "8BITMIME", "HDRS", envid, origin, arrived_from)
    queues.wait(queue.accept(message, [recipient], draft(), 0, lambda _: False))
    (job,) = queues.claim(queue)
    (found,) = job.recipients
    queues.done(queue, job)

    assert (found.address, found.destination) == (Address(local, domain), destination)
    assert found.mailbox == Mailbox(7, envid)
    assert (found.notify, found.original, found.added) == ("NEVER", original, added)
    assert (job.message.reverse_path, job.message.envid, job.message.origin) == (sender, envid, origin)
    assert (job.message.body, job.message.ret, job.message.arrived_from) == ("8BITMIME", "HDRS", arrived_from)


ANSWERS = st.none() | st.builds(Answer, TEXT, st.integers(0, 999), TEXT, st.lists(TEXT).map(tuple), TEXT)


@given(
    st.builds(Delivered, ANSWERS, st.booleans())
    | st.builds(Deferred, TEXT, TEXT, ANSWERS, st.booleans())
    | st.builds(Failed, TEXT, TEXT, ANSWERS)
)
def test_outcomes_come_back(outcome: Outcome) -> None:
    """An outcome that was kept is the one that was recorded, whatever another server said."""
    assert as_outcome(as_text(outcome)) == outcome


def test_the_interface(queues: Queues) -> None:
    """It is what the services expect."""
    queue = queues.open()
    assert verifyObject(IQueue, queue) and verifyObject(IScheduled, queue)


class TestContent:
    """Small content in the file, large content beside it; the first octets of a draft are not the queue's."""

    @pytest.mark.parametrize(("size", "files"), [(INLINE, 0), (INLINE + 1, 1)])
    def test_in_memory(self, queues: Queues, size: int, files: int) -> None:
        """The limit is the setting."""
        queue = queues.open(inline_size=INLINE)
        body = bytes(index % 251 for index in range(size))
        queues.accept(queue, "bob@b.example", body=body)

        assert len(queues.files()) == files
        (job,) = queues.claim(queue)
        assert queues.content(queue, job) == body
        queues.done(queue, job)
        assert queues.files() == []

    @pytest.mark.parametrize("inline_size", [INLINE, 1_000_000])
    @pytest.mark.parametrize("links", [True, False])
    def test_on_disk(
        self, queues: Queues, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inline_size: int, links: bool
    ) -> None:
        """A draft's file is linked, or copied where that cannot be, and is the caller's to discard at once."""
        if not links:
            monkeypatch.setattr(os, "link", _no_links)
        queue = queues.open(inline_size=inline_size)
        body = b"y" * MEMORY_OCTETS + b"the end"
        spilled = Draft(lambda: str(tmp_path / "incoming"))
        spilled.write(b"Return-Path: <>\r\n" + body)
        assert spilled.path is not None
        asked = queue.accept(_message(), [to("bob@b.example")], cast(IDraft, spilled), 17, lambda _: False)
        spilled.discard()
        queues.wait(asked)
        (job,) = queues.claim(queue)

        assert job.message.size == len(body)
        assert len(queues.files()) == (inline_size == INLINE)
        with_pieces = queues.wait(queue.content(job))
        assert cast(bytes, with_pieces.read(4)) == b"yyyy"
        with_pieces.close()
        assert queues.content(queue, job) == body
        queues.done(queue, job)
        assert queues.files() == []

    def test_a_draft_in_memory_loses_what_is_for_mailboxes(self, queues: Queues) -> None:
        """The Return-Path is not the queue's."""
        queue = queues.open()
        whole = draft(b"Return-Path: <>\r\n" + BODY)
        (job,) = queues.wait(queue.accept(_message(), [to("bob@b.example")], whole, 17, lambda _: True))

        assert (job.content, job.message.size) == (BODY, len(BODY))

    def test_a_draft_that_is_not_whole_is_refused(self, queues: Queues, tmp_path: Path) -> None:
        """What is not there cannot be promised; nothing is left of it."""
        queue = queues.open()
        short = Draft(lambda: str(tmp_path / "incoming"))
        short.write(b"x" * (MEMORY_OCTETS + 1))
        assert short.path is not None
        os.truncate(short.path, 1000)
        with pytest.raises(OSError, match="octets"):
            queues.wait(queue.accept(_message(), [to("bob@b.example")], cast(IDraft, short), 0, lambda _: True))

        assert queues.files() == []
        assert queues.claim(queue) == []

    def test_a_large_draft_that_is_gone_is_refused_at_once(self, queues: Queues, tmp_path: Path) -> None:
        """The caller hears of it where it stands."""
        queue = queues.open()
        gone = Draft(lambda: str(tmp_path / "incoming"))
        gone.write(b"x" * (MEMORY_OCTETS + 1))
        assert gone.path is not None
        os.unlink(gone.path)
        with pytest.raises(FileNotFoundError):
            queue.accept(_message(), [to("bob@b.example")], cast(IDraft, gone), 0, lambda _: True)


class TestRecord:
    """What became of a recipient."""

    def test_one_stays_and_is_tried_again_then(self, queues: Queues) -> None:
        """Its last outcome and the number of its tries come with it."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", "eve@b.example")
        (job,) = queues.claim(queue)
        bob, eve = job.recipients
        outcome = Deferred("4.2.0", "greylisted", Answer("mx.b.example", 450, "4.2.0", ("later",)))
        queues.record(queue, Settled(bob, None, Delivered()), Settled(eve, NOW + 300, outcome))
        queues.now += 299
        assert queues.claim(queue) == []
        queues.now += 1
        (job,) = queues.claim(queue)

        assert names([job]) == ["eve@b.example"]
        assert (job.recipients[0].tries, job.recipients[0].last) == (1, outcome)

    def test_without_an_outcome_it_was_not_tried(self, queues: Queues) -> None:
        """The tries are not counted up, the last outcome stays."""
        queue = queues.open()
        (job,) = queues.accept(queue, "bob@b.example", claim=True)
        outcome = Deferred("4.0.0", "x")
        queues.record(queue, Settled(job.recipients[0], NOW, outcome))
        (job,) = queues.claim(queue)
        queues.record(queue, Settled(job.recipients[0], NOW))
        (job,) = queues.claim(queue)

        assert (job.recipients[0].tries, job.recipients[0].last) == (1, outcome)

    def test_as_before(self, queues: Queues) -> None:
        """Given back, it is due when it was."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example")
        (job,) = queues.claim(queue)
        queues.record(queue, Settled(job.recipients[0], AS_BEFORE))

        assert names(queues.claim(queue)) == ["bob@b.example"]

    def test_twice_is_once(self, queues: Queues) -> None:
        """What was recorded is not claimed any more, and a second word changes nothing."""
        queue = queues.open()
        (job,) = queues.accept(queue, "bob@b.example", claim=True)
        queues.record(queue, Settled(job.recipients[0], NOW))
        queues.done(queue, job)

        assert names(queues.claim(queue)) == ["bob@b.example"]

    def test_the_content_stays_for_the_others(self, queues: Queues) -> None:
        """The message goes with its last recipient."""
        queue = queues.open()
        body = b"x" * 5000
        first, second = queues.accept(queue, "bob@b.example", "eve@d.example", body=body, claim=True)
        queues.done(queue, first)
        assert queues.content(queue, second) == body
        queues.done(queue, second)

        assert queues.files() == []


class TestLate:
    """What could not be recorded is recorded later: what was delivered is not delivered again."""

    def two(self, queues: Queues, queue: SqliteQueue) -> list[Job]:
        """Claim two messages of one recipient each."""
        return [job for name in ("r1", "r2") for job in queues.accept(queue, f"{name}@b.example", claim=True)]

    def test_when_the_file_can_be_written_again(self, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
        """Until then claims fail, so that nothing new is begun."""
        queue = queues.open()
        jobs = self.two(queues, queue)
        with monkeypatch.context() as patch:
            patch.setattr(store, "settle", _full)
            for attempt in (lambda: queues.done(queue, *jobs), lambda: queues.claim(queue)):
                with pytest.raises(OSError) as caught:
                    attempt()
                assert caught.value.errno == errno.ENOSPC
        assert queues.claim(queue) == []

        assert queues.ask("SELECT count(*) FROM recipients") == [(0,)]

    def test_one_that_fails_again_and_again(self, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
        """It keeps neither the others nor a claim waiting, and is tried again after a while."""
        queue = queues.open()
        jobs = self.two(queues, queue)
        first = jobs[0].recipients[0].number
        with monkeypatch.context() as patch:
            patch.setattr(store, "settle", _failing(first))
            with pytest.raises(OSError, match="malformed"):
                queues.done(queue, *jobs)
            queues.accept(queue, "r3@b.example")
            assert names(queues.claim(queue)) == ["r3@b.example"]
            assert queues.ask("SELECT number FROM recipients WHERE number < 3") == [(first,)]
        queues.reactor.advance(store.LATE_SECONDS)
        queues.claim(queue)

        assert queues.ask("SELECT number FROM recipients WHERE number < 3") == []

    def test_what_fails_beside_a_claim_is_kept(self, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the same turn as a claim that records what was late before."""
        queue = queues.open()
        first, second = self.two(queues, queue)
        with monkeypatch.context() as patch:
            patch.setattr(store, "settle", _full)
            with pytest.raises(OSError):
                queues.done(queue, first)
        with monkeypatch.context() as patch:
            patch.setattr(store, "settle", _failing(second.recipients[0].number))
            recording = queue.record([Settled(second.recipients[0], None)])
            recording.addErrback(lambda failure: failure.trap(OSError))
            queues.claim(queue)
        queues.reactor.advance(store.LATE_SECONDS)
        queues.claim(queue)

        assert queues.ask("SELECT count(*) FROM recipients") == [(0,)]

    def test_at_a_stop(self, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once more, before what is claimed is given back."""
        queue = queues.open()
        jobs = self.two(queues, queue)
        with monkeypatch.context() as patch:
            patch.setattr(store, "settle", _full)
            with pytest.raises(OSError):
                queues.done(queue, jobs[0])
        queue.stop()

        assert queues.ask("SELECT number, owner FROM recipients") == [(jobs[1].recipients[0].number, None)]

    def test_a_stop_where_it_fails_again(self, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
        """All is given back nevertheless."""
        queue = queues.open()
        jobs = self.two(queues, queue)
        monkeypatch.setattr(store, "settle", _full)
        with pytest.raises(OSError):
            queues.done(queue, *jobs)
        queue.stop()

        assert queues.ask("SELECT count(*), max(owner) FROM recipients") == [(2, None)]


def test_who_is_never_idle_tidies_up_too(tmp_path: Path) -> None:
    """After so many transactions a bit of it is done: what is not needed any more is forgotten."""
    folder = ContentFolder(str(tmp_path), 0, str)
    lease = Lease(this_process, 60.0, lambda: 0.0, started)
    chores = Housekeeping(str(tmp_path / "queue.sqlite"), folder, lease, lambda: NOW, lambda work: None)
    with closing(chores.open()) as connection:
        connection.execute("INSERT INTO destinations (name) VALUES ('b.example')")
        for _ in range(BUSY_TRANSACTIONS):
            assert chores.pause() > 0
            with transaction(connection):
                chores.each(connection)
        assert chores.pause() == 0
        chores.rest(connection)
        assert chores.pause() > 0

        assert connection.execute("SELECT count(*) FROM destinations").fetchone() == (0,)


def test_a_mailbox_of_ours(queues: Queues) -> None:
    """What is for a mailbox comes back with it."""
    queue = queues.open()
    queues.accept(queue, to("bob@b.example", destination=LOCAL, mailbox=Mailbox(3, "b.example/bob")))
    (job,) = queues.claim(queue)

    assert (job.destination, job.recipients[0].mailbox) == (LOCAL, Mailbox(3, "b.example/bob"))


def test_a_closed_queue_refuses(queues: Queues) -> None:
    """What comes too late is told so, and leaves nothing behind."""
    queue = queues.open()
    (job,) = queues.accept(queue, "bob@b.example", claim=True)
    queue.stop()
    with pytest.raises(OSError, match="closed"):
        queues.claim(queue)
    with pytest.raises(OSError, match="closed"):
        queues.done(queue, job)
    with pytest.raises(OSError, match="closed"):
        queues.accept(queue, "bob@b.example", body=b"x" * 5000)


def _message() -> QueuedMessage:
    return QueuedMessage("m", None, NOW, NOW + 1000, 0)


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def _failing(number: int) -> Callable[..., int]:
    """Return a `settle` for which the recipient *number* lies in a damaged page."""

    def settle_(work: Work, owner: int, settled: Sequence[Settled], *rest: Any) -> int:
        if any(each.recipient.number == number for each in settled):
            raise sqlite3.DatabaseError("database disk image is malformed")
        return settle(work, owner, settled, *rest)

    return settle_


def _no_links(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")
