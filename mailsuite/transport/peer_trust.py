"""What a peer's certificates are worth: found out by OpenSSL while the handshake goes on, whatever comes out.

Who judges them differs, so the first thing that is wrong is kept in words, and nothing is broken off.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

# So many certificates may stand between the peer's and a trusted one. (OpenSSL reads at most 100 KB of them.)
CHAIN_DEPTH = 10

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
}
# What is wrong with the chain, not with the one certificate at which it came out.
_OF_CHAIN = {"issuer not trusted", _UNKNOWN_ISSUER, "chain too long"}

# A connection's app data is Twisted's, and a callback of its own would be a cycle.
_distrust: WeakKeyDictionary[SSL.Connection, str] = WeakKeyDictionary()


def look_at_peers(context: Any, wanted_for: str) -> None:
    """Have *context* ask its peers for certificates, look at them, and go on whatever it sees.

    *wanted_for* says what a certificate must be good for: ``servers`` or ``clients``.
    """
    context.set_verify_depth(CHAIN_DEPTH)
    context.set_verify(SSL.VERIFY_PEER, _note(f"not for {wanted_for}"))


def shown_chain(connection: Any, is_client: bool) -> tuple[bytes, ...]:
    """Return the peer's certificates in DER, its own first; empty: it showed none. *is_client*: the peer is one."""
    sent = list(connection.get_peer_cert_chain() or ())
    if is_client and (own := connection.get_peer_certificate()) is not None:
        # OpenSSL leaves a client's own certificate out of its chain.
        sent.insert(0, own)
    return tuple(dump_certificate(FILETYPE_ASN1, certificate) for certificate in sent)


def distrust(connection: Any) -> str:
    """Say why the chain that was shown is not trusted; empty where it is."""
    return _distrust.get(connection, "")


def _note(unfit: str) -> Callable[[SSL.Connection, Any, int, int, int], bool]:
    """Return what keeps the first thing that OpenSSL finds wrong, and lets the handshake go on."""

    def note(connection: SSL.Connection, certificate: Any, error: int, depth: int, good: int) -> bool:
        if not good:
            reason = _REASONS.get(error) or _NAMES.get(error, f"OpenSSL's verify error {error}")
            if error == _Codes.ERR_INVALID_PURPOSE:
                reason = unfit
            if depth and reason not in _OF_CHAIN:
                reason += " (an issuer's certificate)"
            _distrust.setdefault(connection, reason)
        return True

    return note
