"""One listener: its ports, the sessions that came in by them, and their orderly end."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorTime, IStreamServerEndpoint
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from mailsuite.envelope import Peer
from mailsuite.interfaces import IRespondent
from mailsuite.transport.addresses import peer_of
from mailsuite.transport.bounds import UNBOUNDED, Admission, Bounds
from mailsuite.transport.direct_tls import wrapping
from mailsuite.transport.gate import Gate, Rules
from mailsuite.transport.open_sessions import BuildsSessions, OpenSessions
from mailsuite.transport.outbox import Outbox
from mailsuite.transport.peer_credentials import Identified, UserOf
from mailsuite.transport.ports import bind
from mailsuite.transport.session import SessionProtocol
from mailsuite.transport.tls import TLSContext
from mailsuite.wire.events import SessionCore

# Makes the two sides of a new session: its core, and who answers the core's questions.
NewSession: TypeAlias = Callable[[Peer], tuple[SessionCore, IRespondent]]


OPEN = Rules()


class Refused(Protocol):
    """A connection that is too many: it is told *words*, where that is quick, and closed at once."""

    transport: Any

    def __init__(self, words: bytes) -> None:
        self._words = words

    def connectionMade(self) -> None:
        """Say it and close. No TLS handshake is worth it."""
        if isinstance(self.transport, TLSMemoryBIOProtocol):
            connection: Any = self.transport.transport
            connection.loseConnection()
        else:
            self.transport.write(self._words)
            self.transport.loseConnection()


class SessionFactory(ServerFactory):
    """Builds a `SessionProtocol` for each connection that is admitted, and knows those that are open."""

    noisy = False

    def __init__(
        self,
        new_session: NewSession,
        clock: IReactorTime,
        tls: TLSContext | None,
        bounds: Bounds = UNBOUNDED,
        admission: Admission | None = None,
    ) -> None:
        self.sessions = OpenSessions()
        self._new_session = new_session
        self._clock = clock
        self._tls = tls
        self._bounds = bounds
        self._outbox = Outbox(clock, self.sessions.several)
        self._admission = admission

    def buildProtocol(self, addr: IAddress | None) -> SessionProtocol | Refused:
        """See `IProtocolFactory.buildProtocol`."""
        peer = peer_of(addr)
        ended: Callable[[SessionProtocol], None] = self.sessions.ended
        if self._admission is not None:
            limit = self._admission.limit.admit(peer)
            if limit:
                return Refused(self._admission.refuse(peer, limit))
            ended = self._counted(self._admission, peer)
        core, respondent = self._new_session(peer)
        session = SessionProtocol(core, respondent, self._clock, self._tls, ended, self._bounds, self._outbox)
        self.sessions.add(session)
        return session

    def _counted(self, admission: Admission, peer: Peer) -> Callable[[SessionProtocol], None]:
        def ended(session: SessionProtocol) -> None:
            admission.limit.ended(peer)
            self.sessions.ended(session)

        return ended


class Listener(Service):
    """A service on one or more endpoints. *sessions* builds its sessions, and has those that are open as ``sessions``.

    *grace*: for how many seconds sessions may end in good order. *implicit*: TLS begins with the connection, else who
    builds the sessions sees to it. *rules*: who may come, and how. *user_of* names users of this system: with it, all
    come by UNIX sockets, and sessions know whose they are. *vanished_after*: see `bind`.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        sessions: BuildsSessions,
        clock: IReactorTime,
        implicit: TLSContext | None,
        grace: float,
        rules: Rules = OPEN,
        user_of: UserOf | None = None,
        vanished_after: int = 0,
    ) -> None:
        self.setName(name)
        self._endpoints = endpoints
        self._clock = clock
        self._grace = grace
        self._vanished_after = vanished_after
        self._sessions = sessions
        self._factory: Any = sessions
        if implicit is not None:
            self._factory = wrapping(implicit, cast(ServerFactory, sessions), clock)
        self._gate: Gate | None = None
        if not rules.open:
            self._factory = self._gate = Gate(name, self._factory, rules, clock)
        if user_of is not None:
            self._factory = Identified(name, self._factory, user_of)
        self._ports: list[IListeningPort] = []

    @property
    def open_sessions(self) -> int:
        """How many sessions are open now."""
        return len(self._sessions.sessions)

    @property
    def waiting(self) -> int:
        """How many proxies have not said yet for whom they speak."""
        return 0 if self._gate is None else len(self._gate.waiting)

    @property
    def addresses(self) -> list[IAddress]:
        """Where this listener listens; empty until it does."""
        return [port.getHost() for port in self._ports]

    def privilegedStartService(self) -> None:
        """Bind the ports, as root where the process was started so. Raises `CannotListen`."""
        for text, endpoint in self._endpoints:
            self._ports.append(bind(str(self.name), text, endpoint, self._factory, self._vanished_after))

    def close(self) -> Deferred[Any]:
        """Close the ports: sessions that are open go on, and no more begin."""
        closing: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        for closed in closing:
            closed.addErrback(self._left)
        self._ports = []
        return DeferredList(closing)

    def stopService(self) -> Deferred[Any]:
        """Close the ports, say 421 to every session, wait for the message in hand."""
        super().stopService()
        if self._gate is not None:
            self._gate.stop()
        return DeferredList([self.close(), self._sessions.sessions.stop(self._clock, self._grace)])

    def _left(self, failure: Failure) -> None:
        # A UNIX socket in a folder that is not ours any more, most likely; the next start removes it.
        self.log.warn("[listen.{name}] {reason}", name=self.name, reason=failure.getErrorMessage())
