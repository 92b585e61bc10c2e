"""TLS for servers: one context for each listener.

TLS 1.2 and 1.3 only (RFC 8996), no compression, no renegotiation (RFC 9325 §3). Each listener has ticket keys of
its own, so that a session ticket of one is worth nothing at another.
"""

import hashlib
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mailsuite.certificates import Pair
from mailsuite.encryption import Encryption
from mailsuite.transport.channel_binding import server_binding

# RFC 9325 §4.2: forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

# pyOpenSSL's own names, whatever version of its types a checker has.
_SSL: Any = SSL
_MINIMUM = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


@implementer(IOpenSSLServerConnectionCreator)
class TLSContext:
    """What one listener shows to its clients; `CertificateWatch` makes it and keeps it fresh."""

    def __init__(self, listener: str) -> None:
        self.listener = listener
        self._context: Any = None

    def show(self, context: SSL.Context) -> None:
        """Use *context* from the next connection on; those that are open keep what they began with."""
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the server's end of a new TLS connection."""
        return SSL.Connection(self._context, None)

    def encryption(self, connection: Any) -> Encryption:
        """Say what was agreed on."""
        return Encryption(
            connection.get_protocol_version_name(),
            connection.get_cipher_name() or "",
            binding=partial(server_binding, connection),
        )


def server_context(pair: Pair, listener: str, minimum: str) -> Any:
    """Return a context that shows *pair*, with rules for TLS and ticket keys of its own."""
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
    return context
