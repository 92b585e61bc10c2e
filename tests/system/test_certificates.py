"""A certificate for each name, and those of clients, with clients that people have and the server as shipped."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailsuite.certificates import Pair
from tests.system.programs import needs, run
from tests.system.site import DOMAIN, HOSTNAME, LISTENERS, Site, secret, until
from tests.system.wire import Wire
from tests.transport.authority import Authority

pytestmark = pytest.mark.system

ROOT = Authority("Root of this test")
OTHER, THIRD = "mail.example.net", "mail.customer.example"
ASKING = {name: {**keys, "client_certificates": "ask"} for name, keys in LISTENERS.items()}
every_listener = pytest.mark.parametrize("listener", LISTENERS)


def put(path: Path, pair: Pair) -> None:
    """Write *pair* to ``path.pem`` and ``path.key``."""
    path.with_suffix(".pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in pair.chain))
    path.with_suffix(".key").write_bytes(pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve a site with three certificates, whose clients are asked for theirs."""
    site = Site(users=["alice"], listeners=ASKING)
    site.options = {
        "tls": {"client_ca": "issuers.pem"},
        "certificates.net": {"certificate": "net.pem", "key": "net.key"},
        "certificates.customer": {"certificate": "c.pem", "key": "c.key", "names": [THIRD, "*.customer.example"]},
    }
    site.make()
    ROOT.file(site.folder)
    put(site.folder / "net", ROOT.issue(OTHER, "*.example.net"))
    put(site.folder / "c", ROOT.issue("*.customer.example"))
    with site:
        yield site


def trusting(site: Site) -> ssl.SSLContext:
    """Return a client's context that trusts the site's certificate and the test's issuer."""
    context = ssl.create_default_context(cafile=str(site.certificate))
    context.load_verify_locations(site.folder / "issuers.pem")
    return context


def ready(site: Site, listener: str) -> Wire:
    """Return a connection on which the server waits for TLS to begin."""
    wire = Wire(site.ports[listener])
    service, tls = LISTENERS[listener]["service"], LISTENERS[listener]["tls"]
    if tls == "starttls" and service == "pop3":
        wire.ok()
        wire.send(b"STLS\r\n")
        wire.ok()
    elif tls == "starttls":
        wire.greet()
        wire.ask(b"STARTTLS", 220)
    return wire


def names(site: Site, listener: str, asked: str | None, context: ssl.SSLContext | None = None) -> list[str]:
    """Return the names of the certificate that the server shows to whoever asks for *asked*."""
    context = context or trusting(site)
    context.check_hostname = asked is not None
    with context.wrap_socket(ready(site, listener).socket, server_hostname=asked) as secure:
        return shown_names(secure)


def shown_names(secure: ssl.SSLSocket) -> list[str]:
    """Return the names of the certificate that the server has shown."""
    octets = secure.getpeercert(binary_form=True)
    assert octets is not None
    extensions = x509.load_der_x509_certificate(octets).extensions
    return extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


@every_listener
def test_each_name_has_its_certificate(site: Site, listener: str) -> None:
    """The name that is asked for (SNI) decides, at every listener; clients check that it is theirs."""
    assert names(site, listener, OTHER) == [OTHER, "*.example.net"]
    assert names(site, listener, "imap.example.net") == [OTHER, "*.example.net"]
    assert names(site, listener, THIRD) == ["*.customer.example"]
    assert names(site, listener, HOSTNAME) == names(site, listener, None)


def test_a_name_that_nobody_has_gets_the_default_certificate(site: Site) -> None:
    """The handshake goes on; whether the client likes what it sees is its own affair."""
    default = names(site, "submissions", None)
    context = trusting(site)
    context.check_hostname = False
    with context.wrap_socket(ready(site, "submissions").socket, server_hostname="else.example") as secure:
        assert shown_names(secure) == default
    with pytest.raises(ssl.SSLCertVerificationError):
        names(site, "submissions", "else.example")


def test_renewal_without_a_restart(site: Site) -> None:
    """New files of one certificate are taken up within seconds, and no session is dropped."""
    with ready(site, "pop3s") as wire:
        wire.socket = trusting(site).wrap_socket(wire.socket, server_hostname=OTHER)
        wire.ok()
        put(site.folder / "net", ROOT.issue(OTHER, "renewed.example.net"))
        until(lambda: names(site, "pop3s", OTHER) == [OTHER, "renewed.example.net"], what="the new certificate")
        wire.send(b"NOOP\r\nQUIT\r\n")
        assert wire.line().startswith(b"-ERR")
        wire.ok()
    put(site.folder / "net", ROOT.issue(OTHER, "*.example.net"))
    until(lambda: names(site, "pop3s", OTHER) == [OTHER, "*.example.net"], what="the old certificate")


@every_listener
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_any_client_is_served(site: Site, listener: str, version: ssl.TLSVersion, tmp_path: Path) -> None:
    """With a certificate that is trusted, with any other, and without."""
    pairs = [ROOT.issue("alice", client=True), Authority("Somebody").issue("alice", client=True), ROOT.issue("alice")]
    for pair in (None, *pairs):
        context = trusting(site)
        context.minimum_version = context.maximum_version = version
        if pair is not None:
            put(tmp_path / "client", pair)
            context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        with context.wrap_socket(ready(site, listener).socket, server_hostname=HOSTNAME) as secure:
            if LISTENERS[listener]["tls"] == "implicit":
                assert secure.recv(1000)[:3] in (b"220", b"+OK")
            secure.sendall(b"QUIT\r\n")
            assert secure.recv(1000)[:3] in (b"221", b"+OK")


@needs("openssl")
def test_clients_are_told_whose_certificates_are_trusted(site: Site) -> None:
    """As OpenSSL's own client hears it; SMTP goes on behind that."""
    port = site.ports["submissions"]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", OTHER, "-ign_eof", "-crlf"]
    said = run(command, given=b"QUIT\n", status=None).stdout
    issuers = said.partition(b"Acceptable client certificate CA names\n")[2]

    assert b"Root of this test" in issuers.partition(b"Requested Signature Algorithms")[0]
    assert b"\n220 " in said and b"\n221 " in said


@needs("curl")
def test_mail_under_the_name_of_another_domain(site: Site, tmp_path: Path) -> None:
    """curl, which checks the certificate for the name that it was told, sends and reads."""
    alice, text = f"alice@{DOMAIN}", tmp_path / "message"
    text.write_bytes(b"Subject: x\r\n\r\nhello\r\n")

    def curl(listener: str, scheme: str, *more: str) -> bytes:
        port = site.ports[listener]
        command = ["curl", "--silent", "--show-error", f"{scheme}://{OTHER}:{port}/1"]
        command += ["--resolve", f"{OTHER}:{port}:127.0.0.1", "--cacert", str(site.folder / "issuers.pem")]
        return run([*command, "--user", f"{alice}:{secret(alice)}", *more], home=tmp_path).stdout

    curl("submissions", "smtps", "--mail-from", alice, "--mail-rcpt", alice, "--upload-file", str(text))
    (stored,) = site.on_disk("alice")
    assert curl("pop3", "pop3", "--ssl-reqd") == stored
