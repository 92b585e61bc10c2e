"""A reactor that the test turns by hand, with real sockets and a clock that stands; and name servers on it."""

import select
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector, IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.transport.dns.exchange import DnsReactor

T = TypeVar("T")
# What a name server does with a query over "udp" or "tcp": the octets that it sends, one after the other.
Script = Callable[[dns.message.Message, str], list[bytes]]

# How long the kernel may take to carry a datagram over loopback.
PATIENCE = 5.0


@implementer(DnsReactor)
class Loop(MemoryReactorClock):
    """The reactor."""

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> IConnector:
        connector = tcp.Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def turn(self, patience: float = 0.0) -> bool:
        """Do once what can be done; say whether there was anything."""
        self.advance(0)
        readable, writable, _ = select.select(self.getReaders(), self.getWriters(), [], patience)
        for ready, method in ((readable, "doRead"), (writable, "doWrite")):
            for each in ready:
                if each.fileno() == -1:
                    continue
                why = getattr(each, method)()
                if why is not None:
                    self.removeReader(each)
                    self.removeWriter(each)
                    each.connectionLost(Failure(why))
        self.advance(0)
        return bool(readable or writable)

    def settle(self) -> None:
        """Do all that can be done."""
        while self.turn(0.01):
            pass

    def result(self, coming: Awaitable[T]) -> T:
        """Turn until *coming* is there; return it, or raise what it raises. The clock stands."""
        results: list[T] = []
        failures: list[Failure] = []
        deferred = self.start(coming)
        deferred.addCallbacks(results.append, failures.append)
        while not results and not failures:
            assert self.turn(PATIENCE), "nothing happens any more"
        if failures:
            failures[0].raiseException()
        return results[0]

    def start(self, coming: Awaitable[T]) -> "Deferred[T]":
        """Set *coming* going."""
        if isinstance(coming, Coroutine):
            return Deferred.fromCoroutine(coming)
        assert isinstance(coming, Deferred)
        return coming


@implementer(IReadDescriptor)
class Ear:
    """Reads a socket on the loop."""

    def __init__(self, loop: Loop, sock: socket.socket, read: Callable[[socket.socket], None]) -> None:
        self.loop = loop
        self.socket = sock
        self.read = read
        sock.setblocking(False)
        loop.addReader(self)

    def fileno(self) -> int:
        return self.socket.fileno()

    def doRead(self) -> None:
        self.read(self.socket)

    def connectionLost(self, reason: Failure) -> None:
        self.close()

    def logPrefix(self) -> str:
        return "test"

    def close(self) -> None:
        """Hear nothing any more."""
        self.loop.removeReader(self)
        self.socket.close()


class NameServer:
    """Answers over UDP and TCP, on one port, as *script* says. *queries* are what it was asked, with the way."""

    def __init__(self, loop: Loop, script: Script, address: str = "127.0.0.1", tcp_too: bool = True) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.loop = loop
        self.script = script
        self.queries: list[tuple[str, dns.message.Message]] = []
        self.peers: list[tuple[str, int]] = []
        self.ears: list[Ear] = []
        listening = socket.create_server((address, 0), family=family)
        self.address, self.port = listening.getsockname()[:2]
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((address, self.port))
        self._hear(self.udp, self._datagram)
        if tcp_too:
            self._hear(listening, self._accept)
        else:
            listening.close()

    @property
    def place(self) -> tuple[str, int]:
        """Its address and port."""
        return self.address, self.port

    def _hear(self, sock: socket.socket, read: Callable[[socket.socket], None]) -> None:
        self.ears.append(Ear(self.loop, sock, read))

    def _datagram(self, sock: socket.socket) -> None:
        data, peer = sock.recvfrom(65_535)
        self.peers.append(peer[:2])
        for answer in self._answers(data, "udp"):
            sock.sendto(answer, peer)

    def _accept(self, sock: socket.socket) -> None:
        self._hear(sock.accept()[0], self._stream)

    def _stream(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(65_535)
        except ConnectionResetError:
            data = b""
        if not data:
            next(each for each in self.ears if each.socket is sock).close()
            return
        (length,) = struct.unpack("!H", data[:2])
        assert length == len(data) - 2, "length and message come in one segment"
        answers = self._answers(data[2:], "tcp")
        for answer in answers:
            sock.sendall(struct.pack("!H", len(answer)) + answer)

    def _answers(self, data: bytes, way: str) -> list[bytes]:
        query = dns.message.from_wire(data)
        self.queries.append((way, query))
        return self.script(query, way)

    def close(self) -> None:
        """Hear nothing any more."""
        for each in self.ears:
            each.close()


def reply(
    query: dns.message.Message,
    *answer: str,
    authority: tuple[str, ...] = (),
    flags: str = "RD RA",
    rcode: str = "NOERROR",
) -> dns.message.Message:
    """Return the response to *query* with *answer*: records as in a zone file."""
    made = dns.message.make_response(query, recursion_available=False)
    made.flags = dns.flags.from_text(f"QR {flags}")
    made.set_rcode(dns.rcode.from_text(rcode))
    for section, lines in ((made.answer, answer), (made.authority, authority)):
        for line in lines:
            name, ttl, of_class, kind, data = line.split(" ", 4)
            section.append(dns.rrset.from_text(name, int(ttl), of_class, kind, data))
    return made


def says(*answer: str, **more: Any) -> Script:
    """Return the script of a server that always says the same."""
    return lambda query, way: [reply(query, *answer, **more).to_wire(max_size=65_535)]


def silent(query: dns.message.Message, way: str) -> list[bytes]:
    """Answer nothing."""
    return []
