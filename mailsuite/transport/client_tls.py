"""TLS as a client: begun with whoever offers it, and never broken off for what a certificate says.

Who judges it differs: nobody for opportunistic TLS (RFC 7435 §3), TLSA records alone for DANE-EE (RFC 7672 §3.1.1),
trusted issuers and the name elsewhere. So what the chain is worth is found out here, names are not looked at, and the
rest is up to whoever has begun the session.
"""

import re
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mailsuite.address import domain_key
from mailsuite.encryption import Encryption

# Forward secrecy comes first, but a peer that knows only old ciphers is better met with these than in the clear
# (RFC 7435 §3). There is an end to it: RFC 8996 forbids TLS before 1.2, which nobody should rely on any more, and of
# mail servers that know nothing newer hardly any are left. Level 1 lets keys of 1024 bits pass.
OPPORTUNISTIC_CIPHERS = (
    b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!aDSS:!AESCCM:@SECLEVEL=1"
)
# Issuers come and go: their file is read again so often.
REREAD_SECONDS = 86_400.0
# So many certificates may stand between the peer's and a trusted one. (OpenSSL reads at most 100 KB of them.)
CHAIN_DEPTH = 10

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_SSL: Any = SSL
_Codes: Any = SSL.X509VerificationCodes
_NAMES: dict[int, str] = {
    value: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, value in vars(_Codes).items()
    if name.startswith("ERR_")
}
_UNKNOWN_ISSUER = "issuer not known"
_REASONS = {
    _Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed",
    _Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN: "issuer not trusted",
    _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT: _UNKNOWN_ISSUER,
    _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: _UNKNOWN_ISSUER,
    _Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: _UNKNOWN_ISSUER,
    _Codes.ERR_CERT_CHAIN_TOO_LONG: "chain too long",
    _Codes.ERR_CERT_HAS_EXPIRED: "expired",
    _Codes.ERR_CERT_NOT_YET_VALID: "not valid yet",
    _Codes.ERR_CERT_SIGNATURE_FAILURE: "wrong signature",
    _Codes.ERR_INVALID_PURPOSE: "not for servers",
}
# What is wrong with the chain, not with the one certificate at which it came out.
_OF_CHAIN = {"issuer not trusted", _UNKNOWN_ISSUER, "chain too long"}


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
    """TLS of one connection, to a host called *name*.

    `_note` finds it by its connection, and it does not know the connection: both go with their last users. (A
    connection's app data is Twisted's, and a callback of its own would be a cycle.)
    """

    def __init__(self, context: Any, name: str) -> None:
        self._context = context
        self._name = server_name(name)
        self._trust = ""

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the client's end of a new TLS connection."""
        connection = SSL.Connection(self._context, None)
        _peers[connection] = self
        if self._name:
            # RFC 7672 §8.1: the client MUST send SNI; harmless elsewhere.
            connection.set_tlsext_host_name(self._name)
        return connection

    def encryption(self, connection: Any) -> Encryption:
        """Say what was agreed on, and what the peer showed."""
        sent = connection.get_peer_cert_chain() or ()
        chain = tuple(dump_certificate(FILETYPE_ASN1, certificate) for certificate in sent)
        return Encryption(
            connection.get_protocol_version_name(),
            connection.get_cipher_name() or "",
            chain,
            self._trust if chain else "no certificate shown",
        )

    def distrust(self, reason: str) -> None:
        """Note why the chain is not trusted; the first reason is the one that counts."""
        self._trust = self._trust or reason


_peers: WeakKeyDictionary[SSL.Connection, PeerTLS] = WeakKeyDictionary()


def _note(connection: SSL.Connection, certificate: Any, error: int, depth: int, good: int) -> bool:
    """Keep what OpenSSL finds wrong, and let the handshake go on."""
    if not good:
        reason = _REASONS.get(error) or _NAMES.get(error, f"OpenSSL's verify error {error}")
        if depth and reason not in _OF_CHAIN:
            reason += " (an issuer's certificate)"
        _peers[connection].distrust(reason)
    return True


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
    context.set_verify_depth(CHAIN_DEPTH)
    context.set_verify(SSL.VERIFY_PEER, _note)
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.set_default_verify_paths()
    except SSL.Error as error:
        raise IssuersError(f"{ca_file or 'the system'} has no usable certificates of issuers (PEM)") from error
    return context
