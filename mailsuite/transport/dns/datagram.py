"""One question over UDP: a socket of its own, closed after the answer."""

import os
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.servers import Server

T = TypeVar("T")

# The largest datagram that is read.
DATAGRAM_OCTETS = 65_535
# After so many datagrams that answer something else somebody may be guessing: the question goes over TCP.
STRAYS = 20


def ask_by_udp(
    reactor: IReactorFDSet, server: Server, octets: bytes, accept: Callable[[bytes], T | None]
) -> "Deferred[T | None]":
    """Send *octets* to *server*; return what *accept* makes of the answer.

    *accept* returns ``None`` for what is no answer to the question: that is ignored, up to `STRAYS`; then the result
    is ``None``. What it raises, and `DnsTrouble` where the server cannot be reached, is the failure. There is no
    time-out: the caller cancels.
    """
    asking = _Datagram(reactor, server, accept)
    try:
        asking.send(octets)
    except OSError as error:
        asking.fail(error)
    return asking.done


@implementer(IReadDescriptor)
class _Datagram(Generic[T]):
    """The socket. It is connected, so that the kernel lets through what comes from the server's address and port
    alone; the kernel also chooses our port, by chance (RFC 5452 §9.1, §9.2)."""

    def __init__(self, reactor: IReactorFDSet, server: Server, accept: Callable[[bytes], T | None]) -> None:
        self.done: Deferred[T | None] = Deferred(lambda _: self._close())
        self._reactor = reactor
        self._server = server
        self._accept = accept
        self._strays = 0
        self._socket: socket.socket | None = None

    def send(self, octets: bytes) -> None:
        """Ask. Raises `OSError`."""
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        family, kind, protocol, _, address = socket.getaddrinfo(
            self._server.address, self._server.port, type=socket.SOCK_DGRAM, flags=flags
        )[0]
        self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        self._socket.connect(address)
        self._socket.send(octets)
        self._reactor.addReader(self)

    def fail(self, error: OSError) -> None:
        """End without an answer."""
        self._close()
        self.done.errback(DnsTrouble(f"{self._server} cannot be reached: {error.strerror}"))

    def _close(self) -> None:
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None

    # From the reactor

    def fileno(self) -> int:
        """Return the descriptor, or -1."""
        return self._socket.fileno() if self._socket is not None else -1

    def logPrefix(self) -> str:
        """Return what stands for us in the log."""
        return "DNS"

    def doRead(self) -> None:
        """Take one datagram."""
        assert self._socket is not None
        try:
            data = self._socket.recv(DATAGRAM_OCTETS)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(error)
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            accepted = self._accept(data)
        except Exception:
            self._close()
            self.done.errback(Failure())
            return
        self._strays += accepted is None
        if accepted is not None or self._strays > STRAYS:
            self._close()
            self.done.callback(accepted)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has seen an error on the socket: an ICMP message, mostly "port unreachable"."""
        if self._socket is not None:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.fail(OSError(code, os.strerror(code)) if code else OSError(0, reason.getErrorMessage()))
