"""Caps on connections: by address, by network, of a listener in all, and on how fast new ones come.

All is counted in the shared state: what is open is held there, by all processes together.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit, ISharedState

# Within so many seconds `ConnectionCaps.connection_rate` new connections may come.
RATE_WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class ConnectionCaps:
    """The keys of ``[limits]`` that tell of connections; 0: any number."""

    connections: int
    address_connections: int
    network_connections: int
    connection_rate: int


@implementer(IConnectionLimit)
class ConnectionLimit:
    """The connections of the listener *name*. Peers that are *exempt* count, but only against the cap on all."""

    def __init__(self, name: str, caps: ConnectionCaps, state: ISharedState, exempt: Callable[[Peer], bool]) -> None:
        self._caps = caps
        self._state = state
        self._exempt = exempt
        self._all = f"connections {name}"
        self._arrivals = f"arrivals {name} "
        self._addresses = f"connections {name} of address "
        self._networks = f"connections {name} of network "

    def admit(self, peer: Peer) -> str:
        """See `IConnectionLimit.admit`."""
        # It is counted first, and not looked up and then counted: every connection comes here.
        hold, address, network = self._state.hold, peer.network, peer.wider_network
        of_all = hold(self._all, 1)
        of_address = hold(self._addresses + address, 1)
        of_network = hold(self._networks + network, 1)
        if of_all > self._caps.connections:
            refusal = "connections"
        else:
            refusal = "" if self._exempt(peer) else self._refusal(address, of_address, of_network)
        if refusal:
            self.ended(peer)
        return refusal

    def ended(self, peer: Peer) -> None:
        """See `IConnectionLimit.ended`."""
        hold = self._state.hold
        hold(self._all, -1)
        hold(self._addresses + peer.network, -1)
        hold(self._networks + peer.wider_network, -1)

    def _refusal(self, address: str, of_address: int, of_network: int) -> str:
        caps = self._caps
        if of_address > caps.address_connections > 0:
            return "address_connections"
        if of_network > caps.network_connections > 0:
            return "network_connections"
        # Those that are refused count too: who knocks on and on stays outside, and costs no more than that.
        rate = caps.connection_rate
        if rate and self._state.add(self._arrivals + address, 1, RATE_WINDOW) > rate:
            return "connection_rate"
        return ""
