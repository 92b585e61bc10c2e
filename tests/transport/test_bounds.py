"""What a listener asks of a connection beside its core: the wait before the greeting, and how long things may last."""

import dataclasses
import gc
import ssl
import weakref
from typing import Any, cast

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit, IRespondent
from mailsuite.smtp import events
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Limits
from mailsuite.transport.bounds import Admission, Bounds
from mailsuite.transport.listener import Refused, SessionFactory
from mailsuite.transport.session import LINGER, UNREAD_OCTETS, SessionProtocol
from mailsuite.transport.tls import TLSContext
from mailsuite.wire.events import SessionCore
from tests.smtp.respondent import PLAIN, STARTTLS
from tests.transport.wires import Late, Talk, Wire

HELLO = b"EHLO client.example\r\n"
LATE = Bounds(greeting_delay=5)
LATER = Bounds(greeting_delay=5, early_delay=20)
DROP = dataclasses.replace(PLAIN, early_talkers="drop")
DELAY = dataclasses.replace(PLAIN, early_talkers="delay")
BRIEF = dataclasses.replace(PLAIN, limits=Limits(idle_timeout=100, data_timeout=1000))


class TestGreeting:
    """It can be made to wait, and a peer that does not wait for it is known by that (RFC 5321 §3.1)."""

    def test_it_waits(self) -> None:
        """So many seconds, and not one less."""
        talk = Talk(bounds=LATE)
        talk.wait(4.9)
        assert talk.codes() == []
        talk.wait(0.1)
        assert talk.codes() == [220]

        assert talk.say(HELLO) == [250]

    @pytest.mark.parametrize("settings", [PLAIN, DROP, DELAY])
    def test_who_waits_is_served(self, settings: Any) -> None:
        """Whatever becomes of the others."""
        talk = Talk(settings, bounds=LATER)
        talk.wait(5)

        assert talk.codes() + talk.say(HELLO) == [220, 250]

    def test_early_talkers_are_ignored(self) -> None:
        """What they said is read after the greeting, in order."""
        talk = Talk(bounds=LATE)
        assert talk.say(HELLO, b"NOOP\r\n") == []
        talk.wait(5)

        assert talk.codes() == [220, 250, 250]

    def test_early_talkers_are_dropped(self) -> None:
        """One octet is enough: a refusal in place of the greeting, and nothing that they said is obeyed."""
        talk = Talk(DROP, bounds=LATE)
        talk.say(b"E")
        talk.wait(5)

        assert talk.codes() == [421]
        assert talk.wire.ends == ["half"]
        assert talk.respondent.inner.limits == ["early_talkers"]
        assert talk.say(b"HLO client.example\r\n") == []

    def test_early_talkers_are_delayed(self) -> None:
        """They wait for longer, it is noted, and then they are served."""
        talk = Talk(DELAY, bounds=LATER)
        talk.say(HELLO)
        for seconds in (5, 19.9):
            talk.wait(seconds)
            assert talk.codes() == []
        talk.wait(0.2)

        assert talk.codes() == [220, 250]
        assert talk.respondent.inner.limits == ["early_talkers"]

    def test_their_input_is_bounded(self) -> None:
        """Lesson 13: no more is read than otherwise."""
        talk = Talk(DROP, bounds=LATE)
        talk.say(b"x" * (UNREAD_OCTETS + 1))

        assert talk.wire.producerState == "paused"

    def test_a_connection_that_is_lost_meanwhile(self) -> None:
        """Leaves no timer behind."""
        talk = Talk(bounds=LATER)
        talk.say(HELLO)
        talk.protocol.connectionLost()

        assert talk.clock.getDelayedCalls() == []
        assert talk.respondent.ended == ["lost"]

    def test_a_service_that_stops_meanwhile(self) -> None:
        """Says nothing any more."""
        talk = Talk(bounds=LATE)
        talk.protocol.shut_down()

        assert talk.wire.ends == ["abort"]
        assert talk.codes() == []


class TestRate:
    """A message must come fast enough, or its place is freed."""

    def begun(self) -> Talk:
        """Return a session in the midst of a message that has to come at ten octets a second."""
        talk = Talk(dataclasses.replace(PLAIN, limits=Limits(idle_timeout=100, data_timeout=1000, data_rate=10)))
        talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n")
        return talk

    def test_an_octet_a_minute(self) -> None:
        """Is silence, and ends when that does."""
        talk = self.begun()
        talk.wait(60)
        talk.say(b"x")
        talk.wait(40)
        assert talk.wire.ends == []
        talk.wait(0.2)

        assert talk.codes() == [421]
        assert talk.respondent.inner.limits == ["data_rate"]

    @pytest.mark.parametrize(("octets", "limit"), [(450, "data_timeout"), (449, "data_rate")])
    def test_at_the_rate_and_one_octet_below(self, octets: int, limit: str) -> None:
        """What keeps up goes on until the whole time is over."""
        talk = self.begun()
        for _ in range(20):
            assert talk.wire.ends == []
            talk.say(b"x" * octets)
            talk.wait(50)

        assert talk.codes() == [421]
        assert talk.respondent.inner.limits == [limit]

    def test_silence_behind_a_fast_beginning(self) -> None:
        """What came before is no credit for it."""
        talk = self.begun()
        talk.say(b"x" * 5000)
        talk.wait(100)

        assert talk.codes() == [421]
        assert talk.respondent.inner.limits == ["idle_timeout"]


class TestLifetime:
    """A session has an end, however lively it is (lesson 26)."""

    def test_at_the_cap_and_one_past(self) -> None:
        """A peer that is never silent for too long is told and closed all the same."""
        talk = Talk(BRIEF, bounds=Bounds(lifetime=1000))
        codes = talk.say(HELLO)
        for _ in range(19):
            talk.wait(50)
            codes += talk.say(b"NOOP\r\n")
        assert codes == [220] + [250] * 20
        talk.wait(49)
        assert talk.say(b"NOOP\r\n") == [250]
        talk.wait(1)

        assert talk.codes() == [421]
        assert talk.respondent.inner.limits == ["session_time"]
        talk.wait(LINGER)
        assert talk.wire.ends[-1] == "abort"

    def test_within_a_message(self) -> None:
        """It is no way around."""
        talk = Talk(BRIEF, bounds=Bounds(lifetime=200))
        talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n")
        for _ in range(4):
            talk.wait(50)
            talk.say(b"x\r\n")

        assert talk.wire.ends == ["half"]
        assert talk.respondent.inner.limits == ["session_time"]

    def test_not_while_an_answer_is_awaited(self) -> None:
        """What we owe is given first."""
        talk = Talk(BRIEF, events.MailFrom, bounds=Bounds(lifetime=200))
        assert talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\n") == [220, 250]
        talk.wait(300)
        talk.respondent.let_go()
        assert talk.codes() == [250]
        talk.wait(100)

        assert talk.codes() == [421]


class TestHandshake:
    """TLS is to be there in its time, however slowly it comes."""

    def test_after_starttls(self) -> None:
        """Counted from our 220, not from when the session began."""
        talk = Talk(STARTTLS, bounds=Bounds(handshake=30))
        talk.wait(50)
        talk.say(HELLO + b"STARTTLS\r\n")
        talk.wait(29.9)
        assert talk.wire.ends == []
        talk.wait(0.1)

        assert talk.wire.ends == ["abort"]
        talk.protocol.connectionLost()
        assert talk.respondent.ended == ["handshake"]
        assert talk.respondent.causes == ["TLS handshake failed: timed out"]

    def test_one_that_is_done_has_no_bound(self) -> None:
        """The session goes on by its own time-outs."""
        talk = Talk(STARTTLS, bounds=Bounds(handshake=30))
        talk.say(HELLO + b"STARTTLS\r\n")
        talk.wait(29)
        talk.protocol.handshakeCompleted()
        talk.wait(200)
        talk.codes()

        assert talk.say(HELLO) == [250]

    def test_tls_from_the_first_octet(self) -> None:
        """Counted from the connection; octets that come one by one do not count."""
        door = Door(Admitted())
        wire = door.connect("192.0.2.1", implicit=True)
        for octet in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03":
            door.clock.advance(2.9)
            assert wire.ends == []
            door.protocols[-1].dataReceived(bytes([octet]))
        door.clock.advance(1.1)

        assert wire.ends == ["abort"]


@implementer(IConnectionLimit)
class Admitted:
    """Admits all but those that it is told to refuse, and keeps count."""

    def __init__(self, **refused: str) -> None:
        self.refused = {host.replace("_", "."): limit for host, limit in refused.items()}
        self.open: list[str] = []

    def admit(self, peer: Peer) -> str:
        limit = self.refused.get(f"h{peer.host}", "")
        if not limit:
            self.open.append(peer.host)
        return limit

    def ended(self, peer: Peer) -> None:
        self.open.remove(peer.host)


class Door:
    """A listener's factory without its port."""

    def __init__(self, limit: Admitted) -> None:
        self.clock = Clock()
        self.limit = limit
        self.refused: list[tuple[str, str]] = []
        self.protocols: list[Any] = []
        bounds = Bounds(handshake=30)
        clock = cast(IReactorTime, self.clock)
        context = TLSContext("smtp")
        admission = Admission(limit, self.refuse)
        self.factory = SessionFactory(self.new_session, clock, context, bounds, admission)
        self.over_tls = TLSMemoryBIOFactory(Contexts(), False, self.factory, self.clock)
        self.factory.doStart()

    def new_session(self, peer: Peer) -> tuple[SessionCore, IRespondent]:
        """Make both sides of a session."""
        return ServerSession(PLAIN), cast(IRespondent, Late())

    def refuse(self, peer: Peer, limit: str) -> bytes:
        """Note a refusal."""
        self.refused.append((peer.host, limit))
        return b"421 4.7.0 Too many\r\n"

    def connect(self, host: str, implicit: bool = False) -> Wire:
        """Return the transport of a new connection."""
        factory: Any = self.over_tls if implicit else self.factory
        address = UNIXAddress("/run/x") if host == "unix" else IPv4Address("TCP", host, 1025)
        protocol = factory.buildProtocol(address)
        wire = Wire()
        protocol.makeConnection(wire)
        self.protocols.append(protocol)
        return wire


class Contexts(TLSContext):
    """A server's context that no handshake gets far with."""

    def __init__(self) -> None:
        super().__init__("smtp")
        self.show(SSL.Context(SSL.TLS_SERVER_METHOD))


class TestAdmission:
    """Who is too many is told so, and costs nothing more."""

    def test_one_that_is_refused(self) -> None:
        """It is told in the service's words, closed, noted once, and no session is built."""
        door = Door(Admitted(h192_0_2_9="address_connections"))
        wire = door.connect("192.0.2.9")

        assert isinstance(door.protocols[0], Refused)
        assert wire.value() == b"421 4.7.0 Too many\r\n"
        assert wire.ends == ["close"]
        assert door.refused == [("192.0.2.9", "address_connections")]
        assert len(door.factory.sessions) == 0
        assert door.clock.getDelayedCalls() == []

    def test_what_it_sends_goes_nowhere(self) -> None:
        """Until its connection is gone."""
        door = Door(Admitted(h192_0_2_9="connections"))
        wire = door.connect("192.0.2.9")
        door.protocols[0].dataReceived(HELLO)
        door.protocols[0].connectionLost()

        assert wire.value() == b"421 4.7.0 Too many\r\n"

    def test_no_handshake_for_it(self) -> None:
        """Where TLS begins with the connection it is closed without a word."""
        door = Door(Admitted(h192_0_2_9="connections"))
        wire = door.connect("192.0.2.9", implicit=True)

        assert wire.ends == ["close"]
        assert wire.value() == b""

    def test_one_that_is_admitted_is_counted_until_it_is_gone(self) -> None:
        """However it goes."""
        door = Door(Admitted())
        for host in ("192.0.2.1", "192.0.2.2", "unix"):
            door.connect(host)
        assert door.limit.open == ["192.0.2.1", "192.0.2.2", "unix"]
        quitting, lost, _ = door.protocols
        quitting.dataReceived(b"QUIT\r\n")
        assert len(door.limit.open) == 3
        for protocol in (quitting, lost):
            assert isinstance(protocol, SessionProtocol)
            protocol.connectionLost()

        assert door.limit.open == ["unix"]
        assert len(door.factory.sessions) == 1


TRANSCRIPT = HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\nQUIT\r\n"


def client_hello() -> bytes:
    """Return what a client of TLS sends first."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(into, out, server_hostname="mail.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


@pytest.mark.parametrize("implicit", [False, True])
def test_a_connection_that_is_lost_at_any_octet(implicit: bool) -> None:
    """Nothing is left of the session: no place among those that are open, no timer, no memory."""
    door = Door(Admitted())
    sessions: list[weakref.ref[Any]] = []
    # The whole of a ClientHello is no use to a context without a certificate.
    transcript = client_hello()[:-1] if implicit else TRANSCRIPT
    for cut in range(1, len(transcript) + 1):
        door.connect("192.0.2.1", implicit)
        protocol = door.protocols.pop()
        sessions.append(weakref.ref(getattr(protocol, "wrappedProtocol", protocol)))
        protocol.dataReceived(transcript[:cut])
        protocol.connectionLost(Failure(ConnectionLost()))
        del protocol
    gc.collect()

    assert [cut for cut, session in enumerate(sessions, 1) if session() is not None] == []
    assert door.limit.open == []
    assert len(door.factory.sessions) == 0
    assert door.clock.getDelayedCalls() == []
