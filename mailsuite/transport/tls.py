"""TLS for servers: one context for each listener.

TLS 1.2 and 1.3 only (RFC 8996), no compression, no renegotiation (RFC 9325 §3). Each listener has ticket keys of
its own, so that a session ticket of one is worth nothing at another.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from mailsuite.certificates import Pair
from mailsuite.encryption import Encryption
from mailsuite.transport.channel_binding import server_binding
from mailsuite.transport.direct_tls import wrapping
from mailsuite.transport.peer_trust import distrust, look_at_peers, shown_chain

# RFC 9325 §4.2: forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

# pyOpenSSL's own names, whatever version of its types a checker has.
_SSL: Any = SSL
_MINIMUM = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


@implementer(IOpenSSLServerConnectionCreator)
class TLSContext:
    """What one listener shows to its clients; `CertificateWatch` makes it and keeps it fresh.

    *asks*: clients are asked for a certificate.
    """

    def __init__(self, listener: str, asks: bool = False) -> None:
        self.listener = listener
        self.asks = asks
        self._context: Any = None

    def show(self, context: SSL.Context) -> None:
        """Use *context* from the next connection on; those that are open keep what they began with."""
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the server's end of a new TLS connection."""
        return SSL.Connection(self._context, None)

    @cached_property
    def wraps(self) -> TLSMemoryBIOFactory:
        """See `mailsuite.transport.direct_tls.Starts`: one for all connections."""
        return wrapping(self)

    def encryption(self, connection: Any) -> Encryption:
        """Say what was agreed on, and what the client showed if it was asked."""
        chain: tuple[bytes, ...] = ()
        trust = "not looked at"
        if self.asks:
            chain = shown_chain(connection, is_client=True)
            trust = distrust(connection) if chain else "no certificate shown"
        return Encryption(
            connection.get_protocol_version_name(),
            connection.get_cipher_name() or "",
            chain,
            trust,
            partial(server_binding, connection),
        )


def server_context(
    pair: Pair, listener: str, minimum: str, issuers: Sequence[x509.Certificate] | None = None
) -> Any:
    """Return a context that shows *pair*, with rules for TLS and ticket keys of its own.

    With *issuers* clients are asked for a certificate, which those must have issued to be trusted; a client that has
    none, or any other, is served all the same.
    """
    context = _SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_MINIMUM[minimum])
    context.set_options(
        _SSL.OP_NO_COMPRESSION | _SSL.OP_NO_RENEGOTIATION | _SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_cipher_list(CIPHERS)
    # An idle connection gives its 32 KiB of buffers back.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Tickets alone resume sessions: no memory is spent on clients that may never come back.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(hashlib.sha256(listener.encode()).digest())
    context.use_certificate(pair.chain[0])
    for issuer in pair.chain[1:]:
        context.add_extra_chain_cert(issuer)
    context.use_privatekey(pair.key)
    context.check_privatekey()
    if issuers is not None:
        _ask_clients(context, issuers)
    return context


def _ask_clients(context: Any, issuers: Sequence[x509.Certificate]) -> None:
    # A resumed session shows no chain, and each login is to be judged by what was shown to us.
    context.set_options(_SSL.OP_NO_TICKET)
    look_at_peers(context, "clients")
    for issuer in issuers:
        context.get_cert_store().add_cert(X509.from_cryptography(issuer))
        # A client that has several certificates chooses by the names of these.
        context.add_client_ca(issuer)
