"""Certificates for the tests, made as they need them. OpenSSL's clock is the machine's, and so is theirs."""

import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailsuite.certificates import Pair
from mailsuite.transport.tls import TLSContext, server_context

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """An issuer: a root, or one below *parent*."""

    def __init__(self, name: str = "Test Root", parent: "Authority | None" = None, days: tuple[int, int] = (-9, 9)):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.parent = parent
        self.name = _name(name)
        signer = parent or self
        builder = _builder(self.name, signer.name, self.key.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    def issue(
        self, *hosts: str, days: tuple[int, int] = (-9, 9), client: bool = False, above: "Sequence[Authority]" = ()
    ) -> Pair:
        """Return a certificate for *hosts*, valid in *days* around today, sent with the certificates of *above*."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = _builder(_name(hosts[0]), self.name, key.public_key(), days)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        leaf = builder.sign(self.key, hashes.SHA256())
        return Pair((leaf, *(each.certificate for each in above)), key)

    def file(self, folder: Path) -> str:
        """Write the certificate into *folder*; return the file's path."""
        path = folder / "issuers.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)


def shown(pair: Pair, minimum: str = "1.2") -> TLSContext:
    """Return what a server shows *pair* with."""
    context = TLSContext("test")
    context.show(server_context(pair, "test", minimum))
    return context


def der(pair: Pair) -> tuple[bytes, ...]:
    """Return the certificates of *pair* as they go over the wire."""
    return tuple(each.public_bytes(serialization.Encoding.DER) for each in pair.chain)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[int, int]
) -> x509.CertificateBuilder:
    first, last = days
    number = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key, number, NOW + first * DAY, NOW + last * DAY)
