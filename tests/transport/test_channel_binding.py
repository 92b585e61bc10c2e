"""Channel bindings: both ends of a connection come to the same octets, and those of two connections differ."""

import datetime
import hashlib
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509

from mailsuite.certificates import Pair
from mailsuite.encryption import Encryption
from mailsuite.transport import channel_binding
from mailsuite.transport.channel_binding import server_binding
from tests.transport.authority import shown

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NO_EXTENDED_MASTER_SECRET = 1
LABEL = b"EXPORTER-Channel-Binding"
VERSIONS = pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])


def pair(key: Any, digest: Any) -> Pair:
    """Return a pair whose certificate is signed by its own *key* and with *digest*."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.org")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=9))
    return Pair((builder.sign(key, digest),), key)


EC = pair(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


def meet(shows: Pair = EC, version: int = SSL.TLS1_3_VERSION, options: int = 0) -> tuple[Any, Any]:
    """Return client and server of a connection whose handshake is done."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    context.set_options(options)
    client: Any = SSL.Connection(context, None)
    server: Any = shown(shows).serverConnectionForTLS(cast(Any, None))
    client.set_connect_state()
    server.set_accept_state()
    for one, other in [(client, server), (server, client)] * 3:
        try:
            one.do_handshake()
        except SSL.WantReadError:
            pass
        try:
            other.bio_write(one.bio_read(100_000))
        except SSL.WantReadError:
            pass
    return client, server


@VERSIONS
def test_rfc_9266_both_ends_export_the_same(version: int) -> None:
    """32 octets for the label of the RFC and an empty context, of this connection alone."""
    client, server = meet(version=version)
    binding = server_binding(server, "tls-exporter")

    assert binding is not None and len(binding) == 32
    assert binding == client.export_keying_material(LABEL, 32, b"")
    assert binding != server_binding(meet(version=version)[1], "tls-exporter")


def test_rfc_9266_4_2_tls_1_2_needs_the_extended_master_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it somebody between two connections can make their keying material the same."""
    _, without = meet(version=SSL.TLS1_2_VERSION, options=NO_EXTENDED_MASTER_SECRET)
    _, with_it = meet(version=SSL.TLS1_2_VERSION)

    assert server_binding(without, "tls-exporter") is None
    assert server_binding(with_it, "tls-exporter") is not None
    # Where nothing tells us of it, we do not take it for granted.
    monkeypatch.setattr(channel_binding, "_lib", None)
    assert server_binding(with_it, "tls-exporter") is None


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda each: each.name)
@VERSIONS
def test_rfc_5929_4_1_the_certificate_is_hashed_as_it_is_signed(version: int, digest: hashes.HashAlgorithm) -> None:
    """What the client computes from the certificate that it saw."""
    client, server = meet(pair(EC.key, digest), version)
    certificate = client.get_peer_certificate().to_cryptography().public_bytes(Encoding.DER)

    assert server_binding(server, "tls-server-end-point") == hashlib.new(digest.name, certificate).digest()


class Shown:
    """A connection that shows a certificate."""

    def __init__(self, certificate: x509.Certificate | None) -> None:
        self._certificate = certificate

    def get_certificate(self) -> X509 | None:
        """See `SSL.Connection.get_certificate`."""
        return None if self._certificate is None else X509.from_cryptography(self._certificate)


@pytest.mark.parametrize("last", [4, 5], ids=["MD5", "SHA-1"])
def test_rfc_5929_4_1_old_hashes_are_replaced(last: int) -> None:
    """SHA-256 stands for MD5 and SHA-1."""
    signed = pair(rsa.generate_private_key(65_537, 2048), hashes.SHA256()).chain[0].public_bytes(Encoding.DER)
    # Nobody signs by these any more: sha256WithRSAEncryption becomes another (RFC 8017 A.2.4), wherever it stands.
    arc = bytes.fromhex("2a864886f70d0101")
    octets = signed.replace(arc + b"\x0b", arc + bytes([last]))
    certificate = x509.load_der_x509_certificate(octets)

    assert octets.count(arc + bytes([last])) == 2
    assert server_binding(Shown(certificate), "tls-server-end-point") == hashlib.sha256(octets).digest()


def test_rfc_5929_4_1_a_signature_without_a_hash_gives_no_binding() -> None:
    """Ed25519 has none of its own; a connection without a certificate has none either."""
    certificate = pair(ed25519.Ed25519PrivateKey.generate(), None).chain[0]

    assert server_binding(Shown(certificate), "tls-server-end-point") is None
    assert server_binding(Shown(None), "tls-server-end-point") is None


def test_other_kinds_have_no_binding() -> None:
    """Nor has what was never encrypted by us."""
    assert server_binding(meet()[1], "tls-unique") is None
    assert Encryption("TLSv1.3", "x").binding("tls-exporter") is None


def test_a_binding_is_no_part_of_the_value() -> None:
    """It is not shown, and does not make two values differ."""
    bound = Encryption("TLSv1.3", "x", binding=lambda kind: b"secret")

    assert bound == Encryption("TLSv1.3", "x")
    assert "binding" not in repr(bound)
