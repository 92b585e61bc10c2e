"""What of a message goes to the queue, with what the sender asked for, and who is told of what is known at once."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.logger import LogLevel, capturedLogs

from mailsuite.address import Address
from mailsuite.envelope import Acceptance, Envelope, Peer, Recipient
from mailsuite.interfaces import IContent, IDraft
from mailsuite.mailbox.draft import MEMORY_OCTETS, Draft
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED, Outcome
from mailsuite.queued import LOCAL, Job, QueuedRecipient
from mailsuite.service.dispatch import LOOP, Dispatch, Onward
from tests.doubles import MemoryDraft
from tests.doubles_pop3 import settled
from tests.doubles_queue import DomainRouter, IdleRunner, MemoryQueue

PREFIX = b"Return-Path: <carol@a.example>\r\n"
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
ONE, TWO = Mailbox(1, "b.example/one"), Mailbox(2, "b.example/two")
SALES = Address("Sales", "b.example")
X, Y = Address("x", "else.example"), Address("y", "more.example")


class ReadingReports:
    """Reads the content of what it is to report; *trouble*, if set, is raised."""

    def __init__(self) -> None:
        self.told: list[tuple[Job, list[Outcome], bytes]] = []
        self.trouble: Exception | None = None

    async def report(self, job: Job, outcomes: Sequence[Outcome], content: Callable[[], Awaitable[IContent]]) -> None:
        if self.trouble is not None:
            raise self.trouble
        opened = await content()
        octets = b""
        while piece := opened.read(7):
            octets += cast(bytes, piece)
        opened.close()
        self.told.append((job, list(outcomes), octets))


class Sending:
    """A dispatch between doubles, at the time 1000."""

    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.runner = IdleRunner()
        self.reports = ReadingReports()
        self.dispatch = Dispatch(
            self.queue, self.runner, DomainRouter(), cast(Any, self.reports), lambda: 1000.0, 500.0
        )
        self.draft: Any = MemoryDraft()
        self.draft.write(PREFIX + MESSAGE)

    def onward(self, *recipients: Recipient, header: bytes = b"") -> Onward:
        """Return what the recipients need."""
        return self.dispatch.onward(acceptance(*recipients, header=header))

    def told(self) -> list[tuple[str, str, Outcome]]:
        """Return who was told of: address, what it is called, and what."""
        return [
            (str(each.accepted), "list" if each.mailbox is None else each.mailbox.path, outcome)
            for job, outcomes, _ in self.reports.told
            for each, outcome in zip(job.recipients, outcomes, strict=True)
        ]


def acceptance(*recipients: Recipient, header: bytes = b"", login: str = "", **parameters: str) -> Acceptance:
    """Return a message of carol's that is about to be accepted."""
    envelope = Envelope(Address("carol", "a.example"), parameters, list(recipients))
    return Acceptance("id1", envelope, len(PREFIX), header, Peer("192.0.2.1"), "client.example", login)


def to(address: Address, *boxes: Mailbox, onward: tuple[Address, ...] = (), **parameters: str) -> Recipient:
    """Return a recipient."""
    return Recipient(address, boxes, parameters, onward)


def test_mail_for_mailboxes_needs_nothing_else() -> None:
    """The plain path is told apart at once, also where NOTIFY asks for no success."""
    sending = Sending()

    assert not sending.onward(to(SALES, ONE))
    assert not sending.onward(to(SALES, ONE, NOTIFY="FAILURE,DELAY", ORCPT="rfc822;x"))
    assert sending.onward(to(SALES, ONE, NOTIFY="FAILURE,SUCCESS"))


@pytest.mark.parametrize(
    ("onward", "notify", "passed_on", "added"),
    [
        # RFC 3461 §5.2.1 (c): what is only passed on keeps it as it is.
        ((SALES,), "", "", b""),
        ((SALES,), "SUCCESS,DELAY", "SUCCESS,DELAY", b""),
        # §5.2.7.2: and so does what has one address to be forwarded to.
        ((X,), "SUCCESS", "SUCCESS", b"Delivered-To: Sales@b.example\r\n"),
        # §5.2.7.3 (c): with several, all but success.
        ((X, Y), "", "", b"Delivered-To: Sales@b.example\r\n"),
        ((X, Y), "NEVER", "NEVER", b"Delivered-To: Sales@b.example\r\n"),
        ((X, Y), "SUCCESS,FAILURE,DELAY", "FAILURE,DELAY", b"Delivered-To: Sales@b.example\r\n"),
        ((X, Y), "SUCCESS", "NEVER", b"Delivered-To: Sales@b.example\r\n"),
    ],
)
def test_what_goes_on(onward: tuple[Address, ...], notify: str, passed_on: str, added: bytes) -> None:
    """NOTIFY and ORCPT are kept for every address, and each copy that is forwarded says from where."""
    parameters = {"NOTIFY": notify, "ORCPT": "rfc822;Old@c.example"} if notify else {}
    original = parameters.get("ORCPT", "")

    found = Sending().onward(Recipient(SALES, (), parameters, onward))

    assert found.recipients == [
        QueuedRecipient(each, each.domain, None, passed_on, original, added) for each in onward
    ]
    assert found.loops == {}


def test_a_mailbox_beside_what_goes_on() -> None:
    """Is one of several places, too."""
    (target,) = Sending().onward(to(SALES, ONE, onward=(X,), NOTIFY="SUCCESS,FAILURE")).recipients

    assert target.notify == "FAILURE"


def test_who_is_named_twice() -> None:
    """Gets it once, and so does who is told of; another wish, or another way there, is another recipient."""
    passed_on = to(X, onward=(X,))

    found = Sending().onward(passed_on, passed_on, to(X, onward=(X,), NOTIFY="NEVER"), to(SALES, onward=(X, Y, X)))

    assert [(str(each.address), each.notify, bool(each.added)) for each in found.recipients] == [
        ("x@else.example", "", False),
        ("x@else.example", "NEVER", False),
        ("x@else.example", "", True),
        ("y@more.example", "", True),
    ]
    assert told(to(SALES, ONE, NOTIFY="SUCCESS"), to(SALES, ONE, NOTIFY="SUCCESS")) == [
        ("Sales@b.example", ONE.path, DELIVERED)
    ]


@pytest.mark.parametrize("written", [b"Sales@b.example", b"<sales@B.EXAMPLE>", b'"sales"@b.example'])
def test_lesson_21_a_loop(written: bytes) -> None:
    """A Delivered-To of ours stops forwarding, however it is written by now."""
    found = Sending().onward(to(SALES, onward=(X, Y)), header=b"Delivered-To: " + written + b"\r\n")

    assert found.recipients == []
    assert found.loops == {SALES: LOOP}
    assert LOOP.status == "5.4.6"


def test_what_is_no_loop() -> None:
    """Another address, another field; and what is not ours is passed on, whatever others wrote about it."""
    header = b"Delivered-To: other@b.example\r\nX-Delivered-To: sales@b.example\r\nDelivered-To: x@else.example\r\n"

    found = Sending().onward(to(SALES, onward=(Y,)), to(X, onward=(X,)), header=header)

    assert [str(each.address) for each in found.recipients] == ["y@more.example", "x@else.example"]
    assert found.loops == {}


def test_the_envelope_is_kept() -> None:
    """RFC 3461 §5.2.1: RET and ENVID; who gave us the message, and until when it is tried."""
    sending = Sending()
    message = acceptance(to(X, onward=(X,)), BODY="8BITMIME", RET="HDRS", ENVID="Qq+= 1")

    settled(sending.dispatch.send_on(message, sending.draft, sending.dispatch.onward(message), []))

    ((queued, _, octets),) = sending.queue.accepted
    assert (queued.id, queued.reverse_path) == ("id1", Address("carol", "a.example"))
    assert (queued.arrived, queued.expires, queued.size) == (1000.0, 1500.0, len(MESSAGE))
    assert (queued.body, queued.ret, queued.envid) == ("8BITMIME", "HDRS", "Qq+= 1")
    assert (queued.origin, queued.arrived_from) == ("client.example [192.0.2.1]", "client.example ([192.0.2.1])")
    assert octets == MESSAGE


def test_where_our_users_are() -> None:
    """Is in no report."""
    sending = Sending()
    message = acceptance(to(X, onward=(X,)), login="carol@a.example")

    settled(sending.dispatch.send_on(message, sending.draft, sending.dispatch.onward(message), []))

    ((queued, _, _),) = sending.queue.accepted
    assert (queued.origin, queued.arrived_from) == ("carol@a.example", "")


def test_nothing_waits() -> None:
    """Then the queue is left alone."""
    sending = Sending()

    settled(sending.dispatch.send_on(acceptance(to(SALES, ONE)), sending.draft, Onward(), []))

    assert sending.queue.accepted == []


def test_mailboxes_that_have_to_wait() -> None:
    """Each once, under whom its sender wants to hear of, with what was asked for that recipient."""
    sending = Sending()
    message = acceptance(
        to(Address("never", "b.example"), ONE, NOTIFY="NEVER"),
        to(Address("one", "b.example"), ONE, NOTIFY="SUCCESS,FAILURE", ORCPT="rfc822;One@b.example"),
        to(Address("both", "b.example"), ONE, TWO, NOTIFY="SUCCESS"),
    )

    settled(sending.dispatch.send_on(message, sending.draft, Onward(), [ONE, TWO]))

    assert sending.queue.accepted[0][1] == (
        QueuedRecipient(
            Address("one", "b.example"), LOCAL, ONE, "SUCCESS,FAILURE", "rfc822;One@b.example"
        ),
        # A list that was told of as such: no success of its members.
        QueuedRecipient(Address("both", "b.example"), LOCAL, TWO, "NEVER"),
    )


# Who is told at once


def told(*recipients: Recipient, late: Sequence[Mailbox] = (), header: bytes = b"") -> list[tuple[str, str, Outcome]]:
    """Return who is told of, once a message for *recipients* is safe, but for the mailboxes that are *late*."""
    sending = Sending()
    message = acceptance(*recipients, header=header)
    settled(sending.dispatch.tell(message, sending.draft, sending.dispatch.onward(message), late))
    return sending.told()


def test_success_in_a_mailbox() -> None:
    """RFC 3461 §5.2.3: told to who asks for it, once for each recipient, when all of it is there."""
    assert told(to(SALES, ONE, NOTIFY="SUCCESS"), to(X, ONE, NOTIFY="FAILURE"), to(Y, TWO)) == [
        ("Sales@b.example", ONE.path, DELIVERED)
    ]
    assert told(to(SALES, ONE, TWO, NOTIFY="SUCCESS")) == [("Sales@b.example", ONE.path, DELIVERED)]
    assert told(to(SALES, ONE, NOTIFY="SUCCESS"), late=[ONE]) == []


def test_success_of_a_list() -> None:
    """RFC 3464 §2.3.3: where something still may fail it was expanded, and not delivered."""
    expanded = [("Sales@b.example", "list", DELIVERED)]

    assert told(to(SALES, onward=(X, Y), NOTIFY="SUCCESS")) == expanded
    assert told(to(SALES, ONE, onward=(X,), NOTIFY="SUCCESS")) == expanded
    assert told(to(SALES, ONE, TWO, NOTIFY="SUCCESS"), late=[TWO]) == expanded
    assert told(to(SALES, ONE, onward=(X,), NOTIFY="SUCCESS"), late=[ONE]) == expanded
    assert told(to(SALES, onward=(X, Y), NOTIFY="FAILURE")) == []


def test_success_of_what_is_only_passed_on() -> None:
    """Is not known yet (RFC 3461 §5.2.7.2: nor is it of an alias of one)."""
    assert told(to(X, onward=(X,), NOTIFY="SUCCESS"), to(SALES, onward=(Y,), NOTIFY="SUCCESS")) == []


def test_success_where_the_loop_is_cut() -> None:
    """The mailbox has it, and nothing more is to come."""
    header = b"Delivered-To: sales@b.example\r\n"

    assert told(to(SALES, ONE, onward=(X,), NOTIFY="SUCCESS"), header=header) == [
        ("Sales@b.example", ONE.path, DELIVERED)
    ]
    assert told(to(SALES, onward=(X, Y), NOTIFY="SUCCESS"), header=header) == []


def test_loops_are_told() -> None:
    """Of those without a mailbox of their own; what the sender wants to hear is the report's to ask."""
    sending = Sending()
    message = acceptance(
        to(SALES, onward=(X,), NOTIFY="NEVER", ORCPT="rfc822;s"),
        to(Address("kept", "b.example"), ONE, onward=(X,)),
        to(Address("two", "b.example"), TWO),
        header=b"Delivered-To: sales@b.example\r\nDelivered-To: kept@b.example\r\n",
    )

    settled(sending.dispatch.tell_of_loops(message, sending.draft, sending.dispatch.onward(message)))

    ((job, outcomes, octets),) = sending.reports.told
    assert job.recipients == (QueuedRecipient(SALES, LOCAL, None, "NEVER", "rfc822;s"),)
    assert (outcomes, octets, job.purpose) == ([LOOP], MESSAGE, "try")


@pytest.mark.parametrize("trouble", [OSError("full"), ValueError("a fault of ours")])
def test_a_report_that_cannot_be_kept(trouble: Exception) -> None:
    """Of a success it is logged, and the message stays accepted; of a loop the caller hears of it."""
    sending = Sending()
    sending.reports.trouble = trouble
    good = acceptance(to(SALES, ONE, NOTIFY="SUCCESS"))
    looping = acceptance(to(SALES, onward=(X,)), header=b"Delivered-To: sales@b.example\r\n")

    with capturedLogs() as events:
        settled(sending.dispatch.tell(good, sending.draft, sending.dispatch.onward(good), []))
    assert [event["log_level"] for event in events] == [LogLevel.critical]

    with pytest.raises(type(trouble)):
        settled(sending.dispatch.tell_of_loops(looping, sending.draft, sending.dispatch.onward(looping)))


@pytest.mark.parametrize("octets", [100, MEMORY_OCTETS + 1])
def test_the_message_is_at_hand(tmp_path: Path, octets: int) -> None:
    """A report reads it without what is for mailboxes alone, in memory or from its file."""
    sending = Sending()
    draft = Draft(lambda: str(tmp_path / "draft"))
    draft.write(PREFIX + b"x" * octets)
    message = acceptance(to(SALES, ONE, NOTIFY="SUCCESS"))

    settled(sending.dispatch.tell(message, cast(IDraft, draft), sending.dispatch.onward(message), []))

    assert (draft.path is not None) is (octets > MEMORY_OCTETS)
    assert [each for _, _, each in sending.reports.told] == [b"x" * octets]
    draft.discard()
