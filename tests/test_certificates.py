"""Self-signed certificates, and reading a pair of files."""

import datetime
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailsuite.certificates import Pair, PairError, parse_chain, read_pair, self_signed, write_pair

# On the curve SM2, which the library does not know: openssl ecparam -name SM2 -genkey -noout -out k;
# openssl req -x509 -new -key k -subj /CN=x
UNKNOWN_CURVE = b"""\
-----BEGIN CERTIFICATE-----
MIIBbDCCAROgAwIBAgIUdx9XghiiMVU03j8HTKVMOzbjFIswCgYIKoEcz1UBg3Uw
DDEKMAgGA1UEAwwBeDAeFw0yNjExMjMyMzU3MTdaFw0yNjEyMDIyMzU3MTdaMAwx
CjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqgRzPVQGCLQNCAASE/NK75YG9jmVK
XZPFcdYzW9utqNNZxNaclHGEEelHuaRoXZH9x8hqgEapZ/YRWFPWnXGD7fVfhJDq
q+Luo+6/o1MwUTAdBgNVHQ4EFgQU17e5IOnegQBI25O3TmWE1824psAwHwYDVR0j
BBgwFoAU17e5IOnegQBI25O3TmWE1824psAwDwYDVR0TAQH/BAUwAwEB/zAKBggq
gRzPVQGDdQNHADBEAiB+/aMPPcMG4DKQ42qNyAN/YZqOuDEGYkA1JTsZPBCMXAIg
UqYS37gURoLj+NtqINJ2KND9AlD9s0jIGx8ZH0s7Qmc=
-----END CERTIFICATE-----
"""
UNKNOWN_KEY = b"""\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgiomhfzkQLV0WA3vS
q8fpb5EWW/PhF4435ywmbN+XpuuhRANCAASE/NK75YG9jmVKXZPFcdYzW9utqNNZ
xNaclHGEEelHuaRoXZH9x8hqgEapZ/YRWFPWnXGD7fVfhJDqq+Luo+6/
-----END PRIVATE KEY-----
"""

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def written(folder: Path, hostname: str = "mail.example.org", name: str = "a") -> tuple[str, str]:
    """Write a new pair in *folder* and return its path names."""
    paths = str(folder / f"{name}-cert.pem"), str(folder / f"{name}-key.pem")
    write_pair(*paths, self_signed(hostname, NOW))
    return paths


def pair_for(*names: str) -> Pair:
    """Return a pair for *names*, never written to disk."""
    certificate, key = self_signed(names[0], NOW, names[1:])
    private = serialization.load_pem_private_key(key, None)
    return Pair((x509.load_pem_x509_certificate(certificate),), private)


def test_a_new_certificate_is_for_the_host_and_what_else_was_named() -> None:
    """Names and addresses, each in its own form."""
    names = pair_for("mail.example.org", "localhost", "127.0.0.1", "::1").chain[0].extensions
    value = names.get_extension_for_class(x509.SubjectAlternativeName).value

    assert value.get_values_for_type(x509.DNSName) == ["mail.example.org", "localhost"]
    assert [str(ip) for ip in value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]


def test_a_new_certificate_holds_from_now_for_825_days() -> None:
    """A clock that is a little late does not refuse it."""
    pair = pair_for("mail.example.org")

    assert NOW - pair.begins == datetime.timedelta(hours=1)
    # Some clients refuse more, and count from its beginning.
    assert pair.expires - pair.begins == datetime.timedelta(days=825)


def test_a_new_key_is_on_p256_and_only_signs_for_servers() -> None:
    """It cannot be used to sign other certificates."""
    pair = pair_for("mail.example.org")
    constraints = pair.chain[0].extensions.get_extension_for_class(x509.BasicConstraints)

    assert isinstance(pair.key, ec.EllipticCurvePrivateKey)
    assert pair.key.curve.name == "secp256r1"
    assert not constraints.value.ca


def test_a_very_long_host_name_gets_a_certificate_too() -> None:
    """The common name is cut at its 64 characters; the name that counts is whole."""
    name = ".".join(["a" * 60] * 3) + ".example.org"

    assert pair_for(name).names == (name,)


def test_only_the_owner_can_read_the_key(tmp_path: Path) -> None:
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        _, key = written(tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """A second writing fails and leaves the first pair as it was."""
    certificate, key = written(tmp_path)
    before = Path(key).read_bytes()

    with pytest.raises(FileExistsError):
        write_pair(certificate, key, self_signed("other.example.org", NOW))

    assert Path(key).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "hostname", "fits"),
    [
        ("mail.example.org", "mail.example.org", True),
        ("mail.example.org", "MAIL.Example.ORG", True),
        ("mail.example.org", "example.org", False),
        ("*.example.org", "mail.example.org", True),
        ("*.example.org", "a.mail.example.org", False),
        ("*.example.org", "example.org", False),
    ],
)
def test_names_match_without_regard_to_case_and_a_star_is_one_label(
    name: str, hostname: str, fits: bool
) -> None:
    """RFC 6125 §6.4."""
    assert pair_for(name).is_for(hostname) is fits


def test_a_pair_that_belongs_together_is_read(tmp_path: Path) -> None:
    """Certificate, issuers after it, and key."""
    paths = written(tmp_path)
    issuer, _ = self_signed("issuer.example.org", NOW)
    with open(paths[0], "ab") as file:
        file.write(issuer)

    pair = read_pair(*paths)

    assert pair.names == ("mail.example.org",)
    assert len(pair.chain) == 2


def test_half_a_chain_is_not_taken_for_a_whole_one() -> None:
    """Wherever a file is cut that holds a certificate and its issuer; the end of a block alone looks whole."""
    own, issuer = (self_signed(f"{name}.example.org", NOW)[0] for name in ("mail", "issuer"))
    whole = own + issuer
    taken: dict[int, int] = {}
    for end in range(len(whole) + 1):
        with suppress(PairError):
            taken[end] = len(parse_chain("chain.pem", whole[:end]))

    # (The line end is no part of a block.)
    assert taken == {len(own) - 1: 1, len(own): 1, len(whole) - 1: 2, len(whole): 2}


def test_a_chain_that_is_cut_is_refused_in_clear_words() -> None:
    """As a file that somebody is still writing."""
    own, issuer = (self_signed(f"{name}.example.org", NOW)[0] for name in ("mail", "issuer"))

    with pytest.raises(PairError, match=r"chain\.pem ends within a block .*: put the whole file in place"):
        parse_chain("chain.pem", own + issuer[:300])
    with pytest.raises(PairError, match=r"chain\.pem holds .* one that cannot be read"):
        parse_chain("chain.pem", own + issuer[:300] + own)


def test_what_pem_files_hold_beside_certificates_is_no_fault() -> None:
    """Text before, between and after the blocks, blanks, other line ends, a key, kinds of blocks that others read."""
    own, key = self_signed("mail.example.org", NOW)
    issuer, _ = self_signed("issuer.example.org", NOW)
    trusted = issuer.replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE")

    for text in (
        b"subject=/CN=mail\n---\n" + own + b"\n  # the issuer\n-----\n" + issuer + b"\n\n \t",
        (own + issuer).replace(b"\n", b"\r\n"),
        (own + issuer).replace(b"\n", b"\r"),
        key + own + issuer,
        own + issuer + key,
        own + trusted + issuer + b"---- the end ----",
        own + issuer.replace(b" CERTIFICATE", b" X509 CERTIFICATE") + b"\xff\0",
    ):
        assert len(parse_chain("chain.pem", text)) == 2


def test_the_key_does_not_show_in_a_repr(tmp_path: Path) -> None:
    """What is printed by mistake tells nothing."""
    assert "key" not in repr(read_pair(*written(tmp_path)))


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """The text names both files."""
    certificate, _ = written(tmp_path)
    _, key = written(tmp_path, name="b")

    with pytest.raises(PairError, match=r"b-key\.pem does not belong to .* a?.*a-cert\.pem"):
        read_pair(certificate, key)


@pytest.mark.parametrize("text", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_rubbish_is_refused_in_either_file(tmp_path: Path, text: bytes) -> None:
    """The text says which file and what it should hold."""
    certificate, key = written(tmp_path)
    bad = tmp_path / "bad.pem"
    bad.write_bytes(text)

    with pytest.raises(PairError, match=r"bad\.pem holds no certificate in PEM form"):
        read_pair(str(bad), key)
    with pytest.raises(PairError, match=r"bad\.pem holds no private key in PEM form"):
        read_pair(certificate, str(bad))


def test_an_encrypted_key_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Nobody is there to type a passphrase. The command is one for a shell, whatever the file is called."""
    (tmp_path / "le dir").mkdir()
    certificate, key = written(tmp_path / "le dir")
    private = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    Path(key).write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(PairError, match=r"is encrypted: decrypt it with openssl pkey -in '/.*/le dir/a-key\.pem' "):
        read_pair(certificate, key)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the system's own words."""
    certificate, _ = written(tmp_path)

    with pytest.raises(PairError, match=r"nowhere\.pem cannot be read: No such file"):
        read_pair(certificate, str(tmp_path / "nowhere.pem"))


def test_a_pair_on_an_unknown_curve_is_refused_in_either_file(tmp_path: Path) -> None:
    """The text says what kind to get instead."""
    certificate, key = written(tmp_path)
    (tmp_path / "cx").write_bytes(UNKNOWN_CURVE)
    (tmp_path / "kx").write_bytes(UNKNOWN_KEY)

    with pytest.raises(PairError, match=r"cx is for a key of a kind that cannot be used .* RSA or P-256"):
        read_pair(str(tmp_path / "cx"), key)
    with pytest.raises(PairError, match=r"key in .*kx is of a kind that cannot be used .* RSA or P-256"):
        read_pair(certificate, str(tmp_path / "kx"))


def certificate_with(*extensions: x509.ExtensionType) -> tuple[bytes, bytes]:
    """Return the texts of a pair whose certificate has the common name x and only *extensions*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=9))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_malformed_list_of_names_is_refused(tmp_path: Path) -> None:
    """It is found when the pair is read, and not by whoever asks for the names."""
    paths = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    names = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"rubbish")
    write_pair(*paths, certificate_with(names))

    with pytest.raises(PairError, match=r"certificate in .*cert\.pem is malformed"):
        read_pair(*paths)


def test_a_common_name_is_shown_and_counts_for_nothing(tmp_path: Path) -> None:
    """No client looks at it any more (RFC 6125 §6.4.4)."""
    paths = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    write_pair(*paths, certificate_with())
    pair = read_pair(*paths)

    assert (pair.shown, pair.names, pair.is_for("x")) == ("CN=x", (), False)
    assert pair_for("a.example", "b.example").shown == "a.example, b.example"
