"""Channel bindings: octets that both ends of one TLS connection know, and nobody who sits between two of them.

A login that proves them (SCRAM-...-PLUS, RFC 5802 §6) cannot be carried on to another server.
"""

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
EXPORTER_OCTETS = 32

_lib: Any = getattr(SSL, "_lib", None)


def server_binding(connection: Any, kind: str) -> bytes | None:
    """Return what the server's end of *connection* has for *kind*, or ``None``."""
    if kind == "tls-exporter":
        return _exporter(connection)
    if kind == "tls-server-end-point":
        return _end_point(connection)
    return None


def _exporter(connection: Any) -> bytes | None:
    """RFC 9266 §2: keying material for one label and an empty context, 32 octets."""
    if not _exports(connection):
        return None
    octets: bytes = connection.export_keying_material(EXPORTER_LABEL, EXPORTER_OCTETS, b"")
    return octets


def _exports(connection: Any) -> bool:
    """Say whether no second connection can have the same keying material.

    RFC 9266 §4.2: before TLS 1.3 that needs the extended master secret (RFC 7627) and no renegotiation, which we never
    allow. Whether it was agreed on, pyOpenSSL has no name for but one of its own; without it, the answer is no.
    """
    if connection.get_protocol_version_name() == "TLSv1.3":
        return True
    try:
        return bool(_lib.SSL_get_extms_support(connection._ssl) == 1)
    except AttributeError:
        return False


def _end_point(connection: Any) -> bytes | None:
    """RFC 5929 §4.1: a hash of the certificate that was shown, which may be one of several (SNI)."""
    shown = connection.get_certificate()
    if shown is None:
        return None
    certificate = shown.to_cryptography()
    try:
        hashed = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if hashed is None:
        # A signature without one hash function of its own (Ed25519): the RFC leaves the binding undefined.
        return None
    if isinstance(hashed, hashes.MD5 | hashes.SHA1):
        hashed = hashes.SHA256()
    digest = hashes.Hash(hashed)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()
