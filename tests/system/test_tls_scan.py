"""What the listeners agree to in TLS, asked by clients that offer what they should not."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from tests.system import hello
from tests.system.hello import STRONG, VERSIONS, WEAK, Accepted, Refused
from tests.system.programs import needs
from tests.system.site import HOSTNAME, LISTENERS, Site
from tests.system.testssl import EXPECTED, scan
from tests.system.wire import Wire

pytestmark = pytest.mark.system

# pyOpenSSL's own names, whatever version of its types a checker has.
_SSL: Any = SSL
every_listener = pytest.mark.parametrize("listener", LISTENERS)
every_version = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def put_rsa_pair(site: Site) -> None:
    """Give the site an RSA certificate: with one, many more suites could be agreed on."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTNAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=365))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOSTNAME)]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    site.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (site.folder / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, plain))


@pytest.fixture(scope="module", params=["ECDSA", "RSA"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Serve a site with the certificate that ``init`` makes, and one with an RSA certificate."""
    with Site() as site:
        if request.param == "RSA":
            site.stop()
            put_rsa_pair(site)
            site.start()
        yield site


def ready(site: Site, listener: str) -> Wire:
    """Return a connection on which the server waits for TLS to begin."""
    wire = Wire(site.ports[listener])
    service, tls = LISTENERS[listener]["service"], LISTENERS[listener]["tls"]
    if tls == "implicit":
        return wire
    if service == "pop3":
        wire.ok()
        wire.send(b"STLS\r\n")
        wire.ok()
    else:
        wire.greet()
        wire.ask(b"STARTTLS", 220)
    return wire


def offer(site: Site, listener: str, version: str, suites: str, *compressions: int) -> Accepted | Refused:
    """Begin TLS with just *version* and one group of suites."""
    numbers = {**STRONG, **WEAK}[suites]
    with ready(site, listener) as wire:
        return hello.say(wire, version, numbers, compressions or (0,))


def suites_for(site: Site) -> str:
    """Return the group of suites of TLS 1.2 that go with the site's certificate."""
    certificate = x509.load_pem_x509_certificate(site.certificate.read_bytes())
    return "ECDHE-RSA" if isinstance(certificate.public_key(), rsa.RSAPublicKey) else "ECDHE-ECDSA"


@every_listener
def test_good_versions(site: Site, listener: str) -> None:
    """TLS 1.2 and TLS 1.3 are spoken, each with suites that encrypt and authenticate at once."""
    for version, suites in (("TLS 1.2", suites_for(site)), ("TLS 1.3", "TLS 1.3")):
        answer = offer(site, listener, version, suites)
        assert isinstance(answer, Accepted), (version, answer)
        assert answer.version == VERSIONS[version]
        assert answer.suite in STRONG[suites]


@every_listener
@pytest.mark.parametrize("version", ["SSL 3.0", "TLS 1.0", "TLS 1.1"])
def test_old_versions(site: Site, listener: str, version: str) -> None:
    """Versions before TLS 1.2 are refused (RFC 8996), whatever suites come with them."""
    for suites in ("CBC with SHA-1", "3DES", suites_for(site)):
        assert offer(site, listener, version, suites) == Refused(hello.PROTOCOL_VERSION), suites


@every_listener
def test_weak_suites(site: Site, listener: str) -> None:
    """No suite without forward secrecy or authenticated encryption is agreed on (RFC 9325 §4.1)."""
    for suites in WEAK:
        assert offer(site, listener, "TLS 1.2", suites) == Refused(hello.HANDSHAKE_FAILURE), suites


@every_listener
def test_no_compression(site: Site, listener: str) -> None:
    """Compression inside TLS is never agreed on, also where the client prefers it (RFC 9325 §3.3)."""
    answer = offer(site, listener, "TLS 1.2", suites_for(site), 1, 0)
    assert isinstance(answer, Accepted)
    assert answer.compression == 0


@every_listener
def test_no_renegotiation(site: Site, listener: str) -> None:
    """A client cannot begin a second handshake inside TLS 1.2; it is told so in the safe way (RFC 5746)."""
    answer = offer(site, listener, "TLS 1.2", suites_for(site))
    assert isinstance(answer, Accepted)
    assert answer.extensions[0xFF01] == b"\0"
    context = _SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    with ready(site, listener) as wire:
        wire.socket.settimeout(None)
        connection = _SSL.Connection(context, wire.socket)
        connection.set_connect_state()
        connection.do_handshake()
        assert connection.get_protocol_version_name() == "TLSv1.2"
        if LISTENERS[listener]["tls"] == "implicit":
            # The greeting, which would come in between.
            connection.recv(1000)
        assert connection.renegotiate()
        with pytest.raises(SSL.Error, match="no renegotiation"):
            connection.do_handshake()


def visit(
    site: Site, listener: str, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession, bool]:
    """Begin TLS, with the *session* of an earlier visit; return the session, and whether it goes on with that one."""
    with context.wrap_socket(ready(site, listener).socket, session=session) as secure:
        secure.sendall(b"QUIT\r\n")
        # Tickets are read with the answer.
        while secure.recv(1000):
            pass
        assert secure.session is not None
        assert secure.session_reused is not None
        return secure.session, secure.session_reused


@every_version
def test_tickets(site: Site, version: ssl.TLSVersion) -> None:
    """A session ticket resumes a session at the listener that gave it, and at no other."""
    context = site.tls()
    context.minimum_version = context.maximum_version = version
    for giver in LISTENERS:
        session, _ = visit(site, giver, context)
        assert session.has_ticket
        for listener in LISTENERS:
            _, resumed = visit(site, listener, context, session)
            assert resumed == (listener == giver), (giver, listener)


@pytest.mark.slow
@needs("testssl")
@pytest.mark.parametrize(
    "site, listener", [*(("ECDSA", listener) for listener in LISTENERS), ("RSA", "submissions")], indirect=["site"]
)
def test_scan(site: Site, listener: str, tmp_path: Path) -> None:
    """testssl.sh finds nothing worse than LOW that is ours to mend."""
    service, tls = LISTENERS[listener]["service"], LISTENERS[listener]["tls"]
    protocol = "pop3" if service == "pop3" else "smtp"
    findings = scan(site.ports[listener], protocol if tls == "starttls" else None, tmp_path)
    assert [each for each in findings if each.counts] == []
    assert {each.name for each in findings if each.severity == "OK"} >= EXPECTED
