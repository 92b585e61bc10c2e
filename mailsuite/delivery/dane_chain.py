"""From a server's certificate to a trust anchor that TLSA records of usage DANE-TA name (RFC 7671 §5.2).

OpenSSL walks the path: signatures, dates, path lengths and name constraints (RFC 5280 §6). The system's own issuers
have no say in it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags

from mailsuite.delivery.der import matches
from mailsuite.dns import TLSA

# So many certificates of a chain are looked at. Real ones have two to four.
CERTIFICATES = 16
# So many bare keys are tried: they are discouraged (RFC 7672 §3.1.2), and each try costs a signature.
KEYS = 4
# A forger can make two certificates with one of these digests.
_BROKEN = {"md5", "sha1"}
_SERVER = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def objection(chain: Sequence[bytes], records: Sequence[TLSA], now: datetime) -> str:
    """Return why *chain* (DER, the server's own first) leads to no anchor that *records* name; empty: it does.

    Every certificate of the path, the anchor too, must be in its time at *now*. Names are not looked at. Never raises.
    """
    try:
        return _objection(chain, records, now)
    except X509StoreContextError as error:
        return str(error)
    except Exception:
        # What a hostile certificate makes a library raise cannot be listed.
        return "its certificates cannot be read"


def _objection(chain: Sequence[bytes], records: Sequence[TLSA], now: datetime) -> str:
    leaf = x509.load_der_x509_certificate(chain[0])
    # The server's own certificate is no anchor, wherever else it stands: that is what DANE-EE is for.
    others = {der: other for der, other in _readable(chain[1:CERTIFICATES]).items() if der != chain[0]}
    records = [record for record in records if record.data != chain[0]]
    anchors = _anchors(leaf, others, records)
    if not anchors:
        return "none of them is named"
    for certificate in _path(leaf, list(others.values()), anchors, now)[:-1]:
        if _is_broken(certificate):
            return "one of them is signed with a broken digest"
    return "" if _is_for_servers(leaf) else "the first is not for servers"


def _readable(chain: Sequence[bytes]) -> dict[bytes, x509.Certificate]:
    """Return the certificates of *chain* with their octets."""
    found = {}
    for der in chain:
        # Chains hold the strangest things; what cannot be read is no part of the path.
        with suppress(Exception):
            found[der] = x509.load_der_x509_certificate(der)
    return found


def _anchors(
    leaf: x509.Certificate, others: Mapping[bytes, x509.Certificate], records: Sequence[TLSA]
) -> list[x509.Certificate]:
    """Return the certificates at which a path may end."""
    found = [issuer for der, issuer in others.items() if any(matches(record, der) for record in records)]
    # RFC 7671 §5.2.2: a whole certificate need not be among those that were sent.
    found += _readable([r.data for r in records if (r.selector, r.matching) == (0, 0)]).values()
    keys = [record.data for record in records if (record.selector, record.matching) == (1, 0)]
    top = _top(leaf, list(others.values()))
    # RFC 7671 §5.2.3: the anchor is a bare key, which must have signed the topmost certificate.
    if not _is_broken(top) and any(_is_signed(top, key) for key in keys[:KEYS]):
        found.append(top)
    return found


def _top(leaf: x509.Certificate, others: list[x509.Certificate]) -> x509.Certificate:
    """Return the last certificate on the way up from *leaf*, by their names."""
    top = leaf
    for _ in others:
        issuer = next((each for each in others if each.subject == top.issuer), top)
        if issuer.subject == top.subject:
            break
        top = issuer
    return top


def _is_signed(certificate: x509.Certificate, der: bytes) -> bool:
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        key = load_der_public_key(der)
        how = certificate.signature_algorithm_parameters
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(signature, signed, how)
        elif isinstance(key, rsa.RSAPublicKey) and isinstance(how, padding.PKCS1v15 | padding.PSS):
            hashed = certificate.signature_hash_algorithm
            if hashed is None:
                return False
            key.verify(signature, signed, how, hashed)
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        else:
            return False
    except Exception:
        # A wrong signature, a key of another kind, an algorithm that nobody knows: not signed by this key.
        return False
    return True


def _path(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> list[x509.Certificate]:
    """Return the path from *leaf* to one of *anchors*. Raises `X509StoreContextError`."""
    store = X509Store()
    for anchor in anchors:
        store.add_cert(X509.from_cryptography(anchor))
    store.set_time(now)
    # An anchor need not be self-signed.
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
    untrusted = [X509.from_cryptography(other) for other in others]
    steps = X509StoreContext(store, X509.from_cryptography(leaf), untrusted).get_verified_chain()
    return [step.to_cryptography() for step in steps]


def _is_broken(certificate: x509.Certificate) -> bool:
    digest = certificate.signature_hash_algorithm
    return digest is not None and digest.name in _BROKEN


def _is_for_servers(certificate: x509.Certificate) -> bool:
    """RFC 5280 §4.2.1.12: where purposes are said, this has to be among them."""
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _SERVER.isdisjoint(purposes)

