"""TLS whose answers leave at once, on a real connection whose reactor is the test; and what of Twisted it rests on."""

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.interfaces import ITransport
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from zope.interface import providedBy

from mailsuite.certificates import self_signed
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Settings
from mailsuite.transport import direct_tls
from mailsuite.transport.certificate_watch import CertificateWatch, NamedFiles
from mailsuite.transport.direct import send
from mailsuite.transport.direct_tls import HELD_OCTETS, Direct, Outside, start_tls
from mailsuite.transport.outbox import Outbox
from mailsuite.transport.session import SessionProtocol
from mailsuite.transport.tls import TLSContext
from tests.transport.wires import HELD, Late, Nobody, Pair

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SETTINGS = Settings("mail.example.org", starttls=True)


class Secured:
    """A client over a real connection that has begun TLS, and the session at the other end."""

    def __init__(self, tls: TLSContext, crowded: bool = False) -> None:
        self.respondent = Late()

        def session(reactor: MemoryReactorClock) -> SessionProtocol:
            outbox = Outbox(reactor, lambda: crowded)
            core = ServerSession(SETTINGS)
            return SessionProtocol(core, self.respondent, reactor, tls, lambda protocol: None, outbox=outbox)

        self.pair = Pair(session)
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        self.client = client.wrap_bio(self._into, self._out)
        self._clear(b"", b"220")
        self._clear(b"EHLO x\r\n", b"250")
        self._clear(b"STARTTLS\r\n", b"220")
        self._shake_hands()

    def _clear(self, said: bytes, code: bytes) -> None:
        self.pair.send(said)
        self.pair.turn(1.0)
        heard = b""
        while not heard:
            heard = self.pair.receive() or b""
        assert heard.startswith(code)

    def _shake_hands(self) -> None:
        done = False
        while not done:
            try:
                self.client.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                self._into.write(self.pair.receive() or b"")
            self.carry()

    def carry(self) -> None:
        """Bring to the session what the client has written, in one receipt."""
        octets = self._out.read()
        if octets:
            self.pair.send(octets)
            self.pair.turn(1.0)

    def say(self, *records: bytes) -> None:
        """Send *records*, all at once."""
        for record in records:
            self.client.write(record)
        self.carry()

    def hear(self) -> bytes:
        """Return what has come of the session's octets, without a turn of its reactor."""
        self._into.write(self.pair.receive() or b"")
        heard = b""
        try:
            while piece := self.client.read(4096):
                heard += piece
        except ssl.SSLWantReadError:
            pass
        return heard


def watched(folder: Path) -> TLSContext:
    """Return a context with a certificate in *folder*."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    for path, text in zip((certificate, key), self_signed("mail.example.org", NOW), strict=True):
        path.write_bytes(text)
    watch = CertificateWatch(NamedFiles(str(certificate), str(key)), "1.2", Clock())
    context = watch.context("submission")
    watch.privilegedStartService()
    return context


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    """A connection with TLS begun."""
    made = Secured(watched(tmp_path))
    yield made
    made.pair.close()


def test_it_leaves_at_once(secured: Secured) -> None:
    """The reply is at the client before the reactor has had another turn, and there is nothing for it to do."""
    secured.say(b"NOOP\r\n")

    assert secured.hear().startswith(b"250 ")
    assert secured.pair.reactor.getWriters() == []


def test_one_send_for_what_came_together(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several records of commands, and a goodbye behind them: all replies and TLS's own goodbye are one send."""
    sent: list[bytes] = []

    def noted(transport: ITransport, data: bytes) -> bool:
        sent.append(data)
        return send(transport, data)

    monkeypatch.setattr(direct_tls, "send", noted)
    secured.say(b"NOOP\r\n", b"RSET\r\n", b"QUIT\r\n")
    secured.pair.turn(1.0)

    assert len(sent) == 1
    assert [line[:3] for line in secured.hear().splitlines()] == [b"250", b"250", b"221"]
    # A clean end.
    assert secured.client.read(1) == b""


def test_one_send_where_others_are_answered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that TLS has to send waits for the end of the turn: replies and its own goodbye are one send."""
    sent: list[bytes] = []

    def noted(transport: ITransport, data: bytes) -> bool:
        sent.append(data)
        return send(transport, data)

    secured = Secured(watched(tmp_path), crowded=True)
    monkeypatch.setattr(direct_tls, "send", noted)
    secured.say(b"NOOP\r\n", b"QUIT\r\n")

    assert len(sent) == 1
    assert [line[:3] for line in secured.hear().splitlines()] == [b"250", b"221"]
    assert secured.client.read(1) == b""
    secured.pair.close()


def test_an_answer_that_comes_later(secured: Secured) -> None:
    """It needs no receipt to take it along."""
    secured.respondent.holds = (HELD["mail"],)
    secured.say(b"EHLO x\r\n", b"MAIL FROM:<a@a.example>\r\n")
    assert b"250 2.1.0" not in secured.hear()
    secured.respondent.let_go()

    assert b"250 2.1.0" in secured.hear()


class TestOutside:
    """What TLS takes for its transport."""

    def test_it_holds_until_released(self) -> None:
        """What is written meanwhile leaves together; what is written later, at once."""
        transport = Transport()
        outside = Outside(transport)
        outside.hold()
        outside.write(b"one ")
        outside.write(b"two")
        assert transport.writes == []
        outside.release()
        outside.write(b"three")

        assert transport.writes == [b"one two", b"three"]

    def test_it_is_released_as_often_as_it_was_held(self) -> None:
        """Who has wanted it to hold first may be done last."""
        transport = Transport()
        outside = Outside(transport)
        outside.hold()
        outside.hold()
        outside.write(b"one")
        outside.release()
        assert transport.writes == []
        outside.release()

        assert transport.writes == [b"one"]

    def test_it_holds_no_more_than_so_much(self) -> None:
        """A mailbox that is read through TLS does not pile up."""
        transport = Transport()
        outside = Outside(transport)
        outside.hold()
        outside.write(b"x" * HELD_OCTETS)
        assert transport.writes == []
        outside.write(b"y")

        assert transport.writes == [b"x" * HELD_OCTETS + b"y"]

    def test_what_is_held_leaves_before_the_end(self) -> None:
        """Closing comes behind all that was written."""
        transport = Transport()
        outside = Outside(transport)
        outside.hold()
        outside.write(b"goodbye")
        outside.loseConnection()

        assert transport.value() == b"goodbye"
        assert transport.disconnecting

    def test_all_else_is_the_transports(self) -> None:
        """But for the interfaces: each of them costs time with every connection."""
        transport = Transport()
        outside = Outside(transport)

        assert outside.getPeer() == transport.getPeer()
        assert ITransport.providedBy(transport)
        assert list(providedBy(outside)) == []


class Transport(StringTransport):
    """A transport in memory that notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        self.writes.append(data)


class TestTwisted:
    """These fail if Twisted changes what `direct_tls` rests on."""

    def test_its_tls_needs_no_more_of_a_transport(self, secured: Secured) -> None:
        """TLS around a connection of TCP, put in by hand, is what the connection now gives its octets to."""
        session: Any = secured.pair.protocol
        within: Any = secured.pair.connection.protocol

        assert session.transport is within
        assert type(within) is Direct
        assert within.is_ready

    def test_the_producer_goes_along(self, tmp_path: Path) -> None:
        """Who was told that the socket is full before TLS is told so within."""
        pair = Pair(lambda reactor: Nobody())
        producer = Nobody()
        pair.connection.registerProducer(producer, True)
        within = start_tls(pair.connection, watched(tmp_path), pair.protocol)

        registered: Any = pair.connection.producer
        assert registered is not None
        assert registered is within._producer
        pair.close()
