"""TLS as a client: begun with whoever offers it, and never broken off for what a certificate says.

Who judges it differs: nobody for opportunistic TLS (RFC 7435 §3), TLSA records alone for DANE-EE (RFC 7672 §3.1.1),
trusted issuers and the name elsewhere. So what the chain is worth is found out here, names are not looked at, and the
rest is up to whoever has begun the session.
"""

import re
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from mailsuite.address import domain_key
from mailsuite.encryption import Encryption
from mailsuite.transport.direct_tls import wrapping
from mailsuite.transport.peer_trust import distrust, look_at_peers, shown_chain

# Forward secrecy comes first, but a peer that knows only old ciphers is better met with these than in the clear
# (RFC 7435 §3). There is an end to it: RFC 8996 forbids TLS before 1.2, which nobody should rely on any more, and of
# mail servers that know nothing newer hardly any are left. Level 1 lets keys of 1024 bits pass.
OPPORTUNISTIC_CIPHERS = (
    b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!aDSS:!AESCCM:@SECLEVEL=1"
)
# Issuers come and go: their file is read again so often.
REREAD_SECONDS = 86_400.0

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_SSL: Any = SSL


class IssuersError(Exception):
    """The file of trusted issuers cannot be used; the text says which and why."""


class ClientTLS:
    """Whom we trust, and how TLS is begun: one context for all connections.

    *ca_file* holds the trusted issuers in PEM; empty: the system's own. It is read now, which raises `IssuersError`,
    and again once a day; what cannot be read then is logged, and the old ones stay.
    """

    _log = Logger()

    def __init__(self, ca_file: str, clock: IReactorTime, ciphers: bytes = OPPORTUNISTIC_CIPHERS) -> None:
        self._ca_file = ca_file
        self._clock = clock
        self._ciphers = ciphers
        self._context = client_context(ca_file, ciphers)
        self._read_at = clock.seconds()

    def to(self, name: str) -> "PeerTLS":
        """Return what one connection to the host of that name begins TLS with. Any text will do for *name*."""
        if self._clock.seconds() - self._read_at >= REREAD_SECONDS:
            self._read_at = self._clock.seconds()
            try:
                self._context = client_context(self._ca_file, self._ciphers)
            except IssuersError as error:
                self._log.error("{reason}; those that were read before are trusted still", reason=str(error))
        return PeerTLS(self._context, name)


@implementer(IOpenSSLClientConnectionCreator)
class PeerTLS:
    """TLS of one connection, to a host called *name*."""

    def __init__(self, context: Any, name: str) -> None:
        self._context = context
        self._name = server_name(name)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the client's end of a new TLS connection."""
        connection = SSL.Connection(self._context, None)
        if self._name:
            # RFC 7672 §8.1: the client MUST send SNI; harmless elsewhere.
            connection.set_tlsext_host_name(self._name)
        return connection

    @property
    def wraps(self) -> TLSMemoryBIOFactory:
        """See `mailsuite.transport.direct_tls.Starts`."""
        return wrapping(self)

    def encryption(self, connection: Any) -> Encryption:
        """Say what was agreed on, and what the peer showed."""
        chain = shown_chain(connection, is_client=False)
        return Encryption(
            connection.get_protocol_version_name(),
            connection.get_cipher_name() or "",
            chain,
            distrust(connection) if chain else "no certificate shown",
        )


def server_name(name: str) -> bytes:
    """Return *name* as SNI gives it; empty where it is no host name.

    RFC 6066 §3: A-labels without a trailing dot, never an IP address. An underscore is let through.
    """
    host = domain_key(name.removesuffix("."))
    top = host.rpartition(".")[2]
    if len(host) > 253 or top.isdigit() or not _HOST_NAME.fullmatch(host):
        return b""
    return host.encode("ascii")


def client_context(ca_file: str, ciphers: bytes) -> Any:
    """Return a context that looks at certificates and goes on whatever it sees. Raises `IssuersError`."""
    context = _SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_SSL.OP_NO_COMPRESSION | _SSL.OP_NO_RENEGOTIATION)
    context.set_cipher_list(ciphers)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # A resumed session shows no chain, and each delivery is to judge what it saw itself.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    look_at_peers(context, "servers")
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.set_default_verify_paths()
    except SSL.Error as error:
        raise IssuersError(f"{ca_file or 'the system'} has no usable certificates of issuers (PEM)") from error
    return context
