"""Certificate chains as tests need them, and what TLSA records say of them."""

import hashlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeAlias, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from twisted.internet.defer import Deferred

from mailsuite.dns import TLSA

T = TypeVar("T")
Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECONDS = NOW.timestamp()
HOST = "mx.b.example"


@cache
def key(kind: str = "ec", number: int = 0) -> Key:
    """Return a key; the same for the same arguments, since RSA keys take their time."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def make(
    subject: str,
    own: Key,
    issuer: Made | None = None,
    *,
    names: Sequence[str] = (),
    ca: bool | None = None,
    path_length: int | None = None,
    begins: datetime = NOW - timedelta(days=30),
    ends: datetime = NOW + timedelta(days=30),
    purposes: Sequence[ObjectIdentifier] = (),
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    pss: bool = False,
) -> Made:
    """Return a certificate by *issuer*, or a self-signed one; *ca* ``None``: it does not say whether it issues."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    signer = issuer.key if issuer else own
    how = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    if pss:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return Made(builder.sign(signer, how, rsa_padding=scheme), own)
    return Made(builder.sign(signer, how), own)


def with_sha1(made: Made, issuer: Made) -> Made:
    """Return the same certificate, signed by the RSA key of *issuer* with SHA-1, which no library does for us."""
    sha256_with_rsa, sha1_with_rsa = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    signed = made.certificate.tbs_certificate_bytes.replace(sha256_with_rsa, sha1_with_rsa)
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    signature = issuer.key.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    octets = made.der.replace(sha256_with_rsa, sha1_with_rsa).replace(made.certificate.signature, signature)
    return Made(x509.load_der_x509_certificate(octets), made.key)


@dataclass(frozen=True)
class Chain:
    """A server's certificate, the issuer between, and the root."""

    leaf: Made
    middle: Made
    root: Made

    @property
    def whole(self) -> tuple[bytes, ...]:
        return self.leaf.der, self.middle.der, self.root.der


def chain(
    kind: str = "ec", *, leaf: dict[str, Any] | None = None, middle: dict[str, Any] | None = None,
    root: dict[str, Any] | None = None,
) -> Chain:
    """Return a good chain for `HOST` but for what the arguments change of `make`'s."""
    top = make("Root", key(kind, 1), **{"ca": True, **(root or {})})
    between = make("Middle", key(kind, 2), top, **{"ca": True, **(middle or {})})
    own = {"names": [HOST], "ca": False, "purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}
    return Chain(make(HOST, key(kind, 3), between, **{**own, **(leaf or {})}), between, top)


def tlsa(usage: int, selector: int, matching: int, made: Made) -> TLSA:
    """Return the record that names *made* in this way."""
    octets = made.der if selector == 0 else made.public
    digests = {0: octets, 1: hashlib.sha256(octets).digest(), 2: hashlib.sha512(octets).digest()}
    return TLSA(usage, selector, matching, digests[matching])


def result(work: Coroutine[Any, Any, T]) -> T:
    """Return what *work*, which must not have to wait, returns; raise what it raises."""
    ended: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(ended.append)
    assert ended, "it waits"
    if hasattr(ended[0], "raiseException"):
        ended[0].raiseException()
    found: T = ended[0]
    return found
