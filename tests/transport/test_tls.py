"""TLS as a client sees it: real handshakes in memory, with the standard library's client."""

import datetime
import os
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from zope.interface.verify import verifyObject

from mailsuite import certificates
from mailsuite.certificates import PairError, self_signed
from mailsuite.transport import certificate_watch
from mailsuite.transport.certificate_watch import (
    POLL_SECONDS,
    TICKET_KEY_SECONDS,
    CertificateWatch,
    NamedFiles,
)
from mailsuite.transport.tls import TLSContext
from tests.test_certificates import UNKNOWN_CURVE

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Site:
    """A folder with a pair of files, and the watch over them."""

    def __init__(self, folder: Path, minimum: str = "1.2") -> None:
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.put("mail.example.org")
        self.clock = Clock()
        self.now = NOW
        self.watch = CertificateWatch(
            NamedFiles(str(self.certificate), str(self.key)), minimum, self.clock, now=lambda: self.now.timestamp()
        )
        self.context = self.watch.context("submission")

    def put(self, hostname: str) -> None:
        """Replace both files by a pair for *hostname*."""
        texts = self_signed(hostname, NOW)
        self.replace(self.certificate, texts[0])
        self.replace(self.key, texts[1])

    def replace(self, path: Path, text: bytes) -> None:
        """Replace one file, as a renewal does."""
        path.with_suffix(".new").write_bytes(text)
        os.rename(path.with_suffix(".new"), path)

    def start(self) -> None:
        """Start as twistd does."""
        self.watch.privilegedStartService()
        self.watch.startService()

    def pass_polls(self, count: int = 1) -> None:
        """Let the time of *count* polls go by."""
        self.clock.pump([POLL_SECONDS] * count)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A started site."""
    made = Site(tmp_path)
    made.start()
    yield made
    made.watch.stopService()


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """All events that are logged from now on."""
    events: list[dict[str, Any]] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


def complaints(events: list[dict[str, Any]]) -> list[str]:
    """Return the texts of warnings and errors among *events*."""
    return [
        event["log_format"].format(**event)
        for event in events
        if event["log_level"] in (LogLevel.warn, LogLevel.error)
    ]


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return a client that trusts anybody and speaks *version*, or any that it knows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    # The tests' certificates have fixed dates, and the client's clock is the machine's.
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = version or ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    return context


class Meeting:
    """A client and a server whose octets are carried by hand."""

    def __init__(
        self,
        context: TLSContext,
        client: ssl.SSLContext,
        session: ssl.SSLSession | None = None,
        name: str | None = None,
    ) -> None:
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self._into, self._out, server_hostname=name, session=session)
        self.server = context.serverConnectionForTLS(None)  # type: ignore[arg-type]
        self.server.set_accept_state()
        for _ in range(4):
            self._step()
        self.server.send(b"220 ready\r\n")
        self._carry()
        assert self.client.read(64) == b"220 ready\r\n"

    def say(self, text: bytes) -> bytes:
        """Send *text* from client to server and return what arrived."""
        self.client.write(text)
        self._carry()
        return self.server.recv(4096)

    def name(self) -> str:
        """The first name of the certificate that the server showed."""
        octets = self.client.getpeercert(binary_form=True)
        assert octets is not None
        names = x509.load_der_x509_certificate(octets).extensions
        value = names.get_extension_for_class(x509.SubjectAlternativeName).value
        return str(value.get_values_for_type(x509.DNSName)[0])

    def _step(self) -> None:
        try:
            self.client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self._carry()
        try:
            self.server.do_handshake()
        except SSL.WantReadError:
            pass
        self._carry()

    def _carry(self) -> None:
        if self._out.pending:
            self.server.bio_write(self._out.read())
        try:
            while True:
                self._into.write(self.server.bio_read(65_536))
        except SSL.WantReadError:
            pass


def test_a_context_is_what_twisted_asks_for(site: Site) -> None:
    """The interface for servers, verified."""
    assert verifyObject(IOpenSSLServerConnectionCreator, site.context)


def test_clients_see_the_certificate_in_the_files(site: Site) -> None:
    """A handshake, and octets in both directions."""
    meeting = Meeting(site.context, client_context())

    assert meeting.name() == "mail.example.org"
    assert meeting.say(b"EHLO me\r\n") == b"EHLO me\r\n"
    assert meeting.client.version() == "TLSv1.3"


def test_tls_1_2_is_spoken_with_forward_secrecy(site: Site) -> None:
    """RFC 9325 §4.2."""
    meeting = Meeting(site.context, client_context(ssl.TLSVersion.TLSv1_2))
    cipher = meeting.client.cipher()

    assert meeting.client.version() == "TLSv1.2"
    assert cipher is not None and cipher[0].startswith("ECDHE-") and "GCM" in cipher[0]
    assert meeting.client.compression() is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(site: Site) -> None:
    """RFC 8996: TLS 1.0 and 1.1 must not be used."""
    client = client_context(ssl.TLSVersion.TLSv1_1)
    client.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises((SSL.Error, ssl.SSLError)):
        Meeting(site.context, client)


def test_the_minimum_can_be_raised(tmp_path: Path) -> None:
    """With 1.3, a client of 1.2 is refused."""
    site = Site(tmp_path, minimum="1.3")
    site.watch.privilegedStartService()

    with pytest.raises((SSL.Error, ssl.SSLError)):
        Meeting(site.context, client_context(ssl.TLSVersion.TLSv1_2))
    assert Meeting(site.context, client_context()).client.version() == "TLSv1.3"


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_resumes_a_session_at_its_own_listener(site: Site, version: ssl.TLSVersion) -> None:
    """Peers that come often save a handshake."""
    client = client_context(version)
    first = Meeting(site.context, client)

    assert Meeting(site.context, client, first.client.session).client.session_reused


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_of_one_listener_is_refused_by_another(site: Site, version: ssl.TLSVersion) -> None:
    """The other listener makes a full handshake instead (lesson 18)."""
    client = client_context(version)
    first = Meeting(site.context, client)
    other = site.watch.context("pop3")

    assert not Meeting(other, client, first.client.session).client.session_reused


def test_by_its_id_alone_no_session_is_resumed(site: Site) -> None:
    """No session is kept here, so that of a client of TLS 1.2 without tickets is known at no listener."""
    client = client_context(ssl.TLSVersion.TLSv1_2)
    client.options |= ssl.OP_NO_TICKET
    first = Meeting(site.context, client)

    for context in (site.context, site.watch.context("pop3")):
        assert not Meeting(context, client, first.client.session).client.session_reused


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_does_not_outlive_its_key(site: Site, version: ssl.TLSVersion) -> None:
    """RFC 9325 §3.4: ticket keys are changed regularly, here every day."""
    client = client_context(version)
    first = Meeting(site.context, client)
    site.clock.advance(TICKET_KEY_SECONDS - POLL_SECONDS)
    assert Meeting(site.context, client, first.client.session).client.session_reused
    site.pass_polls()

    assert not Meeting(site.context, client, first.client.session).client.session_reused


def test_new_files_are_taken_up_within_one_poll(site: Site) -> None:
    """Without a signal and without a restart."""
    site.put("new.example.org")
    site.pass_polls()

    assert Meeting(site.context, client_context()).name() == "new.example.org"


def test_every_listener_shows_the_new_certificate(site: Site) -> None:
    """One watch, one change, all contexts."""
    other = site.watch.context("pop3")
    site.put("new.example.org")
    site.pass_polls()

    assert Meeting(other, client_context()).name() == "new.example.org"


def test_an_open_session_goes_on_over_a_change(site: Site) -> None:
    """Nobody is dropped."""
    meeting = Meeting(site.context, client_context())
    site.put("new.example.org")
    site.pass_polls()

    assert meeting.say(b"NOOP\r\n") == b"NOOP\r\n"


def test_reload_takes_up_new_files_at_once(site: Site) -> None:
    """What SIGHUP does."""
    site.put("new.example.org")

    assert site.watch.reload()
    assert Meeting(site.context, client_context()).name() == "new.example.org"


def test_a_pair_of_an_unknown_kind_does_not_end_the_watching(site: Site, logged: list[dict[str, Any]]) -> None:
    """It is logged once; a good pair put there later is taken up."""
    site.replace(site.certificate, UNKNOWN_CURVE)
    site.pass_polls(3)
    (complaint,) = complaints(logged)
    assert "cert.pem is for a key of a kind that cannot be used" in complaint
    assert Meeting(site.context, client_context()).name() == "mail.example.org"
    site.put("new.example.org")
    site.pass_polls()

    assert Meeting(site.context, client_context()).name() == "new.example.org"


def test_what_nobody_foresaw_does_not_end_the_watching(
    site: Site, logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised is logged, once for a pair."""
    with monkeypatch.context() as patch:
        patch.setattr(certificate_watch, "read_pair", lambda *files: 1 // 0)
        site.put("new.example.org")
        site.pass_polls(3)
    (failure,) = (event for event in logged if event["log_level"] is LogLevel.critical)
    assert failure["log_failure"].check(ZeroDivisionError)
    site.put("newer.example.org")
    site.pass_polls()

    assert Meeting(site.context, client_context()).name() == "newer.example.org"


def test_a_key_that_tls_has_no_use_for_is_refused(tmp_path: Path) -> None:
    """A pair can belong together and still be of no use."""
    site, key = Site(tmp_path), x25519.X25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=9))
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    site.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    site.key.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))

    with pytest.raises(PairError, match=r"TLS cannot be set up with .*cert\.pem"):
        site.watch.privilegedStartService()


@pytest.mark.parametrize("bad", [b"", b"rubbish"])
def test_a_bad_pair_is_logged_and_the_old_one_stays(
    site: Site, logged: list[dict[str, Any]], bad: bytes
) -> None:
    """The log says which file, what is wrong, and that nothing was lost."""
    site.replace(site.certificate, bad)

    assert not site.watch.reload()
    assert Meeting(site.context, client_context()).name() == "mail.example.org"
    (complaint,) = complaints(logged)
    assert complaint.startswith("the new certificate is not used, the old one stays: ")
    assert "cert.pem holds no certificate" in complaint


@pytest.mark.parametrize(("bad", "complaints_of_it"), [(b"none", 1), (None, 0)])
def test_who_takes_the_place_says_what_is_wrong(
    site: Site, logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, bad: bytes | None, complaints_of_it: int
) -> None:
    """It goes on with what it was told; that it may not read a key of root's was said before."""
    if bad is None:
        monkeypatch.setattr(certificates, "_read", kept_out)
    else:
        site.replace(site.certificate, bad)
    files = NamedFiles(str(site.certificate), str(site.key))
    heir = CertificateWatch(files, "1.2", site.clock, known=site.watch.told())
    context = heir.context("submission")
    heir.privilegedStartService()

    assert Meeting(context, client_context()).name() == "mail.example.org"
    assert len(complaints(logged)) == complaints_of_it


def kept_out(path: str) -> bytes:
    """Read nothing, as one who may not."""
    try:
        raise PermissionError(13, "Permission denied")
    except PermissionError as error:
        raise PairError(f"{path} cannot be read") from error


def test_an_expired_certificate_is_warned_of_and_taken_up(site: Site, logged: list[dict[str, Any]]) -> None:
    """From the second on in which it ends: what it takes the place of may be worse, but nobody should overlook it."""
    expires = NOW + datetime.timedelta(days=825, hours=-1)
    for site.now in (expires - datetime.timedelta(seconds=1), expires):
        assert complaints(logged) == []
        site.put("old.example.org")
        site.pass_polls()

    (complaint,) = complaints(logged)
    assert complaint.startswith("the certificate in use has expired: old.example.org, until 2028-04-04")
    assert Meeting(site.context, client_context()).name() == "old.example.org"


def test_the_moment_between_two_files_is_not_worth_a_line(site: Site, logged: list[dict[str, Any]]) -> None:
    """A renewal that replaces first the certificate, then the key, ends well and quietly."""
    texts = self_signed("new.example.org", NOW)
    site.replace(site.certificate, texts[0])
    site.pass_polls()
    assert Meeting(site.context, client_context()).name() == "mail.example.org"
    site.replace(site.key, texts[1])
    site.pass_polls()

    assert Meeting(site.context, client_context()).name() == "new.example.org"
    assert complaints(logged) == []


def test_a_pair_that_stays_bad_is_logged_once(site: Site, logged: list[dict[str, Any]]) -> None:
    """Not at each poll."""
    site.replace(site.certificate, self_signed("new.example.org", NOW)[0])
    site.pass_polls(10)

    (complaint,) = complaints(logged)
    assert "does not belong to the first certificate" in complaint


def test_half_a_chain_is_not_served(site: Site, logged: list[dict[str, Any]]) -> None:
    """It would be without its issuer. Where the rest follows, nothing is said."""
    own, issuer = (self_signed(f"{name}.example.org", NOW) for name in ("new", "issuer"))
    site.replace(site.certificate, own[0] + issuer[0][:300])
    site.replace(site.key, own[1])
    site.pass_polls()
    assert Meeting(site.context, client_context()).name() == "mail.example.org"
    site.replace(site.certificate, own[0] + issuer[0])
    site.pass_polls()
    assert Meeting(site.context, client_context()).name() == "new.example.org"
    assert complaints(logged) == []
    site.replace(site.certificate, own[0] + issuer[0][:300])
    site.pass_polls(3)

    (complaint,) = complaints(logged)
    assert f"the old one stays: {site.certificate} ends within a block" in complaint


def test_a_removed_file_changes_nothing_until_it_is_back(site: Site, logged: list[dict[str, Any]]) -> None:
    """The old certificate is shown meanwhile."""
    site.key.unlink()
    site.pass_polls(3)
    assert Meeting(site.context, client_context()).name() == "mail.example.org"
    assert len(complaints(logged)) == 1
    site.put("new.example.org")
    site.pass_polls()

    assert Meeting(site.context, client_context()).name() == "new.example.org"


def test_unchanged_files_are_not_read_again(site: Site) -> None:
    """A context stays the same object while nothing changes."""
    client = client_context()
    first = Meeting(site.context, client)
    site.pass_polls(5)

    assert Meeting(site.context, client, first.client.session).client.session_reused


def test_a_start_without_a_usable_pair_fails(tmp_path: Path) -> None:
    """Better no service than one that cannot do what it offers."""
    site = Site(tmp_path)
    site.key.write_bytes(b"rubbish")

    with pytest.raises(PairError, match=r"key\.pem holds no private key"):
        site.watch.privilegedStartService()


def test_polling_ends_with_the_service(tmp_path: Path) -> None:
    """Nothing is left in the reactor."""
    site = Site(tmp_path)
    site.start()
    site.watch.stopService()

    assert site.clock.getDelayedCalls() == []


def test_a_key_that_the_service_cannot_read_again_is_warned_of(
    tmp_path: Path, logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After root is dropped: which file, what follows from it, and the command that mends it. Once."""
    site = Site(tmp_path)
    site.watch.privilegedStartService()
    monkeypatch.setattr(
        "mailsuite.transport.certificate_watch.unreadable",
        lambda path, way: "chgrp mail key.pem" if path.endswith("key.pem") else None,
    )
    site.watch.startService()
    site.pass_polls(3)
    site.watch.stopService()

    (complaint,) = complaints(logged)
    assert complaint.startswith(f"{site.key} cannot be read any more")
    assert complaint.endswith("to mend it: chgrp mail key.pem")


def test_a_key_that_openssl_finds_too_weak_is_refused_and_the_old_one_stays(
    site: Site, logged: list[dict[str, Any]]
) -> None:
    """It parses and matches, and still no client would take it."""
    weak = rsa.generate_private_key(65_537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak.example.org")])
    builder = x509.CertificateBuilder(name, name, weak.public_key(), 1, NOW, NOW + datetime.timedelta(days=9))
    site.replace(site.certificate, builder.sign(weak, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    site.replace(
        site.key,
        weak.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )

    assert not site.watch.reload()
    assert "TLS cannot be set up with" in complaints(logged)[0]
    assert Meeting(site.context, client_context()).name() == "mail.example.org"


def test_issuers_are_sent_with_the_certificate(site: Site) -> None:
    """A client that knows only the root can then build the chain."""
    with open(site.certificate, "ab") as file:
        file.write(self_signed("issuer.example.org", NOW)[0])
    site.watch.reload()

    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    server = site.context.serverConnectionForTLS(None)  # type: ignore[arg-type]
    server.set_accept_state()
    for one, other in [(client, server), (server, client)] * 2:
        with suppress(SSL.WantReadError):
            one.do_handshake()
        with suppress(SSL.WantReadError):
            other.bio_write(one.bio_read(65_536))

    assert len(client.get_peer_cert_chain() or []) == 2
