"""A TLS connection to a host whose certificate must be good, before anything is sent to it."""

from collections.abc import Sequence
from typing import Any, NoReturn

from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.route import CannotConnect, Endpoint
from mailsuite.transport.causes import cause
from mailsuite.transport.client_tls import ClientTLS, PeerTLS
from mailsuite.transport.connector import place, stream_endpoint, why

# So many addresses of a host are tried; each may take so long to connect, and as long again for the handshake.
ADDRESSES = 6
ADDRESS_SECONDS = 10.0


@implementer(IStreamClientEndpoint)
class TrustedEndpoint:
    """Connects to the first of *addresses* that answers as *host* with a certificate from a trusted issuer.

    Of what comes back no more than *limit* octets are taken. Fails with `CannotConnect`.
    """

    def __init__(
        self, reactor: Any, tls: ClientTLS, host: str, addresses: Sequence[str], port: int, limit: int
    ) -> None:
        self._reactor = reactor
        self._tls = tls
        self._host = host
        self._addresses = addresses[:ADDRESSES]
        self._port = port
        self._limit = limit
        self._gate: Gate | None = None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See `IStreamClientEndpoint.connect`."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    def close(self) -> None:
        """End the connection now, if there is one."""
        if self._gate is not None:
            self._gate.close()

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        trouble = CannotConnect(f"{self._host} has no address")
        for address in self._addresses:
            try:
                return await self._try(Endpoint(address, self._port, self._host, "", ADDRESS_SECONDS), factory)
            except CannotConnect as error:
                trouble = error
        raise trouble

    async def _try(self, endpoint: Endpoint, factory: IProtocolFactory) -> IProtocol:
        tls = self._tls.to(self._host)
        gate = self._gate = Gate(tls, endpoint, factory, self._limit)
        once = Factory.forProtocol(lambda: gate)
        once.noisy = False
        wrapped: Any = TLSMemoryBIOFactory(tls, True, once, self._reactor)
        try:
            await stream_endpoint(self._reactor, endpoint).connect(wrapped)
        except (CancelledError, ConnectingCancelledError) as error:
            # Who has asked has given up: there is no next address.
            raise CancelledError from error
        except Exception as error:
            raise CannotConnect(f"cannot connect to {place(endpoint)}: {why(error, endpoint)}") from error
        return await gate.opened.addTimeout(ADDRESS_SECONDS, self._reactor, gate.out_of_time)


@implementer(IHandshakeListener)
class Gate(Protocol):
    """Lets a protocol have its connection once the certificate was found good; *opened* is that protocol then."""

    # TLS over TCP: no one interface names all that is used of it.
    transport: Any
    factory: Any

    def __init__(self, tls: PeerTLS, endpoint: Endpoint, factory: IProtocolFactory, limit: int) -> None:
        self._tls = tls
        self._endpoint = endpoint
        self._inside = factory
        self._left = limit
        self._inner: IProtocol | None = None
        self.opened: Deferred[IProtocol] = Deferred(lambda opened: self.close())

    def close(self) -> None:
        """End the connection now."""
        if self.transport is not None:
            self.transport.abortConnection()

    def out_of_time(self, result: object, seconds: float) -> NoReturn:
        """Say that the handshake took more than *seconds*. Raises `CannotConnect`."""
        raise CannotConnect(f"no TLS with {place(self._endpoint)}: timed out after {seconds:g} seconds")

    def handshakeCompleted(self) -> None:
        """Judge the certificate."""
        connection = self.transport.getHandle()
        reason = self._tls.encryption(connection).trust or wrong_name(connection, self._endpoint.name)
        if reason:
            self.opened.errback(CannotConnect(f"the certificate of {place(self._endpoint)} is no good: {reason}"))
            self.close()
            return
        inner = self._inner = self._inside.buildProtocol(self.transport.getPeer())
        assert inner is not None
        inner.makeConnection(self.transport)
        self.opened.callback(inner)

    def dataReceived(self, data: bytes) -> None:
        """Hand *data* on, up to the limit."""
        self._left -= len(data)
        if self._inner is None:
            return
        if self._left < 0:
            self._end(Failure(CannotConnect(f"{self._endpoint.name} sends too much")))
            self.close()
        else:
            self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits."""
        if self._inner is not None:
            self._end(reason)
        elif not self.opened.called:
            words = cause(reason.value).removeprefix("TLS: ") or "the connection was closed"
            self.opened.errback(CannotConnect(f"no TLS with {place(self._endpoint)}: {words}"))

    def _end(self, reason: Failure) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connectionLost(reason)


def wrong_name(connection: Any, host: str) -> str:
    """Say why the certificate is not for *host*; empty where it is.

    RFC 8461 §3.3: by DNS-ID only, where ``*`` may be the whole left-most label.
    """
    try:
        verify_hostname(connection, host)
    except VerificationError:
        return f"it is not for {host}"
    except (CertificateError, ValueError) as error:
        return str(error)
    return ""
