"""TLS of which each answer leaves at once, in one send (docs/performance).

Twisted's own collects what is written till the reactor's next turn, encrypts it then, and has it sent in the turn
after that. A session joins its replies itself, so that there is nothing to collect. `Direct` is Twisted's TLS over a
transport that sends straight to the socket, and holds what one receipt gives rise to until that was gone through:
session tickets, replies, and the goodbye of TLS are one send.
"""

from typing import Any, Protocol, TypeAlias, cast

from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ITransport,
)
from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from mailsuite.transport.direct import is_direct, send

# More than this is not held back.
HELD_OCTETS = 65_536


class Direct(TLSMemoryBIOProtocol):
    """TLS over *transport*, of the kind that `direct.send` sends by."""

    # What is around TLS, once it is connected.
    _outside: "Outside"

    def makeConnection(self, transport: ITransport) -> None:
        """See `IProtocol.makeConnection`."""
        self._outside = Outside(transport)
        super().makeConnection(self._outside)

    @property
    def is_ready(self) -> bool:
        """Whether what is written leaves at once, or with all else that this receipt gives rise to."""
        return self._handshakeDone and not (
            self._appSendBuffer or self.disconnecting or self._lostTLSConnection or not self._outside.is_ready
        )

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol.dataReceived`."""
        self.hold()
        try:
            super().dataReceived(data)
        finally:
            self.release()

    def hold(self) -> None:
        """Keep what TLS sends until `release` is called as often as this was."""
        self._outside.hold()

    def release(self) -> None:
        """Let it go."""
        self._outside.release()


class Outside:
    """What TLS takes for its transport: *transport* itself, but for how octets get to it.

    It provides no interface: `TLSMemoryBIOProtocol` would declare each of them, which takes as long as a signature.
    """

    __slots__ = ("_held", "_holds", "_size", "_transport")

    def __init__(self, transport: ITransport) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self._size = 0
        self._holds = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # The interfaces of *transport*, as zope.interface looks for them.
            raise AttributeError(name)
        return getattr(self._transport, name)

    @property
    def is_ready(self) -> bool:
        """Whether the socket takes what is written."""
        return is_direct(self._transport)

    def write(self, data: bytes) -> None:
        """Send *data*, or hold it."""
        if not self._holds:
            send(self._transport, data)
            return
        self._held.append(data)
        self._size += len(data)
        if self._size > HELD_OCTETS:
            self._send()

    def hold(self) -> None:
        """Hold what is written from now on."""
        self._holds += 1

    def release(self) -> None:
        """Hold no more, if all that wanted it are done: then what was held is sent."""
        self._holds -= 1
        if not self._holds:
            self._send()

    def loseConnection(self) -> None:
        """Close the connection behind all that was written."""
        self._send()
        self._transport.loseConnection()

    def _send(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._size = 0
            send(self._transport, data)


def hold(transport: ITransport) -> bool:
    """Say whether *transport* is one of those that `send` sends straight to: what is to be said in this turn can wait.

    `Direct` TLS waits for it then, so that all of it is one send; where it has something queued, it does not.
    """
    if not isinstance(transport, Direct):
        return isinstance(transport, Connection)
    ready = transport.is_ready
    if ready:
        transport.hold()
    return ready


def release(transport: ITransport) -> None:
    """End what a `hold` that said yes has begun."""
    if isinstance(transport, Direct):
        transport.release()


Creator: TypeAlias = IOpenSSLClientConnectionCreator | IOpenSSLServerConnectionCreator


def wrapping(
    creator: Creator, inside: IProtocolFactory | None = None, clock: IReactorTime | None = None
) -> TLSMemoryBIOFactory:
    """Return what puts `Direct` around the protocols of *inside*; *creator* tells at which end of a connection."""
    is_client = IOpenSSLClientConnectionCreator.providedBy(creator)
    # Twisted's own STARTTLS has nothing inside, either.
    made = TLSMemoryBIOFactory(creator, is_client, cast(IProtocolFactory, inside), clock)
    made.protocol = Direct
    return made


class Starts(Protocol):
    """What TLS is started by on a connection that has begun in the clear; `wrapping` has made its *wraps*."""

    @property
    def wraps(self) -> TLSMemoryBIOFactory:
        """See the class."""


def start_tls(transport: Any, tls: Starts, protocol: IProtocol) -> Any:
    """Put TLS between *transport* and *protocol*, and return what that is to write to from now on.

    A transport of another kind than a connection (a test's) is told to do it itself.
    """
    if not isinstance(transport, Connection):
        transport.startTLS(tls)
        return transport
    producer, streaming = transport.producer, transport.streamingProducer
    if producer is not None:
        transport.unregisterProducer()
    within = Direct(tls.wraps, protocol, False)
    transport.protocol = within
    within.makeConnection(transport)
    if producer is not None:
        within.registerProducer(producer, streaming)
    return within
