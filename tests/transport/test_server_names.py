"""A certificate for each name: which one is found, and what a client with SNI is shown."""

import datetime
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from mailsuite.certificates import Pair, PairError, read_pair, self_signed
from mailsuite.transport import certificate_watch
from mailsuite.transport.certificate_watch import POLL_SECONDS, CertificateWatch, NamedFiles
from mailsuite.transport.server_names import ServerNames
from tests.transport.authority import Authority
from tests.transport.test_tls import VERSIONS, Meeting, client_context

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ROOT = Authority()
DEFAULT = ROOT.issue("mail.example.org", "mx.example.org")
OTHER = ROOT.issue("mail.example.net", "*.example.org")
THIRD = ROOT.issue("*.example.com", "Bücher.example".encode("idna").decode())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, DEFAULT),
        (b"", DEFAULT),
        (b"unknown.example", DEFAULT),
        (b"mail.example.net", OTHER),
        (b"MAIL.Example.NET", OTHER),
        # A whole name wins over a wildcard, whoever has which.
        (b"mail.example.org", DEFAULT),
        (b"imap.example.org", OTHER),
        # RFC 6125 §6.4.3: a wildcard is one label.
        (b"a.b.example.org", DEFAULT),
        (b"example.org", DEFAULT),
        (b"x.example.com", THIRD),
        (b"*.example.com", THIRD),
        (b"xn--bcher-kva.example", THIRD),
        (b"b\xc3\xbccher.example", DEFAULT),
        (b"a" * 70_000, DEFAULT),
        (b"mail.example.net\0.example.com", DEFAULT),
    ],
)
def test_which_pair_a_name_finds(asked: bytes | None, expected: Pair) -> None:
    """Exact, wildcard, unknown, none, hostile."""
    assert ServerNames(DEFAULT, [(OTHER, ()), (THIRD, ())]).find(asked) is expected


def test_names_that_are_written_stand_for_those_of_the_certificate() -> None:
    """And the first who has a name keeps it."""
    names = ServerNames(DEFAULT, [(OTHER, ["MX.example.org"]), (THIRD, ["mx.example.org", "*.example.net"])])

    assert names.find(b"mx.example.org") is OTHER
    assert names.find(b"mail.example.net") is THIRD
    assert names.find(b"imap.example.org") is DEFAULT


def test_whether_there_is_a_choice() -> None:
    """Without one, no handshake pays for it."""
    assert not ServerNames(DEFAULT).differ
    assert ServerNames(DEFAULT, [(OTHER, ())]).differ


@given(st.binary(max_size=300))
def test_any_octets_find_a_pair(asked: bytes) -> None:
    """OpenSSL hands on what a client sent."""
    assert ServerNames(DEFAULT, [(OTHER, ())]).find(asked) in (DEFAULT, OTHER)


class Site:
    """A folder with two pairs of files, and the watch over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.put("one", "mail.example.org")
        self.put("two", "mail.example.net")
        self.clock = Clock()
        self.watch = CertificateWatch(
            self.files("one"), "1.2", self.clock, [self.files("two", "mail.example.net", "*.example.com")],
            now=NOW.timestamp,
        )  # fmt: skip
        self.context = self.watch.context("submissions")

    def files(self, title: str, *names: str) -> NamedFiles:
        """Return the files of one pair."""
        return NamedFiles(f"{self.folder}/{title}.pem", f"{self.folder}/{title}.key", names)

    def put(self, title: str, hostname: str) -> None:
        """Replace one pair."""
        files = self.files(title)
        for path, text in zip(files[:2], self_signed(hostname, NOW), strict=True):
            Path(path + ".new").write_bytes(text)
            os.rename(path + ".new", path)

    def shown(self, asked: str | None) -> str:
        """Return the name of the certificate that a client is shown."""
        return Meeting(self.context, client_context(), name=asked).name()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A started site."""
    made = Site(tmp_path)
    made.watch.privilegedStartService()
    made.watch.startService()
    yield made
    made.watch.stopService()


def test_a_client_sees_the_certificate_for_the_name_it_asks_for(site: Site) -> None:
    """The default one else: without SNI, and for a name that we do not have."""
    asked = ["mail.example.net", "x.example.com", "mail.example.org", "unknown.example", None]

    assert [site.shown(each) for each in asked] == [
        "mail.example.net", "mail.example.net", "mail.example.org", "mail.example.org", "mail.example.org"
    ]


def test_each_pair_is_renewed_by_itself(site: Site) -> None:
    """While the service runs; open sessions go on."""
    open_session = Meeting(site.context, client_context(), name="mail.example.net")
    site.put("two", "new.example.net")
    site.clock.advance(POLL_SECONDS)

    assert site.shown("mail.example.net") == "new.example.net"
    assert site.shown(None) == "mail.example.org"
    assert open_session.say(b"NOOP\r\n") == b"NOOP\r\n"


def test_a_pair_of_no_use_does_not_keep_others_from_renewal(site: Site) -> None:
    """The bad one is logged and its old one stays."""
    (site.folder / "two.key").write_bytes(b"rubbish")
    site.put("one", "new.example.org")
    with capturedLogs() as logged:
        assert not site.watch.reload()

    (complaint,) = (event for event in logged if event["log_level"] is LogLevel.error)
    assert "two.key holds no private key" in complaint["reason"]
    assert site.shown(None) == "new.example.org"
    assert site.shown("mail.example.net") == "mail.example.net"


def test_what_nobody_foresaw_does_not_keep_others_from_renewal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a reload raise: more is read anew behind it than certificates."""

    def read(*files: str) -> Pair:
        assert "one" not in files[0]
        return read_pair(*files)

    site.put("two", "new.example.net")
    with monkeypatch.context() as patch, capturedLogs() as logged:
        patch.setattr(certificate_watch, "read_pair", read)
        assert not site.watch.reload()

    (failure,) = (event for event in logged if event["log_level"] is LogLevel.critical)
    assert failure["log_failure"].check(AssertionError)
    assert site.shown("mail.example.net") == "new.example.net"
    assert site.shown(None) == "mail.example.org"


def test_a_start_with_a_pair_of_no_use_fails(tmp_path: Path) -> None:
    """Whichever it is."""
    site = Site(tmp_path)
    (tmp_path / "two.key").write_bytes(b"rubbish")

    with pytest.raises(PairError, match=r"two\.key holds no private key"):
        site.watch.privilegedStartService()


@pytest.mark.parametrize("version", VERSIONS)
def test_tickets_are_good_for_named_certificates_and_at_their_listener_alone(
    site: Site, version: ssl.TLSVersion
) -> None:
    """Choosing a certificate changes neither what resumes a session nor where."""
    client, name = client_context(version), "mail.example.net"
    first = Meeting(site.context, client, name=name)
    other = site.watch.context("pop3s")

    assert Meeting(site.context, client, first.client.session, name).client.session_reused
    assert not Meeting(other, client, first.client.session, name).client.session_reused


def test_the_binding_is_that_of_the_certificate_shown(site: Site) -> None:
    """RFC 5929 §4.1, with several to choose from."""
    bindings = {
        name: site.context.encryption(Meeting(site.context, client_context(), name=name).server)
        for name in ("mail.example.net", "mail.example.org")
    }

    for title, name in (("one", "mail.example.org"), ("two", "mail.example.net")):
        pair = read_pair(*site.files(title)[:2])
        assert bindings[name].binding("tls-server-end-point") == pair.chain[0].fingerprint(SHA256())


