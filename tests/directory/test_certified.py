"""Whose certificate it is: by its fingerprint, or by what a trusted issuer has put in it."""

import datetime
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from mailsuite.directory import certified
from mailsuite.directory.certified import BadCertificateList, Certified, parse_certificate_list, read_certificate_list
from mailsuite.encryption import Encryption

# A general name of a kind that nobody reads (x400Address).
ODD_NAMES = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x04\xa3\x02\x30\x00")
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])


def certificate(*names: x509.GeneralName, extension: x509.ExtensionType | None = None) -> bytes:
    """Return a certificate with *names* as its alternative ones, or with *extension*."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, now, now)
    if names:
        extension = x509.SubjectAlternativeName(names)
    if extension is not None:
        made = made.add_extension(extension, False)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


ALICE = certificate(x509.RFC822Name("Alice@EXAMPLE.org"))
PRINT = hashlib.sha256(ALICE).hexdigest()


def shown(*chain: bytes, trust: str = "") -> Encryption:
    """Return a connection on which the client has shown *chain*."""
    return Encryption("TLSv1.3", "x", chain, trust)


def test_by_fingerprint() -> None:
    """The client's own certificate counts, trusted or not, not those of its issuers."""
    whose = Certified({PRINT: "alice@example.org"}, False)

    assert whose(shown(ALICE, trust="self-signed")) == "alice@example.org"
    assert whose(shown(certificate(), ALICE)) == ""
    assert whose(shown()) == ""


def test_by_address() -> None:
    """Where the operator says so, and the issuer is trusted, the one address that it has."""
    whose = Certified({}, True)

    assert whose(shown(ALICE)) == "alice@example.org"
    assert whose(shown(ALICE, trust="self-signed")) == ""
    assert Certified({}, False)(shown(ALICE)) == ""


@pytest.mark.parametrize(
    "octets",
    [
        b"no certificate",
        certificate(),
        certificate(x509.DNSName("example.org")),
        certificate(x509.RFC822Name("frob")),
        certificate(extension=ODD_NAMES),
        certificate(x509.RFC822Name("alice@example.org"), x509.RFC822Name("bob@example.org")),
    ],
)
def test_certificates_of_nobody(octets: bytes) -> None:
    """Without an address, or with more than one."""
    assert Certified({}, True)(shown(octets)) == ""


def test_a_list() -> None:
    """Comments, colons, capitals; the same line twice does no harm."""
    spaced = ":".join(PRINT[index : index + 2] for index in range(0, 64, 2)).upper()
    lines = ["# whose is whose\n", "\n", f"{spaced}  Alice@example.ORG\n", f"{PRINT} alice@example.org"]

    assert parse_certificate_list(lines) == {PRINT: "alice@example.org"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("frob alice@example.org", "line 2: expected the SHA-256"),
        (PRINT, "line 2: expected the SHA-256"),
        (f"{PRINT} alice@example.org x", "line 2: expected the SHA-256"),
        (f"{PRINT[:-1]} alice@example.org", "line 2: expected the SHA-256"),
        (f"{PRINT} alice", "line 2: alice is not an address"),
    ],
    # The print is another one in each run.
    ids=["no print", "no user", "more than a user", "short print", "no address"],
)
def test_lists_that_are_none(line: str, reason: str) -> None:
    """The reason names the line."""
    with pytest.raises(BadCertificateList, match=reason):
        parse_certificate_list(["", line])


def test_one_certificate_is_one_users() -> None:
    """Two of them would be a mistake. And a list has its end."""
    with pytest.raises(BadCertificateList, match=r"line 2: this certificate is a@example\.org's already"):
        parse_certificate_list([f"{PRINT} a@example.org", f"{PRINT} b@example.org"])


def test_a_list_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is taken, past it not."""
    monkeypatch.setattr(certified, "LINES", 2)
    lines = [f"{number:064x} a@example.org" for number in range(3)]
    assert len(parse_certificate_list(lines[:2])) == 2
    with pytest.raises(BadCertificateList, match="more than 2 lines"):
        parse_certificate_list(lines)


def test_a_file(tmp_path: Path) -> None:
    """None is an empty list; what cannot be read says why."""
    file = tmp_path / "list"
    assert read_certificate_list("") == {}
    with pytest.raises(BadCertificateList, match="cannot be read"):
        read_certificate_list(str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(BadCertificateList, match="cannot be read"):
        read_certificate_list(str(file))
    file.write_text("x")
    with pytest.raises(BadCertificateList, match=f"{file}: line 1"):
        read_certificate_list(str(file))
    file.write_text(f"{PRINT} alice@example.org\n")
    assert read_certificate_list(str(file)) == {PRINT: "alice@example.org"}
