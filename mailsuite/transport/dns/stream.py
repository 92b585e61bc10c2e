"""One question over TCP (RFC 1035 §4.2.2, RFC 7766): for answers that UDP has no room for."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IReactorTCP
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.servers import Server

T = TypeVar("T")

_LENGTH_OCTETS = 2


def ask_by_tcp(
    reactor: IReactorTCP, server: Server, octets: bytes, accept: Callable[[bytes], T | None]
) -> "Deferred[T]":
    """Send *octets* to *server*; return what *accept* makes of the answer, the first message that comes.

    Fails with what *accept* raises, and with `DnsTrouble` where it returns ``None`` and where the connection cannot
    be made or ends early. There is no time-out: the caller cancels.
    """
    asking = _Connecting(server, octets, accept)
    asking.connector = reactor.connectTCP(server.address, server.port, asking)
    return asking.done


class _Connecting(ClientFactory, Generic[T]):
    """Makes the connection, and ends it."""

    noisy = False
    connector: IConnector
    stream: "_Stream | None" = None

    def __init__(self, server: Server, octets: bytes, accept: Callable[[bytes], T | None]) -> None:
        self.done: Deferred[T] = Deferred(lambda _: self.close())
        self._server = server
        self._octets = octets
        self._accept = accept
        self._over = False

    def buildProtocol(self, addr: IAddress | None) -> "_Stream":
        """Return what speaks over the connection."""
        self.stream = _Stream(self._octets, self)
        return self.stream

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """There is no connection."""
        self.fail(f"cannot be reached over TCP: {reason.getErrorMessage()}")

    def take(self, data: bytes) -> None:
        """Judge the first message, the last that is read."""
        self.close()
        try:
            accepted = self._accept(data)
        except Exception:
            self.done.errback(Failure())
            return
        if accepted is None:
            self.done.errback(DnsTrouble(f"{self._server} answered something else over TCP"))
        else:
            self.done.callback(accepted)

    def fail(self, why: str) -> None:
        """End without an answer, if there was none."""
        if not self._over:
            self.close()
            self.done.errback(DnsTrouble(f"{self._server} {why}"))

    def close(self) -> None:
        """End the connection, or the attempt."""
        self._over = True
        if self.stream is not None and self.stream.transport is not None:
            self.stream.transport.abortConnection()
        else:
            self.connector.disconnect()


class _Stream(Protocol):
    """Sends the question, and collects the answer: at most 65,535 octets, by their two octets of length."""

    # No one interface names all that is used of it.
    transport: Any

    def __init__(self, octets: bytes, asking: _Connecting[Any]) -> None:
        self._octets = octets
        self._asking = asking
        self._read = bytearray()

    def connectionMade(self) -> None:
        """Ask. RFC 7766 §8: length and message in one write."""
        self.transport.write(len(self._octets).to_bytes(_LENGTH_OCTETS, "big") + self._octets)

    def dataReceived(self, data: bytes) -> None:
        """Collect *data*."""
        self._read += data
        length = int.from_bytes(self._read[:_LENGTH_OCTETS], "big")
        if _LENGTH_OCTETS <= len(self._read) >= _LENGTH_OCTETS + length:
            self._asking.take(bytes(self._read[_LENGTH_OCTETS : _LENGTH_OCTETS + length]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The server has nothing to say."""
        self._asking.fail("closed the connection without an answer")
