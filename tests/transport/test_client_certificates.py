"""Certificates of clients: asked for where a listener is told to, judged in words, never the end of a handshake."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from mailsuite.certificates import Pair, PairError
from mailsuite.encryption import Encryption
from mailsuite.transport.certificate_watch import POLL_SECONDS, CertificateWatch, NamedFiles
from tests.transport.authority import Authority, der
from tests.transport.test_tls import VERSIONS, Meeting, client_context

ROOT, STRANGER = Authority("Our Users"), Authority("Somebody")
BETWEEN = Authority("Between", ROOT)


class Site:
    """A server whose listener ``submissions`` asks, and ``pop3s`` does not."""

    def __init__(self, folder: Path, client_ca: str) -> None:
        self.folder = folder
        certificate, key = write(folder, "server", ROOT.issue("mail.example.org"))
        self.clock = Clock()
        self.watch = CertificateWatch(NamedFiles(certificate, key), "1.2", self.clock, client_ca=client_ca)
        self.context = self.watch.context("submissions", asks=True)
        self.other = self.watch.context("pop3s")

    def encryption(self, client: ssl.SSLContext) -> Encryption:
        """Return what the server knows of a session with *client*."""
        return self.context.encryption(Meeting(self.context, client).server)

    def trust(self, pair: Pair) -> str:
        """Return what the server thinks of a client that shows *pair*."""
        return self.encryption(client(self.folder, pair)).trust


def write(folder: Path, title: str, pair: Pair) -> tuple[str, str]:
    """Write *pair* to two files; return their paths."""
    certificate, key = folder / f"{title}.pem", folder / f"{title}.key"
    certificate.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in pair.chain))
    key.write_bytes(pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(certificate), str(key)


def client(folder: Path, pair: Pair | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return a client that shows *pair*, or nothing, when it is asked."""
    context = client_context(version)
    if pair is not None:
        context.load_cert_chain(*write(folder, "client", pair))
    return context


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A started site that trusts `ROOT`."""
    made = Site(tmp_path, ROOT.file(tmp_path))
    made.watch.privilegedStartService()
    made.watch.startService()
    yield made
    made.watch.stopService()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_shows_a_certificate(site: Site, version: ssl.TLSVersion) -> None:
    """The whole chain is known, its own certificate first."""
    pair = BETWEEN.issue("alice", client=True, above=[BETWEEN])
    encryption = site.encryption(client(site.folder, pair, version))

    assert encryption.chain == der(pair)
    assert encryption.trust == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_without_one_is_served(site: Site, version: ssl.TLSVersion) -> None:
    """Nobody has to have one."""
    encryption = site.encryption(client(site.folder, version=version))

    assert encryption.chain == ()
    assert encryption.trust == "no certificate shown"


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (STRANGER.issue("alice", client=True), "issuer not known"),
        (STRANGER.issue("alice", client=True, above=[STRANGER]), "issuer not trusted"),
        (ROOT.issue("alice", client=True, days=(-9, -1)), "expired"),
        (ROOT.issue("alice", client=True, days=(1, 9)), "not valid yet"),
        (ROOT.issue("alice"), "not for clients"),
        (BETWEEN.issue("alice", client=True), "issuer not known"),
    ],
)
def test_a_certificate_that_is_not_trusted_ends_no_handshake(site: Site, pair: Pair, reason: str) -> None:
    """It is said why; whoever takes logins judges."""
    assert site.trust(pair) == reason


def test_a_listener_that_does_not_ask_hears_of_none(site: Site) -> None:
    """A client shows what it is asked for only."""
    shows = client(site.folder, ROOT.issue("alice", client=True))
    encryption = site.other.encryption(Meeting(site.other, shows).server)

    assert (encryption.chain, encryption.trust) == ((), "not looked at")


@pytest.mark.parametrize("version", VERSIONS)
def test_who_is_asked_resumes_nothing(site: Site, version: ssl.TLSVersion) -> None:
    """A resumed session would show no chain: each is judged by its own."""
    shows = client(site.folder, ROOT.issue("alice", client=True), version)
    first = Meeting(site.context, shows)
    again = Meeting(site.context, shows, first.client.session)

    assert not again.client.session_reused
    assert site.context.encryption(again.server).trust == ""


def test_without_issuers_nobody_is_trusted(tmp_path: Path) -> None:
    """The chain is there all the same, for those who know the certificate itself."""
    site = Site(tmp_path, "")
    site.watch.privilegedStartService()
    pair = ROOT.issue("alice", client=True)
    encryption = site.encryption(client(tmp_path, pair))

    assert encryption.chain == der(pair)
    assert encryption.trust == "issuer not known"


def test_issuers_are_read_again_when_they_change(site: Site) -> None:
    """As certificates are."""
    pair = STRANGER.issue("alice", client=True)
    assert site.trust(pair) == "issuer not known"
    STRANGER.file(site.folder)
    site.clock.advance(POLL_SECONDS)

    assert site.trust(pair) == ""


def test_issuers_of_no_use_are_logged_and_the_old_ones_stay(site: Site, tmp_path: Path) -> None:
    """Once they have stopped changing."""
    (tmp_path / "issuers.pem").write_bytes(b"rubbish")
    with capturedLogs() as logged:
        site.clock.pump([POLL_SECONDS] * 5)

    (complaint,) = (event for event in logged if event["log_level"] is LogLevel.error)
    assert "issuers.pem holds no certificate" in complaint["reason"]
    assert site.trust(ROOT.issue("alice", client=True)) == ""


def test_a_start_without_usable_issuers_fails(tmp_path: Path) -> None:
    """A file that is named has to be there."""
    site = Site(tmp_path, str(tmp_path / "nothing.pem"))

    with pytest.raises(PairError, match=r"nothing\.pem cannot be read"):
        site.watch.privilegedStartService()
