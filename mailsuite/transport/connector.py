"""Connections that we make: a client session core over TCP or a UNIX socket, with TLS."""

import errno
import os
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectBindError, ConnectingCancelledError, TimeoutError
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from mailsuite.interfaces import IConnector, IRespondent
from mailsuite.route import CannotConnect, Endpoint, NoWay
from mailsuite.transport.causes import cause
from mailsuite.transport.client_tls import ClientTLS
from mailsuite.transport.direct_tls import wrapping
from mailsuite.transport.open_sessions import OpenSessions
from mailsuite.transport.outbox import Outbox
from mailsuite.transport.session import SessionProtocol
from mailsuite.wire.events import SessionCore

# The room that the system has for the path of a UNIX socket, less the closing NUL.
UNIX_PATH_OCTETS = 107
# What the system says where it has no way to an address, or none from the address that is wanted.
_NO_WAY = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@implementer(IConnector)
class Connector:
    """Makes connections and knows those that are open. *reactor* does TCP, UNIX sockets and time.

    *ca_file* is `ClientTLS`'s: `mailsuite.transport.client_tls.IssuersError` is raised where it is of no use. It does
    not count for an endpoint that is *worldwide*.
    """

    def __init__(self, reactor: Any, ca_file: str = "") -> None:
        self._reactor = reactor
        self._tls = ClientTLS(ca_file, reactor)
        self._worldwide = ClientTLS("", reactor) if ca_file else self._tls
        self._sessions = OpenSessions()
        self._outbox = Outbox(reactor, self._sessions.several)
        self._attempts: set[Deferred[Any]] = set()
        self._stopping = False

    @property
    def open_sessions(self) -> int:
        """How many sessions are open now."""
        return len(self._sessions)

    async def connect(self, endpoint: Endpoint, core: SessionCore, respondent: IRespondent) -> None:
        """See `IConnector.connect`. With `Endpoint.implicit` it does not wait for the handshake."""
        if self._stopping:
            raise CannotConnect(f"cannot connect to {place(endpoint)}: we are stopping")
        tls = (self._worldwide if endpoint.worldwide else self._tls).to(endpoint.name)

        def begin() -> SessionProtocol:
            session = ClientProtocol(core, respondent, self._reactor, tls, self._sessions.ended, outbox=self._outbox)
            self._sessions.add(session)
            return session

        factory: Any = _OneSession(begin)
        if endpoint.implicit:
            factory = wrapping(tls, factory, self._reactor)
        attempt = stream_endpoint(self._reactor, endpoint).connect(factory)
        self._attempts.add(attempt)
        try:
            await attempt
        except (CancelledError, ConnectingCancelledError) as error:
            if not self._stopping:
                # The caller has given up: for it there is no next address.
                raise CancelledError from error
            raise CannotConnect(f"cannot connect to {place(endpoint)}: we are stopping") from error
        except Exception as error:
            kind = NoWay if getattr(error, "osError", None) in _NO_WAY else CannotConnect
            raise kind(f"cannot connect to {place(endpoint)}: {why(error, endpoint)}") from error
        finally:
            self._attempts.discard(attempt)

    def stop(self, grace: float) -> Deferred[None]:
        """Make no more connections, ask all sessions to end; fires when the last one has, *grace* seconds at most.

        A session whose respondent owes it an answer ends when it has that: answer idle ones first.
        """
        self._stopping = True
        for attempt in list(self._attempts):
            attempt.cancel()
        return self._sessions.stop(self._reactor, grace)


class ClientProtocol(SessionProtocol):
    """A session that we began: its patience may change at every step, not only from phase to phase as a server's."""

    # Of what a server says, a reply is a sign of life, and not each octet of it.
    _counts_octets = False

    def connectionMade(self) -> None:
        """Begin the session. What is sent leaves at once: Nagle's algorithm would hold back the end of a message."""
        no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if no_delay is not None:
            no_delay(True)
        super().connectionMade()

    def _note_progress(self) -> None:
        super()._note_progress()
        self._hasten()


class _OneSession(Factory):
    """The factory of the one session that a connection is made for."""

    noisy = False

    def __init__(self, begin: Callable[[], SessionProtocol]) -> None:
        self._begin = begin

    def buildProtocol(self, addr: IAddress | None) -> SessionProtocol:
        """See `IProtocolFactory.buildProtocol`."""
        return self._begin()


def stream_endpoint(reactor: Any, endpoint: Endpoint) -> IStreamClientEndpoint:
    """Return what connects to *endpoint*, without TLS. Raises `CannotConnect` where nothing could."""
    if endpoint.port == 0:
        if len(os.fsencode(endpoint.address)) > UNIX_PATH_OCTETS:
            raise CannotConnect(f"cannot connect to {endpoint.address}: the path is too long for a socket")
        return UNIXClientEndpoint(reactor, endpoint.address, endpoint.seconds)
    ours = _version(endpoint.source) if endpoint.source else 0
    theirs = _version(endpoint.address)
    if ours not in (0, theirs):
        # Another source address than the one that is wanted would be worse than none (SPF, the peer's lists).
        raise CannotConnect(f"cannot connect to {place(endpoint)}: {endpoint.source} is no IPv{theirs} address")
    kind = TCP4ClientEndpoint if theirs == 4 else TCP6ClientEndpoint
    source = (endpoint.source, 0) if ours else None
    return kind(reactor, endpoint.address, endpoint.port, endpoint.seconds, source)


def place(endpoint: Endpoint) -> str:
    """Say for people where *endpoint* is."""
    if endpoint.port == 0:
        return endpoint.address
    where = f"{endpoint.address} port {endpoint.port}"
    return where if endpoint.name in ("", endpoint.address) else f"{endpoint.name} ({where})"


def why(error: BaseException, endpoint: Endpoint) -> str:
    """Say for people why no connection to *endpoint* came to be."""
    if isinstance(error, ConnectBindError):
        return f"{endpoint.source} cannot be used here: {cause(error)}"
    if isinstance(error, TimeoutError):
        return f"timed out after {endpoint.seconds:g} seconds"
    return cause(error)


def _version(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError:
        raise CannotConnect(f"{address!r} is no IP address") from None
