"""Connections without a network: one in memory that notes what is done to it, and a real pair of sockets."""

import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.encryption import Encryption
from mailsuite.interfaces import IRespondent
from mailsuite.smtp import events
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Settings
from mailsuite.transport.accepted import for_connections
from mailsuite.transport.bounds import UNBOUNDED, Bounds
from mailsuite.transport.session import SessionProtocol
from mailsuite.transport.tls import TLSContext
from tests.smtp.respondent import PLAIN, Respondent


class Wire(StringTransport):
    """A transport in memory: *full* pauses its producer, and what ends it is noted in *ends*."""

    TLS = False

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.ends: list[str] = []
        self.begun_tls: list[bytes] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        self.writes.append(data)

    def loseConnection(self) -> None:
        self.ends.append("close")

    def loseWriteConnection(self) -> None:
        self.ends.append("half")

    def abortConnection(self) -> None:
        self.ends.append("abort")

    def startTLS(self, context: object) -> None:
        self.begun_tls.append(self.value())

    def getHandle(self) -> "Wire":
        return self

    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_cipher_name(self) -> str:
        return "TLS_AES_256_GCM_SHA384"


@implementer(IRespondent)
class Late:
    """Answers as the respondent of the chat scripts does; what *holds* names is answered when the test says so."""

    def __init__(self, *holds: type) -> None:
        self.inner = Respondent()
        self.holds = holds
        self.held: list[tuple[Deferred[Any], Any]] = []
        self.ended: list[str] = []
        self.causes: list[str] = []
        self.tls: list[Encryption] = []

    def respond(self, event: Any) -> Any:
        if isinstance(event, self.holds):
            pending: Deferred[Any] = Deferred()
            self.held.append((pending, event))
            return pending
        return self.inner(event)

    def lost(self, reason: str, cause: str = "") -> None:
        self.ended.append(reason)
        self.causes.append(cause)

    def tls_started(self, encryption: Encryption) -> None:
        self.tls.append(encryption)

    def let_go(self) -> None:
        """Answer the oldest question that is held."""
        pending, event = self.held.pop(0)
        try:
            answer = self.inner(event)
        except RuntimeError as error:
            pending.errback(error)
        else:
            pending.callback(answer)


class Talk:
    """A session over a wire in memory."""

    def __init__(
        self,
        settings: Settings = PLAIN,
        *holds: type,
        core: ServerSession | None = None,
        bounds: Bounds = UNBOUNDED,
    ) -> None:
        self.clock = MemoryReactorClock()
        self.core = core or ServerSession(settings)
        self.respondent = Late(*holds)
        self.ended: list[SessionProtocol] = []
        self.protocol = SessionProtocol(
            self.core, self.respondent, self.clock, TLSContext("smtp"), self.ended.append, bounds
        )
        self.wire = Wire()
        self.protocol.makeConnection(self.wire)

    def say(self, *segments: bytes) -> list[int]:
        """Send *segments*; return the codes of the replies."""
        for segment in segments:
            self.protocol.dataReceived(segment)
        return self.codes()

    def codes(self) -> list[int]:
        """Take the codes of the replies that were given since."""
        said = self.wire.value()
        self.wire.clear()
        return [int(line[:3]) for line in said.splitlines() if line[3:4] == b" "]

    def wait(self, seconds: float) -> None:
        """Let *seconds* go by."""
        self.clock.advance(seconds)


class Pair:
    """A real `twisted.internet.tcp.Connection` on one end of a pair of sockets, driven by hand."""

    def __init__(self, protocol: Callable[[MemoryReactorClock], Protocol]) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        for_connections(listening, 0)
        self.client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        listening.close()
        for end in (server, self.client):
            end.setblocking(False)
            # Small ones, so that a test need not send megabytes to fill them.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self.reactor = MemoryReactorClock()
        self.protocol = protocol(self.reactor)
        self.connection = Connection(server, self.protocol, self.reactor)
        # As a port's accepted connection is set up.
        self.connection.connected = True
        self.connection.logstr = "test"
        self.connection.startReading()
        self.protocol.makeConnection(self.connection)

    def turn(self, patience: float = 0.0) -> bool:
        """Do what the reactor would; say whether there was anything to do.

        With *patience* the kernel has so many seconds to carry octets from one end to the other.
        """
        reading = [self.connection] if self.connection in self.reactor.getReaders() else []
        writing = [self.connection] if self.connection in self.reactor.getWriters() else []
        watched: list[Any] = [*reading, self.client] if patience else [*reading]
        readable, writable, _ = select.select(watched, writing, [], patience)
        for ready, act in ((readable, self.connection.doRead), (writable, self.connection.doWrite)):
            why = act() if self.connection in ready and self.connection.connected else None
            if why is not None:
                self.reactor.removeAll()
                self.connection.connectionLost(Failure(why))
        due = [call for call in self.reactor.getDelayedCalls() if call.getTime() <= self.reactor.seconds()]
        self.reactor.advance(0)
        return bool(readable or writable or due)

    def send(self, data: bytes) -> int:
        """Send as client what the socket takes."""
        try:
            return self.client.send(data)
        except BlockingIOError:
            return 0

    def receive(self) -> bytes | None:
        """Read as client what there is; ``None`` at the end."""
        got = b""
        while True:
            try:
                piece = self.client.recv(1 << 16)
            except BlockingIOError:
                return got
            if not piece:
                return got or None
            got += piece

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        # A connection that is over has none any more.
        if hasattr(self.connection, "socket"):
            self.connection.socket.close()


@implementer(IPushProducer)
class Nobody(Protocol):
    """A protocol that does nothing."""

    def pauseProducing(self) -> None:
        return None

    def resumeProducing(self) -> None:
        return None

    def stopProducing(self) -> None:
        return None


HELD = {"mail": events.MailFrom, "rcpt": events.RcptTo, "data": events.DataBegins, "end": events.MessageEnds}
