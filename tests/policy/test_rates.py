"""How much may come in a time: each figure and one past it, by address and by login."""

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.envelope import Peer
from mailsuite.interfaces import IRates
from mailsuite.meaning import Login
from mailsuite.policy.rates import ADDRESS_WINDOW, LOGIN_WINDOW, Allowances, Rates
from mailsuite.policy.state import MemoryState

HOME = Peer("2001:db8::1", 1025)
NEIGHBOUR = Peer("2001:db8::2", 1025)
STRANGER = Peer("2001:db8:0:1::1", 1025)
FRIEND = Peer("198.51.100.25", 1025)
ALICE = Login(1, "alice@example.org", None)
BOB = Login(2, "bob@example.org", None)
# A slice of a window may count for so much longer (policy/state.py).
SLICE = 17 / 16


@pytest.fixture
def clock() -> Clock:
    """The time that the rates go by."""
    return Clock()


def rates(clock: Clock, messages: int = 2, recipients: int = 3, login: int = 4, addressed: int = 5) -> Rates:
    """Return rates with these figures."""
    allowances = Allowances(messages, recipients, login, addressed)
    return Rates(allowances, MemoryState(clock.seconds), lambda peer: peer == FRIEND)


def test_they_are_rates(clock: Clock) -> None:
    """Class and object provide the interface."""
    assert verifyClass(IRates, Rates)
    assert verifyObject(IRates, rates(clock))


def test_messages_of_an_address(clock: Clock) -> None:
    """One /64 together; another has its own share."""
    judge = rates(clock).message

    assert [judge(HOME, None), judge(NEIGHBOUR, None), judge(HOME, None)] == ["", "", "message_rate"]
    assert judge(STRANGER, None) == ""


def test_recipients_of_an_address(clock: Clock) -> None:
    """Counted apart from messages."""
    both = rates(clock)

    assert [both.recipient(HOME, None) for _ in range(4)] == ["", "", "", "recipient_rate"]
    assert both.message(HOME, None) == ""


@pytest.mark.parametrize(("what", "most"), [("message", 4), ("recipient", 5)])
def test_logins(clock: Clock, what: str, most: int) -> None:
    """A login has one share wherever it comes from, exempt or not."""
    judge = getattr(rates(clock), what)
    peers = [HOME, STRANGER, FRIEND, Peer("unix"), HOME]

    assert [judge(peer, ALICE) for peer in peers[:most]] == [""] * most
    assert judge(FRIEND, ALICE) == f"login_{what}s"
    assert judge(HOME, BOB) == ""
    clock.advance(LOGIN_WINDOW * SLICE)
    assert judge(HOME, ALICE) == ""


def test_what_is_refused_does_not_count(clock: Clock) -> None:
    """Who tries all the time still gets its share."""
    judge = rates(clock).message
    taken = 0
    for _ in range(600):
        taken += judge(HOME, None) == ""
        clock.advance(1)

    assert 2 * 600 / (ADDRESS_WINDOW * SLICE) - 2 <= taken <= 2 * 600 / ADDRESS_WINDOW


def test_exempt_peers(clock: Clock) -> None:
    """Any amount, as long as there is no login."""
    both = rates(clock)

    assert {both.message(FRIEND, None) + both.recipient(FRIEND, None) for _ in range(50)} == {""}


def test_zero_is_any_number(clock: Clock) -> None:
    """Of each."""
    both = rates(clock, 0, 0, 0, 0)

    assert {both.message(HOME, who) + both.recipient(HOME, who) for _ in range(50) for who in (None, ALICE)} == {""}
