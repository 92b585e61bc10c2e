"""The one acceptance path (architecture: durability): a place for each recipient, durably, or none (lesson 27)."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred

from mailsuite.address import Address
from mailsuite.envelope import Acceptance, Envelope, Peer, Recipient
from mailsuite.interfaces import IDraft
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED, Outcome
from mailsuite.outcome import Deferred as PutOff
from mailsuite.queued import LOCAL
from mailsuite.service.dispatch import LOOP, Dispatch
from mailsuite.service.intake import Intake
from tests.doubles import MemoryDraft, MemoryMail
from tests.doubles_pop3 import settled
from tests.doubles_queue import DomainRouter, IdleRunner, KeptReports, MemoryQueue

ONE, TWO = Mailbox(1, "b.example/one"), Mailbox(2, "b.example/two")
NO = PutOff("4.2.0", "as a test wants it")
PREFIX = b"Return-Path: <carol@a.example>\r\n"
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"


def address(text: str) -> Address:
    """Return *text* as an address."""
    return Address(*text.split("@"))


def local(*boxes: Mailbox, to: str = "one@b.example", **parameters: str) -> Recipient:
    """Return a recipient with mailboxes here."""
    return Recipient(address(to), boxes, parameters)


def elsewhere(to: str, **parameters: str) -> Recipient:
    """Return a recipient of another system."""
    return Recipient(address(to), (), parameters, (address(to),))


def alias(to: str, *targets: str, boxes: tuple[Mailbox, ...] = (), **parameters: str) -> Recipient:
    """Return an alias of ours that leads to other systems, and perhaps to mailboxes as well."""
    return Recipient(address(to), boxes, parameters, tuple(address(target) for target in targets))


class Taking:
    """An intake between doubles."""

    def __init__(self) -> None:
        self.store = MemoryMail()
        self.queue = MemoryQueue()
        self.runner = IdleRunner()
        self.reports = KeptReports()
        dispatch = Dispatch(self.queue, self.runner, DomainRouter(), self.reports, lambda: 1000.0, 500.0)
        self.intake = Intake(self.store, dispatch)
        self.draft = MemoryDraft()
        self.draft.write(PREFIX + MESSAGE)

    def accept(
        self, *recipients: Recipient, header: bytes = b"", each: bool = False, **parameters: str
    ) -> list[Outcome]:
        """Take in a message for *recipients*; *each* of them has an answer of its own."""
        envelope = Envelope(address("carol@a.example"), parameters, list(recipients))
        peer = Peer("192.0.2.1")
        acceptance = Acceptance("id1", envelope, len(PREFIX), header, peer, "client.example", each=each)
        return list(cast(Sequence[Outcome], settled(self.intake.accept(acceptance, cast(IDraft, self.draft)))))

    @property
    def withdrawn(self) -> bool:
        """Whether the names in the mailboxes were taken back."""
        return self.store.deliveries[0][2].withdrawn

    def queued(self) -> list[tuple[str, str]]:
        """Return the recipients that wait in the queue, and their destinations."""
        return [(str(each.address), each.destination) for _, found, _ in self.queue.accepted for each in found]


def test_delivered_at_once() -> None:
    """Where the barrier was passed in place there are outcomes, and nothing to wait for; the queue is not touched."""
    taking = Taking()

    assert taking.accept(local(ONE), local(TWO)) == [DELIVERED, DELIVERED]
    assert not taking.withdrawn
    assert taking.queue.accepted == []


def test_delivered_after_the_barrier() -> None:
    """Where it runs, there is no outcome before it has ended."""
    taking = Taking()
    taking.store.pending = Deferred()
    outcomes: list[Sequence[Outcome]] = []
    envelope = Envelope(None, {}, [local(ONE)])
    waited: Any = taking.intake.accept(Acceptance("id", envelope), cast(IDraft, taking.draft))
    Deferred.fromCoroutine(waited).addCallback(outcomes.append)
    assert outcomes == []
    taking.store.pending.callback(None)

    assert outcomes == [(DELIVERED,)]


def test_a_mailbox_counts_once() -> None:
    """However many recipients lead there."""
    taking = Taking()

    taking.accept(local(ONE), local(TWO, ONE, to="both@b.example"))

    assert taking.store.deliveries[0][1] == [ONE, TWO]


def test_one_mailbox_of_two_refuses() -> None:
    """It waits in the queue; both are safe."""
    taking = Taking()
    taking.store.refusals = {TWO: NO}

    assert taking.accept(local(ONE), local(TWO, to="two@b.example")) == [DELIVERED, DELIVERED]
    assert taking.queued() == [("two@b.example", LOCAL)]
    assert taking.queue.accepted[0][1][0].mailbox == TWO
    assert taking.queue.accepted[0][2] == MESSAGE
    assert not taking.withdrawn
    assert taking.draft.discarded


def test_each_has_an_outcome_of_its_own() -> None:
    """RFC 2033 §4.2: where the peer is told of each, what a mailbox cannot take is the peer's to try again."""
    taking = Taking()
    taking.store.refusals = {TWO: NO}

    outcomes = taking.accept(local(ONE), local(TWO, to="two@b.example"), local(ONE), each=True)

    assert outcomes == [DELIVERED, NO, DELIVERED]
    assert taking.queued() == []
    assert taking.store.deliveries[0][1] == [ONE, TWO]
    assert not taking.withdrawn
    assert taking.draft.discarded


def test_who_has_a_part_already_does_not_come_again() -> None:
    """Of a recipient that leads to several places the rest is ours; who shares that mailbox is served by it."""
    taking = Taking()
    three, four = Mailbox(3, "b.example/three"), Mailbox(4, "b.example/four")
    taking.store.refusals = {TWO: NO, three: NO, four: NO}

    outcomes = taking.accept(
        local(four, to="four@b.example"),
        local(TWO, three, to="later@b.example"),
        local(TWO, to="two@b.example"),
        local(ONE, TWO, to="both@b.example"),
        each=True,
    )

    assert outcomes == [NO, DELIVERED, DELIVERED, DELIVERED]
    assert sorted(each.mailbox.id for each in taking.queue.accepted[0][1] if each.mailbox) == [2, 3]


def test_what_goes_elsewhere_takes_its_mailboxes_along() -> None:
    """An alias with a member elsewhere goes on by the queue, with a mailbox that could not be written to."""
    taking = Taking()
    taking.store.refusals = {ONE: NO}

    assert taking.accept(alias("team@b.example", "x@else.example", boxes=(ONE,)), each=True) == [DELIVERED]
    assert sorted(taking.queued()) == [("team@b.example", LOCAL), ("x@else.example", "else.example")]


def test_none_of_several_places() -> None:
    """Where nothing of a recipient could be done nothing is kept of it, nor told."""
    taking = Taking()
    taking.store.refusals = {ONE: NO, TWO: NO}
    three = Mailbox(3, "b.example/three")

    both = local(ONE, TWO, to="both@b.example", NOTIFY="SUCCESS")
    served = local(three, to="three@b.example", NOTIFY="SUCCESS")
    assert taking.accept(both, served, each=True) == [NO, DELIVERED]
    assert taking.queued() == []
    assert taking.reports.told == [("three@b.example", DELIVERED)]


def test_a_loop_is_said_to_its_recipient_and_reported_to_nobody() -> None:
    """The peer reports what it was refused."""
    taking = Taking()
    header = b"Delivered-To: fwd@b.example\r\n"

    outcomes = taking.accept(alias("fwd@b.example", "x@else.example"), local(ONE), header=header, each=True)

    assert outcomes == [LOOP, DELIVERED]
    assert taking.reports.told == []


def test_no_mailbox_can_be_written_to() -> None:
    """Nothing is kept and nothing queued: the peer is told to come back."""
    taking = Taking()
    taking.store.refusals = {ONE: NO}
    taking.store.trouble = AssertionError("no barrier is needed")

    assert taking.accept(local(ONE)) == [NO]
    assert taking.withdrawn
    assert taking.queue.accepted == []
    assert taking.draft.discarded


@pytest.mark.parametrize("later", [False, True])
def test_the_barrier_fails(later: bool) -> None:
    """Each recipient is put off, the names are taken back, and nothing is queued."""
    taking = Taking()
    taking.store.trouble = OSError(5, "Input/output error")
    taking.store.pending = Deferred() if later else None
    if taking.store.pending is not None:
        taking.store.pending.callback(None)

    outcomes = taking.accept(local(ONE), elsewhere("x@else.example"))

    assert [type(outcome) for outcome in outcomes] == [PutOff, PutOff]
    assert taking.withdrawn
    assert taking.queue.accepted == []
    assert taking.draft.discarded


def test_onward() -> None:
    """What is for others is queued with its envelope, without Return-Path, and begun at once."""
    taking = Taking()
    onward = elsewhere("x@else.example", NOTIFY="FAILURE", ORCPT="rfc822;x@y.example")

    outcomes = taking.accept(onward, BODY="8BITMIME", RET="HDRS", ENVID="e1")

    assert outcomes == [DELIVERED]
    ((message, (recipient,), octets),) = taking.queue.accepted
    assert octets == MESSAGE
    assert (message.id, str(message.reverse_path)) == ("id1", "carol@a.example")
    assert (message.arrived, message.expires, message.size) == (1000.0, 1500.0, len(MESSAGE))
    assert (message.body, message.ret, message.envid) == ("8BITMIME", "HDRS", "e1")
    assert (message.origin, message.arrived_from) == ("client.example [192.0.2.1]", "client.example ([192.0.2.1])")
    assert (recipient.notify, recipient.original, recipient.added) == ("FAILURE", "rfc822;x@y.example", b"")
    assert [each.destination for each in taking.runner.begun] == ["else.example"]
    assert taking.store.deliveries == []


def test_both_ways() -> None:
    """The content is written to the mailbox first; the queue's commit is the last step before the promise."""
    taking = Taking()

    assert taking.accept(local(ONE), elsewhere("x@else.example")) == [DELIVERED, DELIVERED]
    assert taking.store.deliveries[0][0] == PREFIX + MESSAGE
    assert taking.queued() == [("x@else.example", "else.example")]


def test_the_queue_fails() -> None:
    """All recipients are put off and the mailbox shows nothing."""
    taking = Taking()
    taking.queue.trouble = OSError(28, "No space left on device")

    outcomes = taking.accept(local(ONE), elsewhere("x@else.example"))

    assert [type(outcome) for outcome in outcomes] == [PutOff, PutOff]
    assert taking.withdrawn
    assert taking.runner.begun == []


def test_an_alias_that_leads_elsewhere() -> None:
    """The copy says whom it was for; what the sender asked for goes on with it (RFC 3461 §5.2.7.2)."""
    taking = Taking()

    taking.accept(alias("sales@b.example", "x@else.example", NOTIFY="SUCCESS", ORCPT="rfc822;Sales@B.example"))

    ((_, (recipient,), _),) = taking.queue.accepted
    assert recipient.added == b"Delivered-To: sales@b.example\r\n"
    assert recipient.accepted == address("sales@b.example")
    assert recipient.original == "rfc822;Sales@B.example"
    assert recipient.notify == "SUCCESS"
    assert taking.reports.told == []


def test_an_alias_without_an_original() -> None:
    """RFC 3461 §6.3 (d): what the sender has not given is not made up."""
    taking = Taking()

    taking.accept(alias("sales@b.example", "x@else.example"))

    ((_, (recipient,), _),) = taking.queue.accepted
    assert (recipient.original, recipient.notify) == ("", "")


def test_a_list_reports_its_own_success() -> None:
    """The list was reached: that is the success; its members' is nobody's business."""
    taking = Taking()

    taking.accept(alias("list@b.example", "x@else.example", "y@else.example", NOTIFY="SUCCESS,FAILURE"))
    assert [each.notify for each in taking.queue.accepted[0][1]] == ["FAILURE", "FAILURE"]
    assert taking.reports.told == [("list@b.example", DELIVERED)]


def test_a_list_with_a_mailbox_that_has_to_wait() -> None:
    """RFC 3464 §3: one word of success for an address, and not a second one from the queue."""
    taking = Taking()
    taking.store.refusals = {TWO: NO}

    taking.accept(alias("list@b.example", "x@else.example", boxes=(ONE, TWO), NOTIFY="SUCCESS"))

    assert taking.reports.told == [("list@b.example", DELIVERED)]
    assert [each.notify for each in taking.queue.accepted[0][1]] == ["NEVER", "NEVER"]


def test_a_list_whose_sender_wants_success_alone() -> None:
    """Its members' failure is not told: they did not ask for it."""
    taking = Taking()

    taking.accept(alias("list@b.example", "x@else.example", "y@else.example", NOTIFY="SUCCESS"))

    assert [each.notify for each in taking.queue.accepted[0][1]] == ["NEVER", "NEVER"]


def test_success_of_a_mailbox_is_told() -> None:
    """RFC 3461 §5.2.3, to who asks for it, once the message is safe."""
    taking = Taking()

    taking.accept(local(ONE, NOTIFY="SUCCESS"), local(TWO, to="two@b.example", NOTIFY="FAILURE"))

    assert taking.reports.told == [("one@b.example", DELIVERED)]
    assert taking.draft.discarded


def test_no_success_before_it_is_one() -> None:
    """A mailbox that has to wait is not told of as delivered; the queue will."""
    taking = Taking()
    taking.store.refusals = {ONE: NO}

    taking.accept(local(ONE, NOTIFY="SUCCESS"), local(TWO, to="two@b.example"))

    assert taking.reports.told == []
    assert taking.queue.accepted[0][1][0].notify == "SUCCESS"


def test_a_report_that_cannot_be_kept() -> None:
    """Is no reason to refuse the message that is safe."""
    taking = Taking()
    taking.reports.trouble = OSError("full")

    assert taking.accept(local(ONE, NOTIFY="SUCCESS")) == [DELIVERED]
    assert not taking.withdrawn


def test_a_forwarding_loop() -> None:
    """A message that was forwarded from this alias before is refused (lesson 21)."""
    taking = Taking()
    header = b"Delivered-To: Sales@B.example\r\nSubject: x\r\n"

    assert taking.accept(alias("sales@b.example", "x@else.example"), header=header) == [LOOP]
    assert taking.queue.accepted == []
    assert taking.draft.discarded


def test_a_forwarding_loop_beside_others() -> None:
    """The others get it, and the sender is told of the one that does not."""
    taking = Taking()
    header = b"Delivered-To: sales@b.example\r\n"

    outcomes = taking.accept(alias("sales@b.example", "x@else.example"), local(ONE), header=header)

    assert outcomes == [LOOP, DELIVERED]
    assert taking.reports.told == [("sales@b.example", LOOP)]
    assert not taking.withdrawn


def test_a_loop_whose_report_cannot_be_kept() -> None:
    """Nobody would ever hear of that recipient: nothing is promised, shown or queued, and the peer comes again."""
    taking = Taking()
    taking.reports.trouble = OSError("full")
    header = b"Delivered-To: sales@b.example\r\n"

    outcomes = taking.accept(
        alias("sales@b.example", "x@else.example"), local(ONE), elsewhere("y@else.example"), header=header
    )

    assert [type(outcome) for outcome in outcomes] == [PutOff, PutOff, PutOff]
    assert taking.withdrawn
    assert taking.queue.accepted == []
    assert taking.draft.discarded


def test_a_loop_and_a_queue_that_fails() -> None:
    """The report is out by then, and may come twice: rather that than never."""
    taking = Taking()
    taking.queue.trouble = OSError("full")
    header = b"Delivered-To: sales@b.example\r\n"

    outcomes = taking.accept(alias("sales@b.example", "x@else.example"), elsewhere("y@else.example"), header=header)

    assert [type(outcome) for outcome in outcomes] == [PutOff, PutOff]
    assert taking.reports.told == [("sales@b.example", LOOP)]


def test_a_fault_of_ours_promises_nothing() -> None:
    """Whatever is raised before the promise: the mailbox shows nothing."""
    taking = Taking()
    taking.queue.trouble = cast(OSError, ValueError("a fault of ours"))

    with pytest.raises(ValueError, match="a fault of ours"):
        taking.accept(local(ONE), elsewhere("x@else.example"))
    assert taking.withdrawn
    assert taking.draft.discarded


def test_a_draft_that_cannot_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a leftover, and takes nothing back of what is safe."""
    taking = Taking()

    def discard() -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(taking.draft, "discard", discard)

    assert taking.accept(local(ONE), elsewhere("x@else.example")) == [DELIVERED, DELIVERED]
    assert not taking.withdrawn


def test_a_forwarding_loop_with_a_mailbox() -> None:
    """Who keeps a copy of what is forwarded keeps it all the same."""
    taking = Taking()
    header = b"Delivered-To: sales@b.example\r\n"

    outcomes = taking.accept(alias("sales@b.example", "x@else.example", boxes=(ONE,)), header=header)

    assert outcomes == [DELIVERED]
    assert taking.queue.accepted == []
    assert len(taking.store.deliveries) == 1


def test_what_the_runner_does_not_admit_waits() -> None:
    """It is queued all the same, and nobody begins it."""
    taking = Taking()
    taking.runner.admitting = False

    assert taking.accept(elsewhere("x@else.example")) == [DELIVERED]
    assert taking.queued() == [("x@else.example", "else.example")]
    assert taking.runner.begun == []
