"""The gate before a listener's sessions: who may come at all, and who speaks for others (the PROXY protocol).

Twisted has a wrapper for PROXY headers (`twisted.protocols.haproxy`). It is not used: it begins the session before the
header is there, takes any text for an address, drops headers that come in small pieces, and has no time limit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.envelope import Peer
from mailsuite.transport.addresses import ProxiedAddress, peer_of
from mailsuite.wire.proxy import ITSELF, BadHeader, Client, HeaderReader


def everybody(peer: Peer) -> bool:
    """Admit *peer*."""
    return True


def nobody(peer: Peer) -> bool:
    """Do not take *peer* for a proxy."""
    return False


@dataclass(frozen=True, slots=True)
class Rules:
    """Whom a listener *admits*, and which peers are *proxies*: these must send a PROXY header within *seconds*."""

    admits: Callable[[Peer], bool] = everybody
    proxies: Callable[[Peer], bool] = nobody
    seconds: float = 10.0

    @property
    def open(self) -> bool:
        """Whether everybody may come, and nobody for others."""
        return self.admits is everybody and self.proxies is nobody


class Gate(ServerFactory):
    """Builds what *factory* builds, for those who may come. *name* is the listener's, for the log."""

    log = Logger()
    noisy = False

    def __init__(self, name: str, factory: Any, rules: Rules, clock: IReactorTime) -> None:
        self.name = name
        self.rules = rules
        self.clock = clock
        # Those whose header has not come.
        self.waiting: set[Prelude] = set()
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """See `IProtocolFactory.buildProtocol`: ``None`` closes the connection."""
        peer = peer_of(addr)
        return Prelude(self, peer, addr) if self.rules.proxies(peer) else self.admit(peer, addr)

    def admit(self, peer: Peer, address: IAddress | None) -> Protocol | None:
        """Return what serves *peer* at *address*; ``None`` where it may not come."""
        if self.rules.admits(peer):
            return cast(Protocol, self._factory.buildProtocol(address))
        self.log.info("[listen.{name}] {host} is not among those that may connect", name=self.name, host=peer.host)
        return None

    def stop(self) -> None:
        """Cut off those whose header has not come."""
        for prelude in list(self.waiting):
            prelude.abort()


class Prelude(Protocol):
    """Reads the header of the proxy *peer*, then leaves its place to what serves the client.

    The session itself never knows: it has the connection to itself, as though it had been its first.
    """

    # A TCP or UNIX transport of Twisted's, whose protocol can be put in another's place (as startTLS does it).
    transport: Any

    def __init__(self, gate: Gate, peer: Peer, address: IAddress | None) -> None:
        self._gate = gate
        self._peer = peer
        self._address = address
        self._reader = HeaderReader()
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the header."""
        gate = self._gate
        gate.waiting.add(self)
        self._timer = gate.clock.callLater(gate.rules.seconds, self._refuse, "sent no PROXY header in time")

    def dataReceived(self, data: bytes) -> None:
        """Take the next octets of the header."""
        try:
            client = self._reader.receive(data)
        except BadHeader as error:
            self._refuse(str(error))
            return
        if client is not None:
            self._hand_over(client)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The proxy is gone; where it sent nothing at all it only wanted to know whether we are there."""
        if self._end() and self._reader.begun:
            self._complain("went away within its PROXY header")

    def abort(self) -> None:
        """End the connection now."""
        self._end()
        self.transport.abortConnection()

    def _hand_over(self, client: Client) -> None:
        self._end()
        peer, address = self._peer, self._address
        if client is not ITSELF:
            peer = Peer(client.host, client.port, self._peer.host)
            address = ProxiedAddress(client.host, client.port, self._peer.host)
        served = self._gate.admit(peer, address)
        if served is None:
            self.transport.abortConnection()
            return
        self.transport.protocol = served
        served.makeConnection(self.transport)
        if self._reader.rest:
            served.dataReceived(self._reader.rest)

    def _refuse(self, reason: str) -> None:
        self._complain(reason)
        self.abort()

    def _complain(self, reason: str) -> None:
        self._gate.log.warn(
            "[listen.{name}] {host}, which is listed as a proxy, {reason}",
            name=self._gate.name,
            host=self._peer.host,
            reason=reason,
        )

    def _end(self) -> bool:
        """Wait no more; say whether we did."""
        if self._timer is None:
            return False
        if self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._gate.waiting.discard(self)
        return True
