"""The one acceptance path (architecture: durability): all of the mailboxes durably, or none (lesson 27)."""

from collections.abc import Sequence
from typing import cast

import pytest
from twisted.internet.defer import Deferred

from mailsuite.interfaces import IDraft
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED, Outcome
from mailsuite.outcome import Deferred as PutOff
from mailsuite.service.intake import Intake
from tests.doubles import MemoryDraft, MemoryMail
from tests.doubles_pop3 import settled

BOXES = [Mailbox(1, "b.example/one"), Mailbox(2, "b.example/two")]
NO = PutOff("4.2.0", "as a test wants it")


def accept(store: MemoryMail) -> object:
    """Take in a message for both mailboxes."""
    return Intake(store).accept(cast(IDraft, MemoryDraft()), BOXES)


def test_delivered_at_once() -> None:
    """Where the barrier was passed in place there are outcomes, and nothing to wait for."""
    store = MemoryMail()

    assert settled(accept(store)) == (DELIVERED, DELIVERED)
    assert not store.deliveries[0][2].withdrawn


def test_delivered_later() -> None:
    """Where it runs, there is no outcome before it has ended."""
    store = MemoryMail()
    store.pending = Deferred()
    outcomes: list[Sequence[Outcome]] = []
    Deferred.fromCoroutine(accept(store)).addCallback(outcomes.append)  # type: ignore[arg-type]
    assert outcomes == []
    store.pending.callback(None)

    assert outcomes == [(DELIVERED, DELIVERED)]


def test_one_mailbox_refuses() -> None:
    """What was named elsewhere is taken back, and there is nothing to make durable."""
    store = MemoryMail()
    store.refusals = {BOXES[1]: NO}
    store.trouble = AssertionError("no barrier is needed")

    assert list(cast(Sequence[Outcome], settled(accept(store)))) == [DELIVERED, NO]
    assert store.deliveries[0][2].withdrawn


@pytest.mark.parametrize("later", [False, True])
def test_the_barrier_fails(later: bool) -> None:
    """Each recipient is put off, and the names are taken back."""
    store = MemoryMail()
    store.trouble = OSError(5, "Input/output error")
    store.pending = Deferred() if later else None
    if store.pending is not None:
        store.pending.callback(None)
    outcomes = cast(Sequence[Outcome], settled(accept(store)))

    assert [type(outcome) for outcome in outcomes] == [PutOff, PutOff]
    assert store.deliveries[0][2].withdrawn
