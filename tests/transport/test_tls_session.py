"""A whole session inside TLS: real handshakes in memory with the standard library's client, the reactor a clock."""

import datetime
import ssl
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock

from mailsuite.certificates import self_signed
from mailsuite.envelope import Peer
from mailsuite.interfaces import IRespondent
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Limits, Settings
from mailsuite.transport.certificate_watch import CertificateWatch, NamedFiles
from mailsuite.transport.direct_tls import wrapping
from mailsuite.transport.listener import SessionFactory
from mailsuite.wire.events import SessionCore
from tests.transport.wires import Late, Wire

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SETTINGS = Settings("mail.example.org", Limits(errors=0, idle_timeout=100))


class Tunnel:
    """A client's end of an implicit TLS connection to a session, its octets carried by hand."""

    def __init__(self, folder: Path) -> None:
        certificate, key = self_signed("mail.example.org", NOW)
        (folder / "cert.pem").write_bytes(certificate)
        (folder / "key.pem").write_bytes(key)
        self.clock = Clock()
        watch = CertificateWatch(NamedFiles(str(folder / "cert.pem"), str(folder / "key.pem")), "1.2", self.clock)
        context = watch.context("smtp")
        watch.privilegedStartService()
        self.respondent = Late()
        self.core: ServerSession | None = None
        sessions = SessionFactory(self.new_session, cast(IReactorTime, self.clock), context)
        factory = wrapping(context, cast(ServerFactory, sessions), cast(IReactorTime, self.clock))
        self.server = factory.buildProtocol(None)
        self.transport = Wire()
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context()
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        self.client = client.wrap_bio(self._into, self._out)
        self.server.makeConnection(self.transport)
        self.heard = b""
        self.shaking = True
        self.carry()

    def new_session(self, peer: Peer) -> tuple[SessionCore, IRespondent]:
        """Make both sides of the session."""
        self.core = ServerSession(SETTINGS, encrypted=True)
        return self.core, cast(IRespondent, self.respondent)

    def carry(self) -> None:
        """Carry octets to and fro until nothing moves; what the client reads is in `heard`."""
        moved = True
        while moved:
            self.clock.advance(0)
            self._read()
            to_server = self._out.read()
            if to_server:
                self.server.dataReceived(to_server)
            self.clock.advance(0)
            to_client = self.transport.value()
            self.transport.clear()
            self._into.write(to_client)
            moved = bool(to_server or to_client)

    def _read(self) -> None:
        try:
            if self.shaking:
                self.client.do_handshake()
                self.shaking = False
            while piece := self.client.read(4096):
                self.heard += piece
        except ssl.SSLWantReadError:
            return

    def say(self, data: bytes) -> list[bytes]:
        """Send *data*; return the codes of the replies."""
        self.client.write(data)
        self.carry()
        heard, self.heard = self.heard, b""
        return [line[:3] for line in heard.splitlines() if line[3:4] == b" "]


@pytest.fixture
def tunnel(tmp_path: Path) -> Tunnel:
    """A tunnel with its handshake done."""
    return Tunnel(tmp_path)


def test_a_session_in_tls(tunnel: Tunnel) -> None:
    """The greeting comes inside TLS, the respondent knows of it, and mail is taken."""
    codes = tunnel.say(b"EHLO x\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n")

    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    (encryption,) = tunnel.respondent.tls
    assert encryption.version.startswith("TLSv1.")
    assert encryption.cipher
    assert encryption.chain == ()
    assert encryption.trust == "not looked at"
    # The core has the same, for mechanisms that are bound to the connection.
    assert tunnel.core is not None and tunnel.core.encryption is encryption
    binding = encryption.binding("tls-exporter")
    assert binding is not None and len(binding) == 32
    assert len(tunnel.respondent.inner.messages) == 1


@pytest.mark.parametrize("how", ["errors", "silence"])
def test_hanging_up_ends_tls_in_good_order(tunnel: Tunnel, how: str) -> None:
    """The last reply and then TLS's own goodbye reach the client: nothing looks like a cut line."""
    assert tunnel.say(b"EHLO x\r\n") == [b"220", b"250"]
    if how == "errors":
        assert tunnel.say(b"FROB\r\n") == [b"500", b"421"]
    else:
        tunnel.clock.advance(100)
        tunnel.carry()
        assert tunnel.heard.startswith(b"421 4.4.2")

    # A clean end: no exception, no more octets.
    assert tunnel.client.read(1) == b""


def test_a_large_reply_is_whole(tunnel: Tunnel) -> None:
    """Many replies at once leave as what they are."""
    tunnel.say(b"EHLO x\r\n")

    assert tunnel.say(b"HELP\r\n" * 5000) == [b"214"] * 5000
