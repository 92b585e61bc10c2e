"""Reports on their way: through intake like all mail, into a mailbox at once or into the queue, and never further."""

from email import message_from_bytes
from itertools import count
from random import Random
from typing import cast

import pytest
from twisted.internet.defer import Deferred as Later
from twisted.internet.task import Clock

from mailsuite.address import Address
from mailsuite.interfaces import IContent, IIntake, IMailboxDirectory
from mailsuite.meaning import Broken, Foreign, Mailboxes, Meaning, Relayed, Suspended
from mailsuite.outcome import DELIVERED, Answer, Deferred, Failed, Outcome
from mailsuite.queue.concluding import OWN_TROUBLE
from mailsuite.queue.runner import Limits, Runner
from mailsuite.queue.schedule import Backoff
from mailsuite.queued import LOCAL, Job, QueuedMessage, QueuedRecipient
from mailsuite.service.dispatch import Dispatch
from mailsuite.service.intake import Intake
from mailsuite.service.own_mail import OwnMail
from mailsuite.service.reports import Reports
from tests.doubles import FixedDirectory, FixedIntake, MemoryMail, mailboxes
from tests.doubles_pop3 import KeptLog, settled
from tests.doubles_queue import DomainRouter, IdleRunner, KeptReports, MemoryQueue, ScriptedTarget
from tests.message.dsn import check

NOW = 1_767_225_600.0
NEVER = Failed("5.1.1", "no such user", Answer("mx.else.example", 550, "5.1.1", ("unknown",)))
REPORT = b"Subject: a report\r\n\r\nIt failed.\r\n"
ALICE, BOB, LIST = Address("alice", "b.example"), Address("bob", "else.example"), Address("list", "b.example")
FULL = OSError(28, "No space left on device")
MEANINGS: dict[str, Meaning] = {
    "alice@b.example": mailboxes(1),
    "list@b.example": Mailboxes(mailboxes(1, 2).mailboxes, (BOB,)),
    "off@b.example": Suspended(),
    "loop@b.example": Broken("loop"),
    "bob@else.example": Foreign(),
    "dan@relayed.example": Relayed(),
}


class Posting:
    """Own mail between an intake and doubles."""

    def __init__(self) -> None:
        self.directory = FixedDirectory(MEANINGS)
        self.store = MemoryMail()
        self.queue = MemoryQueue()
        self.runner = IdleRunner()
        self.reports = KeptReports()
        ids = count(1)
        self.own_mail = OwnMail(cast(IMailboxDirectory, self.directory), self.store, lambda: f"id{next(ids)}")
        dispatch = Dispatch(self.queue, self.runner, DomainRouter(), self.reports, lambda: NOW, 500.0)
        self.own_mail.intake = Intake(self.store, dispatch)

    def submit(self, recipient: Address) -> str | None:
        """Submit a report; return its id."""
        found: str | None = settled(self.own_mail.submit(recipient, REPORT))
        return found

    @property
    def shown(self) -> list[tuple[bytes, list[int]]]:
        """What mailboxes show: octets, and the numbers of the mailboxes."""
        return [
            (octets, [box.id for box in boxes if receipt.outcomes[boxes.index(box)] is DELIVERED])
            for octets, boxes, receipt in self.store.deliveries
            if not receipt.withdrawn
        ]

    @property
    def open_drafts(self) -> int:
        """How many drafts were not discarded at the end."""
        return sum(not draft.discarded for draft in self.store.drafts)


def test_into_a_mailbox_at_once() -> None:
    """With a Return-Path that nobody can answer to (RFC 5321 §4.4); the queue is not touched."""
    posting = Posting()

    assert posting.submit(ALICE) == "id1"
    assert posting.shown == [(b"Return-Path: <>\r\n" + REPORT, [1])]
    assert posting.queue.accepted == []
    assert posting.open_drafts == 0


@pytest.mark.parametrize("recipient", [BOB, Address("dan", "relayed.example")])
def test_to_others_through_the_queue(recipient: Address) -> None:
    """RFC 3461 §6.1: with a null reverse-path, and no parameters; begun at once."""
    posting = Posting()

    assert posting.submit(recipient) == "id1"
    assert posting.shown == []
    ((message, to, octets),) = posting.queue.accepted
    assert octets == REPORT
    assert (message.id, message.reverse_path, message.origin) == ("id1", None, "this system")
    assert (message.body, message.ret, message.envid, message.arrived_from) == ("", "", "", "")
    assert not message.smtputf8
    assert to == (QueuedRecipient(recipient, recipient.domain),)
    assert [job.destination for job in posting.runner.begun] == [recipient.domain]
    assert posting.open_drafts == 0


def test_to_an_address_of_other_letters() -> None:
    """RFC 6531 §3.4: it is announced as what it is."""
    posting = Posting()
    posting.directory.meanings["мария@else.example"] = Foreign()
    content = "To: <мария@else.example>\r\n\r\nIt failed.\r\n".encode()

    assert settled(posting.own_mail.submit(Address("мария", "else.example"), content)) == "id1"
    ((message, _, octets),) = posting.queue.accepted
    assert octets == content
    assert (message.smtputf8, message.body, message.reverse_path) == (True, "8BITMIME", None)


def test_to_an_alias() -> None:
    """Into its mailboxes, and on to others."""
    posting = Posting()

    assert posting.submit(LIST) == "id1"
    assert [numbers for _, numbers in posting.shown] == [[1, 2]]
    assert [str(each.address) for _, to, _ in posting.queue.accepted for each in to] == ["bob@else.example"]
    assert posting.reports.told == []


@pytest.mark.parametrize("name", ["nobody", "off", "loop"])
def test_to_nowhere(name: str) -> None:
    """Nothing is written, and the caller hears of it."""
    posting = Posting()

    assert posting.submit(Address(name, "b.example")) is None
    assert posting.store.drafts == []
    assert posting.queue.accepted == []


def test_an_address_that_takes_time_to_find() -> None:
    """The directory is waited for, and so is the barrier: there is no id before all is durable."""
    posting = Posting()
    posting.directory.pending = Later()
    posting.store.pending = Later()
    ids: list[str | None] = []
    Later.fromCoroutine(posting.own_mail.submit(ALICE, REPORT)).addCallback(ids.append)
    assert posting.store.drafts == []

    posting.directory.pending.callback(None)
    assert len(posting.store.drafts) == 1
    assert len(ids) == 0

    posting.store.pending.callback(None)
    assert ids == ["id1"]


@pytest.mark.parametrize("later", [False, True])
def test_a_barrier_that_fails(later: bool) -> None:
    """It could not be kept, and no mailbox shows it."""
    posting = Posting()
    posting.store.trouble = FULL
    if later:
        posting.store.pending = Later()
        posting.store.pending.callback(None)

    with pytest.raises(OSError, match=r"alice@b\.example could not be kept: .*No space"):
        posting.submit(ALICE)
    assert posting.shown == []


def test_a_queue_that_fails() -> None:
    """It could not be kept, and no mailbox shows it."""
    posting = Posting()
    posting.queue.trouble = FULL

    with pytest.raises(OSError, match="could not be kept"):
        posting.submit(LIST)
    assert posting.shown == []
    assert posting.open_drafts == 0


def test_a_disk_that_takes_no_draft() -> None:
    """What was written of it is freed."""
    posting = Posting()
    posting.store.draft_trouble = FULL

    with pytest.raises(OSError, match="No space"):
        posting.submit(ALICE)
    assert posting.shown == []
    assert posting.open_drafts == 0


def test_a_mailbox_that_cannot_be_written_to_now() -> None:
    """Who submits it keeps it; where another mailbox took it, it is in the queue."""
    posting = Posting()
    (box,) = mailboxes(1).mailboxes
    posting.store.refusals = {box: Deferred("4.2.0", "as a test wants it")}

    with pytest.raises(OSError, match="as a test wants it"):
        posting.submit(ALICE)
    assert posting.shown == []
    assert posting.queue.accepted == []

    assert posting.submit(LIST) == "id2"
    assert [numbers for _, numbers in posting.shown] == [[2]]
    assert {(each.destination, each.mailbox) for _, to, _ in posting.queue.accepted for each in to} == {
        ("else.example", None),
        (LOCAL, box),
    }


def test_a_fault_of_ours() -> None:
    """Whatever is raised, the draft is freed."""
    posting = Posting()
    intake = FixedIntake()
    intake.trouble = ValueError("a fault of ours")
    posting.own_mail.intake = cast(IIntake, intake)

    with pytest.raises(ValueError, match="a fault of ours"):
        posting.submit(ALICE)
    assert posting.open_drafts == 0


class Site:
    """The whole way out and back: runner, reports, own mail, intake, on a fake clock. Far ends give *outcome*."""

    def __init__(self, outcome: Outcome = NEVER) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store = MemoryMail()
        self.queue = MemoryQueue()
        self.target = ScriptedTarget()
        self.target.outcomes = {"else.example": outcome, "relayed.example": outcome, LOCAL: DELIVERED}
        self.log = KeptLog()
        ids, tokens = count(1), count(1)
        directory = cast(IMailboxDirectory, FixedDirectory(MEANINGS))
        own_mail = OwnMail(directory, self.store, lambda: f"r{next(ids)}-0")
        reports = Reports(
            "mail.b.example", own_mail.submit, self.log, lambda: NOW, lambda: f"t{next(tokens):09}", 1000
        )
        router = DomainRouter()
        self.runner = Runner(
            self.queue,
            self.target,
            reports,
            router,
            self.log,
            Backoff(300, 2, 7200),
            60,
            Limits(window=100_000),
            self.clock,
            self.clock.seconds,
            lambda: 0.5,
        )
        dispatch = Dispatch(self.queue, self.runner, router, reports, lambda: NOW, 500.0)
        own_mail.intake = Intake(self.store, dispatch)
        self.runner.start()

    def send(self, sender: Address | None, *to: QueuedRecipient, message_id: str = "m1") -> None:
        """Let a message be due."""
        message = QueuedMessage(message_id, sender, NOW, NOW + 1000, 10)
        self.queue.contents[message_id] = b"Subject: x\r\n\r\nhello\r\n"
        self.runner.begin([Job(message, to or (QueuedRecipient(BOB, "else.example"),))])

    @property
    def reports(self) -> list[bytes]:
        """The reports that mailboxes show."""
        return [octets for octets, _, receipt in self.store.deliveries if not receipt.withdrawn]

    def left(self) -> list[str]:
        """The recipients that have left the queue."""
        return [str(each.recipient.address) for each in self.queue.recorded if each.next_try is None]

    def kinds(self) -> list[str]:
        """What the mail log tells of, in order."""
        return [kind for kind, _ in self.log.records]


def test_a_report_to_a_user_of_ours() -> None:
    """Lies in the mailbox when the recipient leaves the queue."""
    site = Site()

    site.send(ALICE)

    (octets,) = site.reports
    assert octets.startswith(b"Return-Path: <>\r\nFrom: ")
    report = check(octets.removeprefix(b"Return-Path: <>\r\n"))
    assert report.only["final-recipient"] == " rfc822; bob@else.example"
    assert message_from_bytes(octets)["to"] == "<alice@b.example>"
    assert site.left() == ["bob@else.example"]
    assert site.kinds() == ["report", "delivery"]


def test_lesson_20_a_report_that_fails_ends_there() -> None:
    """It is one message with a null reverse-path; its own failure is logged as dropped, and makes no message."""
    site = Site()

    site.send(Address("dan", "relayed.example"))

    ((message, to, octets),) = site.queue.accepted
    assert message.reverse_path is None
    assert [str(each.address) for each in to] == ["dan@relayed.example"]
    check(octets)
    assert sorted(site.left()) == ["bob@else.example", "dan@relayed.example"]
    assert sorted(site.kinds()) == ["delivery", "delivery", "dropped", "report"]
    (dropped,) = (fields for kind, fields in site.log.records if kind == "dropped")
    assert (dropped["id"], dropped["to"], dropped["from"]) == (message.id, "dan@relayed.example", "")


def test_lesson_20_ten_thousand_failures() -> None:
    """Whoever sent them: one report at most for each, and none for a report; each recipient's end is in the log."""
    site = Site()
    chance = Random(20)
    senders = [None, ALICE, Address("dan", "relayed.example"), Address("nobody", "b.example")]
    sent = []
    for number in range(10_000):
        (sender,) = chance.choices(senders, [5, 1, 1, 1])
        sent.append(sender)
        site.send(sent[-1], message_id=f"m{number}")

    to_others = sent.count(senders[2])
    assert len(site.reports) == sent.count(ALICE)
    assert len(site.queue.accepted) == to_others
    assert all(message.reverse_path is None for message, _, _ in site.queue.accepted)
    assert len(site.left()) == 10_000 + to_others
    assert site.kinds().count("report") == sent.count(ALICE) + to_others
    # Null reverse-paths, reports that failed, senders of ours that do not exist.
    assert site.kinds().count("dropped") == sent.count(None) + to_others + sent.count(senders[3])


@pytest.mark.parametrize("sender", [ALICE, Address("dan", "relayed.example")])
def test_a_report_that_cannot_be_kept_is_made_again(sender: Address) -> None:
    """A full disk loses nothing: the recipient stays in the queue until its sender is told."""
    site = Site()
    site.store.trouble = site.queue.trouble = FULL
    site.send(sender)

    (settled_once,) = site.queue.recorded
    assert settled_once.next_try == NOW + OWN_TROUBLE
    assert site.reports == []
    assert site.queue.accepted == []

    site.store.trouble = site.queue.trouble = None
    site.send(sender)
    assert len(site.reports) + len(site.queue.accepted) == 1
    assert "bob@else.example" in site.left()


def test_a_report_on_a_message_that_is_gone() -> None:
    """Content that cannot be read keeps nobody from being told."""
    site = Site()
    message = QueuedMessage("gone", ALICE, NOW, NOW + 1000, 10)

    site.runner.begin([Job(message, (QueuedRecipient(BOB, "else.example"),))])

    (octets,) = site.reports
    assert check(octets.removeprefix(b"Return-Path: <>\r\n")).returned is None


def test_content_is_read_once_it_is_needed() -> None:
    """A delivery that nobody is told of opens no content."""
    site = Site(DELIVERED)

    async def content(job: Job) -> IContent:
        raise AssertionError("nobody needs it")

    site.queue.content = content  # type: ignore[method-assign]
    site.send(ALICE)

    assert site.reports == []
    assert site.left() == ["bob@else.example"]
