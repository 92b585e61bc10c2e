"""Caps on connections: each at its figure and one past it, whatever family the address is of."""

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit
from mailsuite.policy.connections import RATE_WINDOW, ConnectionCaps, ConnectionLimit
from mailsuite.policy.state import MemoryState

HOME = Peer("192.0.2.1", 1025)
FRIEND = Peer("198.51.100.25", 1025)


class Door:
    """A limit, its clock, and how often it was asked."""

    def __init__(self, connections: int = 100, address: int = 0, network: int = 0, rate: int = 0) -> None:
        self.clock = Clock()
        self.state = MemoryState(self.clock.seconds, counters=50)
        caps = ConnectionCaps(connections, address, network, rate)
        self.limit = ConnectionLimit("mta", caps, self.state, lambda peer: peer.host in (FRIEND.host, "unix"))

    def knock(self, *hosts: str) -> list[str]:
        """Return the answer to each connection of *hosts*."""
        return [self.limit.admit(Peer(host, 1025)) for host in hosts]


def test_it_is_a_connection_limit() -> None:
    """Class and object provide the interface."""
    assert verifyClass(IConnectionLimit, ConnectionLimit)
    assert verifyObject(IConnectionLimit, Door().limit)


def test_all_connections() -> None:
    """The cap on all holds for everybody, exempt or not, and one that ends makes room for one."""
    door = Door(connections=2)

    assert door.knock("192.0.2.1", "198.51.100.25") == ["", ""]
    assert door.knock("203.0.113.1", FRIEND.host, "unix") == ["connections"] * 3
    door.limit.ended(HOME)
    assert door.knock("203.0.113.1", "203.0.113.2") == ["", "connections"]


@pytest.mark.parametrize(
    ("same", "other"),
    [
        (["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"], "192.0.2.2"),
        (["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:1::"], "2001:db8:0:1::1"),
    ],
)
def test_one_address(same: list[str], other: str) -> None:
    """An IPv4 address, mapped or not, and an IPv6 /64 count as one."""
    door = Door(address=2)

    assert door.knock(*same) == ["", "", "address_connections"]
    assert door.knock(other) == [""]
    door.limit.ended(Peer(same[1], 1))
    assert door.knock(same[2], same[0]) == ["", "address_connections"]


@pytest.mark.parametrize(
    ("same", "other"),
    [
        (["192.0.2.1", "192.0.2.2", "192.0.2.255"], "192.0.3.1"),
        (["2001:db8:1::1", "2001:db8:1:2::1", "2001:db8:1:ffff::1"], "2001:db8:2::1"),
    ],
)
def test_one_network(same: list[str], other: str) -> None:
    """An IPv4 /24 and an IPv6 /48."""
    door = Door(network=2)

    assert door.knock(*same) == ["", "", "network_connections"]
    assert door.knock(other) == [""]
    door.limit.ended(Peer(same[0], 1))
    assert door.knock(same[2]) == [""]


def test_the_rate() -> None:
    """So many new ones in a minute, however soon they are gone; who goes on knocking stays outside."""
    door = Door(rate=3)
    for _ in range(3):
        assert door.knock("192.0.2.1") == [""]
        door.limit.ended(HOME)
    assert door.knock("192.0.2.1", "192.0.2.2") == ["connection_rate", ""]
    door.clock.advance(RATE_WINDOW - 1)
    assert door.knock("192.0.2.1") == ["connection_rate"]
    door.clock.advance(RATE_WINDOW + RATE_WINDOW / 16)
    assert door.knock("192.0.2.1") == [""]


def test_exempt_peers() -> None:
    """They are held by none but the cap on all, and are in the way of nobody else's share."""
    door = Door(address=1, network=1, rate=1)

    assert door.knock(*[FRIEND.host] * 5, *["unix"] * 5) == [""] * 10


def test_zero_is_any_number() -> None:
    """But for the cap on all, which always holds."""
    door = Door()

    assert door.knock(*["192.0.2.1"] * 100) == [""] * 100
    assert door.knock("192.0.2.1") == ["connections"]


def test_nothing_is_left_of_what_has_ended() -> None:
    """The tables are as long as the connections are many; a flood of addresses fills the counters to their bound."""
    door = Door(address=5, network=5, rate=5)
    peers = [Peer(f"10.{number >> 8}.{number & 255}.1", 1025) for number in range(1000)]
    for peer in peers:
        assert door.limit.admit(peer) == ("" if peer in peers[:100] else "connections")
    for peer in peers[:100]:
        door.limit.ended(peer)
    for peer in peers:
        assert door.limit.admit(peer) == ""
        door.limit.ended(peer)

    assert vars(door.state)["_held"] == {}
    assert len(vars(door.state)["_counters"]) == 50
