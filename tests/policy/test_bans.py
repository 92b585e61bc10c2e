"""Bans in memory: whom they keep out of what, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit
from mailsuite.policy.bans import ALL, BANNED, LOGINS, OPERATOR, SERVER, Ban, Bans, NotBanned, network_subject
from mailsuite.policy.connections import ConnectionCaps, ConnectionLimit
from mailsuite.policy.state import MemoryState

ALICE = "alice@b.example"
HOME = Peer("192.0.2.7")


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def bans(clock: Clock) -> Bans:
    """No bans yet; some login is known at 192.0.2.99."""
    return Bans(clock.seconds, lambda peer: peer.host == "192.0.2.99", most=4)


def server(subject: str, until: float | None = 60.0) -> Ban:
    """Return a ban of our own making."""
    return Ban(subject, until, "guesses", SERVER, LOGINS, 0.0)


@pytest.mark.parametrize(
    ("subject", "inside", "outside"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("192.0.2.7", "::ffff:192.0.2.7", "::1"),
        ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("2001:db8::/64", "2001:db8::1:2:3:4", "2001:db8:0:1::1"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ("::/0", "2001:db8::1", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7", "unix"),
        ("192.0.2.7", "192.0.2.7", "unknown"),
    ],
)
def test_whom_a_network_has(bans: Bans, subject: str, inside: str, outside: str) -> None:
    """IPv4 and IPv6, mapped addresses, and peers that have none."""
    bans.put(server(subject))

    assert bans.forbids(Peer(inside), "", False)
    assert not bans.forbids(Peer(outside), "", False)
    assert bans.keeps_out(Peer(inside), True)
    assert not bans.keeps_out(Peer(outside), True)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8::1/64", "2001:db8::/64"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_subject_has_one_form(text: str, subject: str) -> None:
    """However it is written."""
    assert network_subject(text) == subject


@pytest.mark.parametrize("text", ["", "x", "192.0.2.300", "192.0.2.0/33", "192.0.2", "fe80::1%eth0/64"])
def test_what_is_no_subject(text: str) -> None:
    """It is said so."""
    with pytest.raises(ValueError, match=r"."):
        network_subject(text)


def test_a_ban_ends(bans: Bans, clock: Clock) -> None:
    """At its time, to the second; one without a time does not."""
    bans.put(server("192.0.2.7", 60))
    bans.put(server(ALICE, None))
    clock.advance(59)
    assert bans.forbids(HOME, "", False)
    assert "192.0.2.7" in bans
    clock.advance(1)
    assert not bans.forbids(HOME, "", False)
    assert not bans.keeps_out(HOME, True)
    assert "192.0.2.7" not in bans
    assert bans.forbids(HOME, ALICE, False)


def test_our_own_ban_is_for_logins_alone(bans: Bans) -> None:
    """Mail is taken from there, and a login that is known from there may come."""
    bans.put(server("192.0.2.0/24"))

    assert bans.keeps_out(HOME, for_logins=True)
    assert not bans.keeps_out(HOME, for_logins=False)
    assert not bans.keeps_out(Peer("192.0.2.99"), for_logins=True)
    assert bans.forbids(Peer("192.0.2.99"), ALICE, known=False)
    assert not bans.forbids(Peer("192.0.2.99"), ALICE, known=True)


@pytest.mark.parametrize("covers", [LOGINS, ALL])
def test_an_operators_ban(bans: Bans, covers: str) -> None:
    """It holds for known ones too, and for mail where it says so."""
    bans.put(Ban("192.0.2.0/24", None, "", OPERATOR, ALL if covers == ALL else LOGINS, 0.0))

    for peer in (HOME, Peer("192.0.2.99")):
        assert bans.keeps_out(peer, for_logins=True)
        assert bans.keeps_out(peer, for_logins=False) == (covers == ALL)
        assert bans.forbids(peer, ALICE, known=True)


def test_all_can_be_replaced(bans: Bans, clock: Clock) -> None:
    """What is gone before its time is told."""
    bans.put(server("192.0.2.7", 10))
    bans.put(server("192.0.2.8", 60))
    bans.put(server(ALICE, 60))
    clock.advance(20)

    assert bans.replace([server("192.0.2.8", 60), server("2001:db8::/64")]) == [server(ALICE, 60)]
    assert len(bans) == 2
    assert bans.forbids(Peer("2001:db8::9"), "", False)


def test_there_is_a_bound(bans: Bans) -> None:
    """Beyond it the oldest of our own goes first, an operator's last."""
    bans.put(Ban("192.0.2.1", None, "", OPERATOR, LOGINS, 0.0))
    for last in range(2, 8):
        bans.put(server(f"192.0.2.{last}"))

    assert len(bans) == 4
    assert [last for last in range(1, 8) if bans.forbids(Peer(f"192.0.2.{last}"), "", False)] == [1, 5, 6, 7]

    for last in range(11, 20):
        bans.put(Ban(f"192.0.2.{last}", None, "", OPERATOR, LOGINS, 0.0))
    assert len(bans) == 4


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 255), st.integers(24, 32)), max_size=40))
def test_what_is_dropped_leaves_nothing_behind(steps: list[tuple[bool, int, int]]) -> None:
    """Put and drop in any order: as a plain set of networks would have it."""
    bans, model = Bans(lambda: 0.0, lambda peer: False), set()
    for put, last, length in steps:
        subject = network_subject(f"192.0.2.{last}/{length}")
        if put:
            bans.put(server(subject))
            model.add(subject)
        else:
            bans.drop(subject)
            model.discard(subject)
    assert len(bans) == len(model)
    for last in range(0, 256, 5):
        expected = any(network_subject(f"192.0.2.{last}/{length}") in model for length in range(24, 33))
        assert bans.forbids(Peer(f"192.0.2.{last}"), "", False) == expected
    assert bool(bans._networks) == bool(model)


def test_the_limit_on_connections(bans: Bans, clock: Clock) -> None:
    """Who is banned is not counted; all others are the limit's."""
    limit = ConnectionLimit("pop3", ConnectionCaps(1, 0, 0, 0), MemoryState(clock.seconds), lambda peer: False)
    gate = NotBanned(limit, lambda: bans, for_logins=True)
    assert verifyClass(IConnectionLimit, NotBanned)
    assert verifyObject(IConnectionLimit, gate)
    bans.put(server("192.0.2.7"))

    assert gate.admit(HOME) == BANNED
    assert gate.admit(Peer("192.0.2.8")) == ""
    assert gate.admit(Peer("192.0.2.8")) == "connections"
    gate.ended(Peer("192.0.2.8"))
    assert gate.admit(Peer("192.0.2.8")) == ""
