"""Delivery of queued mail into mailboxes."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery import local
from mailsuite.delivery.local import LocalDelivery
from mailsuite.meaning import CannotJudge, Mailbox
from mailsuite.outcome import DELIVERED, Failed, Outcome
from mailsuite.outcome import Deferred as PutOff
from mailsuite.queued import Job
from tests.doubles import MemoryMail
from tests.doubles_delivery import MESSAGE, Contents, job, recipient
from tests.doubles_pop3 import in_thread

BOB = Mailbox(1, "b.example/bob")
EVE = Mailbox(2, "b.example/eve")
RETURN_PATH = b"Return-Path: <alice@example.org>\r\n"


def to(box: Mailbox = BOB, **more: Any) -> Any:
    return recipient(f"{box.path.partition('/')[2]}@b.example", mailbox=box, **more)


def same(box: Mailbox) -> Mailbox:
    """Nothing became of it."""
    return box


def begin(store: MemoryMail, work: Job, contents: Contents | None = None, **more: Any) -> Deferred[Sequence[Outcome]]:
    target = LocalDelivery(store, more.get("current", same), more.get("threads", in_thread))
    return Deferred.fromCoroutine(target.deliver(work, contents or Contents()))


def deliver(store: MemoryMail, work: Job, contents: Contents | None = None, **more: Any) -> Sequence[Outcome]:
    return SynchronousTestCase().successResultOf(begin(store, work, contents, **more))


def test_delivered_with_its_return_path() -> None:
    """The reverse-path is written down, as final delivery must (RFC 5321 §4.4)."""
    store = MemoryMail()

    assert deliver(store, job(to())) == [DELIVERED]
    ((content, mailboxes, receipt),) = store.deliveries
    assert content == RETURN_PATH + MESSAGE
    assert mailboxes == [BOB]
    assert not receipt.withdrawn


def test_null_reverse_path() -> None:
    """A report's is empty."""
    store = MemoryMail()

    deliver(store, job(to(), reverse_path=None))

    assert store.deliveries[0][0].startswith(b"Return-Path: <>\r\n")


def test_one_copy_for_all() -> None:
    """Recipients with the same octets share what is written, and a mailbox gets it once."""
    store = MemoryMail()

    assert deliver(store, job(to(), to(EVE), to())) == [DELIVERED] * 3
    assert [mailboxes for _, mailboxes, _ in store.deliveries] == [[BOB, EVE]]


def test_added_fields() -> None:
    """Who gets other fields gets another copy."""
    store = MemoryMail()

    deliver(store, job(to(added=b"Delivered-To: list@b.example\r\n"), to(EVE)))

    assert [(content, mailboxes) for content, mailboxes, _ in store.deliveries] == [
        (RETURN_PATH + b"Delivered-To: list@b.example\r\n" + MESSAGE, [BOB]),
        (RETURN_PATH + MESSAGE, [EVE]),
    ]


@pytest.mark.parametrize("late", [False, True])
def test_content_that_is_not_at_hand(late: bool) -> None:
    """It is read from the queue, piece by piece."""
    store, contents = MemoryMail(), Contents(b"Subject: x\r\n", b"\r\n", b"Text\r\n", late=late)

    assert deliver(store, job(to(), content=None, size=22), contents) == [DELIVERED]
    assert store.deliveries[0][0] == RETURN_PATH + b"Subject: x\r\n\r\nText\r\n"
    assert [each.closed for each in contents.opened] == [1]


def test_each_its_own_outcome() -> None:
    """A mailbox that cannot be written to is no trouble of the others'."""
    store = MemoryMail()
    store.refusals[EVE] = PutOff("4.2.2", "full")

    assert deliver(store, job(to(), to(EVE))) == [DELIVERED, PutOff("4.2.2", "full")]
    assert store.drafts[0].discarded == 1


def test_no_room() -> None:
    """Nothing is written, and other messages would fare no better."""
    store = MemoryMail()
    store.room = len(MESSAGE) - 1

    assert deliver(store, job(to(), to(EVE))) == [local.NO_ROOM] * 2
    assert not store.drafts
    assert local.NO_ROOM.whole


def put_off(outcomes: Sequence[Outcome]) -> bool:
    return all(isinstance(outcome, PutOff) and outcome.status == "4.3.0" for outcome in outcomes)


def test_a_barrier_that_failed() -> None:
    """What is not durable was not delivered: the names are taken back."""
    store = MemoryMail()
    store.trouble = OSError("EIO")

    assert put_off(deliver(store, job(to(), to(EVE))))
    assert store.deliveries[0][2].withdrawn


def test_delivered_is_durable() -> None:
    """There is no outcome before the barrier has ended."""
    store = MemoryMail()
    store.pending = Deferred()
    pending = begin(store, job(to()))
    assert not pending.called

    store.pending.callback(None)

    assert SynchronousTestCase().successResultOf(pending) == [DELIVERED]


def test_no_barrier_for_nothing() -> None:
    """Where no mailbox took it there is nothing to be made durable."""
    store = MemoryMail()
    store.refusals[BOB] = PutOff("4.2.2", "full")
    store.trouble = OSError("asked for a barrier")

    assert deliver(store, job(to())) == [PutOff("4.2.2", "full")]


def test_a_draft_that_cannot_be_written() -> None:
    """The disk says no: later."""
    store = MemoryMail()
    store.draft_trouble = OSError("ENOSPC")

    assert put_off(deliver(store, job(to())))
    assert store.drafts[0].discarded == 1
    assert not store.deliveries


@pytest.mark.parametrize("where", ["trouble", "read_trouble"])
def test_content_that_cannot_be_read(where: str) -> None:
    """Nothing of it gets into a mailbox."""
    store, contents = MemoryMail(), Contents(b"half")
    setattr(contents, where, OSError("EIO"))

    assert put_off(deliver(store, job(to(), content=None, size=22), contents))
    assert not store.deliveries
    assert all(each.closed == 1 for each in contents.opened)


def test_a_mailbox_that_was_removed_meanwhile() -> None:
    """Its files are not made anew: the sender is told that there is no such user. The others get theirs."""
    store = MemoryMail()

    outcomes = deliver(store, job(to(), to(EVE), to()), current=lambda box: None if box == BOB else box)

    assert outcomes == [local.GONE, DELIVERED, local.GONE]
    assert [mailboxes for _, mailboxes, _ in store.deliveries] == [[EVE]]
    assert isinstance(local.GONE, Failed)
    assert local.GONE.status == "5.1.1"


def test_all_mailboxes_were_removed() -> None:
    """Nothing is written at all."""
    store = MemoryMail()

    assert deliver(store, job(to()), current=lambda box: None) == [local.GONE]
    assert not store.drafts


@pytest.mark.parametrize("late", [False, True])
def test_a_mailbox_that_was_moved_meanwhile(late: bool) -> None:
    """Mail goes to where it is now."""
    store, moved = MemoryMail(), Mailbox(BOB.id, "c.example/bob")

    outcomes = deliver(store, job(to()), current=lambda box: succeed(moved) if late else moved)

    assert outcomes == [DELIVERED]
    assert store.deliveries[0][1] == [moved]


@pytest.mark.parametrize("trouble", [sqlite3.DatabaseError("malformed"), CannotJudge("away")])
def test_accounts_that_cannot_be_read(trouble: Exception) -> None:
    """That is no word about a mailbox: later."""
    store = MemoryMail()

    def unreadable(box: Mailbox) -> Mailbox:
        """Stand for a damaged file, or a database that is away."""
        raise trouble

    (outcome,) = deliver(store, job(to()), current=unreadable)

    assert outcome == local.NO_ACCOUNTS
    assert not store.drafts


def test_a_large_message_does_not_keep_the_reactor() -> None:
    """Every piece is read and written in a thread, and others have their turn between two of them."""
    store, contents = MemoryMail(), Contents(b"one\r\n", b"two\r\n")
    turns: list[tuple[str, Deferred[None]]] = []

    async def threads(function: Any, argument: Any) -> Any:
        """Run *function* when it is told to."""
        turns.append((function.__name__, Deferred()))
        await turns[-1][1]
        return function(argument)

    pending = begin(store, job(to(), content=None, size=10), contents, threads=threads)
    for at, name in enumerate(["read", "write", "read", "write", "read"]):
        assert [called for called, _ in turns[at:]] == [name]
        assert not pending.called
        turns[at][1].callback(None)

    assert SynchronousTestCase().successResultOf(pending) == [DELIVERED]
    assert store.deliveries[0][0] == RETURN_PATH + b"one\r\ntwo\r\n"
