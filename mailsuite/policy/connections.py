"""Caps on connections: by address, by network, of a listener in all, and on how fast new ones come.

All is counted in the shared state: what is open is held there, by all processes together.
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
        self._all = f"connections {name}"
        self._arrivals = f"arrivals {name} "
        self._addresses = f"connections {name} of address "
        self._networks = f"connections {name} of network "

    def admit(self, peer: Peer) -> str:
        """See `IConnectionLimit.admit`."""
        if self._state.held(self._all) >= self._caps.connections:
            return "connections"
        refusal = "" if self._exempt(peer) else self._refusal(peer)
        if not refusal:
            self._hold(peer, 1)
        return refusal

    def ended(self, peer: Peer) -> None:
        """See `IConnectionLimit.ended`."""
        self._hold(peer, -1)

    def _hold(self, peer: Peer, amount: int) -> None:
        hold = self._state.hold
        hold(self._all, amount)
        hold(self._addresses + peer.network, amount)
        hold(self._networks + peer.wider_network, amount)

    def _refusal(self, peer: Peer) -> str:
        caps, state = self._caps, self._state
        if caps.address_connections and state.held(self._addresses + peer.network) >= caps.address_connections:
            return "address_connections"
        if caps.network_connections and state.held(self._networks + peer.wider_network) >= caps.network_connections:
            return "network_connections"
        # Those that are refused count too: who knocks on and on stays outside, and costs no more than that.
        rate = caps.connection_rate
        if rate and state.add(self._arrivals + peer.network, 1, RATE_WINDOW) > rate:
            return "connection_rate"
        return ""
