"""Caps on connections: by address, by network, of a listener in all, and on how fast new ones come.

What is open is counted here, so the tables are no longer than the number of connections; the rate is counted in
the shared state, which bounds itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit, ISharedState

# Within so many seconds `Caps.rate` new connections may come.
RATE_WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Caps:
    """The keys of ``[limits]`` that tell of connections; 0: any number."""

    connections: int
    address_connections: int
    network_connections: int
    connection_rate: int


@implementer(IConnectionLimit)
class ConnectionLimit:
    """The connections of the listener *name*. Peers that are *exempt* count, but only against the cap on all."""

    def __init__(self, name: str, caps: Caps, state: ISharedState, exempt: Callable[[Peer], bool]) -> None:
        self._caps = caps
        self._state = state
        self._exempt = exempt
        self._counter = f"connections {name} "
        self._open = 0
        # How many are open now, by address and by network; what has none is not in here.
        self._addresses: dict[str, int] = {}
        self._networks: dict[str, int] = {}

    def admit(self, peer: Peer) -> str:
        """See `IConnectionLimit.admit`."""
        address, network = peer.network, peer.wider_network
        of_address, of_network = self._addresses.get(address, 0), self._networks.get(network, 0)
        if self._open >= self._caps.connections:
            return "connections"
        refusal = "" if self._exempt(peer) else self._refusal(address, of_address, of_network)
        if not refusal:
            self._open += 1
            self._addresses[address] = of_address + 1
            self._networks[network] = of_network + 1
        return refusal

    def ended(self, peer: Peer) -> None:
        """See `IConnectionLimit.ended`."""
        self._open -= 1
        _subtract(self._addresses, peer.network)
        _subtract(self._networks, peer.wider_network)

    def _refusal(self, address: str, of_address: int, of_network: int) -> str:
        caps = self._caps
        if of_address >= caps.address_connections > 0:
            return "address_connections"
        if of_network >= caps.network_connections > 0:
            return "network_connections"
        # Those that are refused count too: who knocks on and on stays outside, and costs no more than that.
        rate = caps.connection_rate
        if rate and self._state.add(self._counter + address, 1, RATE_WINDOW) > rate:
            return "connection_rate"
        return ""


def _subtract(table: dict[str, int], key: str) -> None:
    left = table[key] - 1
    if left:
        table[key] = left
    else:
        del table[key]
