"""Certificates: a self-signed one to begin with, and the pair of certificate and key that a site shows."""

import datetime
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailsuite.address import domain_key
from mailsuite.transport.unreadable import remedy, way_to

# Some systems trust no certificate that lives longer, even when their user says so.
SELF_SIGNED_DAYS = 825
_USUAL = "get one for an RSA or P-256 key"
_BEGIN = b"-----BEGIN "
_END = re.compile(rb"-----END [^\r\n]+-----")


class PairError(Exception):
    """A certificate and key that cannot be used; the text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (the first of *chain*; its issuers follow) and the private key that belongs to it."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes = field(repr=False)

    @property
    def expires(self) -> datetime.datetime:
        """When the certificate ends, in UTC."""
        return self.chain[0].not_valid_after_utc

    @property
    def begins(self) -> datetime.datetime:
        """When the certificate begins to be valid, in UTC."""
        return self.chain[0].not_valid_before_utc

    @property
    def names(self) -> tuple[str, ...]:
        """The host names that the certificate is for, such as ``mail.example.org`` or ``*.example.org``."""
        try:
            names = self.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return ()
        return tuple(names.value.get_values_for_type(x509.DNSName))

    @property
    def shown(self) -> str:
        """The names in words; those of the subject, which clients do not look at, where it has no others."""
        subject = self.chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return ", ".join(self.names) or ", ".join(f"CN={_text(name.value)}" for name in subject) or "no name"

    def is_for(self, hostname: str) -> bool:
        """Say whether a client that asked for *hostname* accepts the certificate's names (RFC 6125 §6.4)."""
        wanted = domain_key(hostname)
        wildcard = "*." + wanted.partition(".")[2]
        return any(domain_key(name) in (wanted, wildcard) for name in self.names)


def read_pair(certificate: str, key: str) -> Pair:
    """Read a pair of PEM files. Raises `PairError` when one is of no use or they do not belong together."""
    return parse_pair(certificate, key, (_read(certificate), _read(key)))


def parse_pair(certificate: str, key: str, texts: tuple[bytes, bytes]) -> Pair:
    """Return the pair that two files hold with these *texts*. Raises as `read_pair`."""
    chain = parse_chain(certificate, texts[0])
    belongs_to = _certified(certificate, chain[0])
    private = _parse_key(key, texts[1])
    if belongs_to != _public(private.public_key()):
        raise PairError(
            f"the key in {key} does not belong to the first certificate in {certificate}:"
            " put the matching files in place (our own certificate comes first in its file)"
        )
    pair = Pair(chain, private)
    try:
        _ = pair.shown, pair.begins, pair.expires
    except (ValueError, x509.DuplicateExtension) as error:
        raise PairError(f"the certificate in {certificate} is malformed ({error}): get another one") from error
    return pair


def pem(pair: Pair) -> tuple[bytes, bytes]:
    """Return the texts of the two files of *pair*: `parse_pair` takes them."""
    return chain_pem(pair.chain), _key_pem(pair.key)


def read_chain(path: str) -> tuple[x509.Certificate, ...]:
    """Read the certificates in a PEM file. Raises as `parse_chain`."""
    return parse_chain(path, _read(path))


def parse_chain(path: str, text: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates in *text*, a PEM file's. Raises `PairError` when there is none, or not all is there."""
    if _is_cut(text):
        raise PairError(
            f"{path} ends within a block (-----BEGIN ... without its -----END): put the whole file in place"
        )
    try:
        return tuple(x509.load_pem_x509_certificates(text))
    except ValueError as error:
        raise PairError(
            f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----), or one that cannot be read"
        ) from error


def chain_pem(chain: Iterable[x509.Certificate]) -> bytes:
    """Return the text of a PEM file with these certificates: `parse_chain` takes it."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def self_signed(
    hostname: str, now: datetime.datetime, names: Iterable[str] = (), days: int = SELF_SIGNED_DAYS
) -> tuple[bytes, bytes]:
    """Return PEM texts of a new self-signed P-256 certificate for *hostname* and of its key.

    *names* are further host names and IP addresses that it is for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days, hours=-1))
    )
    for extension, critical in _extensions(key.public_key(), [hostname, *names]):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    return chain_pem([certificate]), _key_pem(key)


def write_pair(certificate: str, key: str, texts: tuple[bytes, bytes]) -> None:
    """Write a pair to two files that must not be there yet: the certificate for all to read, the key for its owner."""
    for path, text, mode in ((key, texts[1], 0o600), (certificate, texts[0], 0o644)):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text)


def _extensions(key: ec.EllipticCurvePublicKey, names: list[str]) -> list[tuple[x509.ExtensionType, bool]]:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
         "crl_sign", "encipher_only", "decipher_only"), False
    )
    return [
        (x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, **usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (identifier, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
    ]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(domain_key(name))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError as error:
        allow = remedy(way_to(path))
        raise PairError(f"{path} cannot be read: {error.strerror}; what allows it, as root: {allow}") from error
    except OSError as error:
        raise PairError(f"{path} cannot be read: {error.strerror}") from error


def _is_cut(text: bytes) -> bool:
    """Say whether *text* ends before its last block does; a parser would take what stands before that for all."""
    _, begun, last = text.rpartition(_BEGIN)
    if begun and not _END.search(last):
        return True
    unended = text.rpartition(b"\n")[2]
    return unended != b"" and _BEGIN.startswith(unended)


def _key_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _parse_key(path: str, text: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(text, password=None)
    except TypeError as error:
        command = f"openssl pkey -in {shlex.quote(path)} -out ..."
        raise PairError(f"the key in {path} is encrypted: decrypt it with {command}") from error
    except UnsupportedAlgorithm as error:
        raise PairError(f"the key in {path} is of a kind that cannot be used ({error}): {_USUAL}") from error
    except ValueError as error:
        raise PairError(f"{path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)") from error


def _certified(path: str, certificate: x509.Certificate) -> bytes:
    """Return the public key in *certificate*, read from *path*."""
    try:
        return _public(certificate.public_key())
    except (UnsupportedAlgorithm, ValueError) as error:
        raise PairError(
            f"the certificate in {path} is for a key of a kind that cannot be used ({error}): {_USUAL}"
        ) from error


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "backslashreplace")


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
