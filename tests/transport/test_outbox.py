"""What leaves at the end of the reactor's turn, on real connections whose reactor is the test."""

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailsuite.smtp.server import ServerSession
from mailsuite.transport.open_sessions import OpenSessions
from mailsuite.transport.outbox import WAITING_OCTETS, Outbox
from mailsuite.transport.session import SessionProtocol
from tests.smtp.respondent import PLAIN
from tests.transport.wires import Late, Nobody, Pair


class _Sender:
    """Sends over one of *pair*'s ends."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.kept = 0
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1

    def kept_waiting(self) -> None:
        self.kept += 1


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection."""
    made = Pair(lambda reactor: Nobody())
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Pair]:
    """Another."""
    made = Pair(lambda reactor: Nobody())
    yield made
    made.close()


class TestSend:
    """Now, or at the end of the turn."""

    def test_all_leave_together(self, pair: Pair, other: Pair) -> None:
        """In the order in which they were sent, and nothing before the turn is over."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        one, two = _Sender(pair.connection), _Sender(other.connection)
        outbox.send(one, b"220 hello\r\n")
        outbox.send(two, b"220 you\r\n")
        outbox.send(one, b"250 OK\r\n")
        assert pair.receive() == other.receive() == b""
        assert len(clock.getDelayedCalls()) == 1

        clock.advance(0)
        assert pair.receive() == b"220 hello\r\n250 OK\r\n"
        assert other.receive() == b"220 you\r\n"
        assert one.kept == two.kept == 0
        assert clock.getDelayedCalls() == []

    def test_each_turn_anew(self, pair: Pair) -> None:
        """The end of a turn is not the end of all."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        sender = _Sender(pair.connection)
        for word in (b"one", b"two"):
            outbox.send(sender, word)
            clock.advance(0)
            assert pair.receive() == word

    def test_alone(self, pair: Pair) -> None:
        """A session that is alone waits for nobody."""
        clock = Clock()
        Outbox(clock, lambda: False).send(_Sender(pair.connection), b"250 OK\r\n")

        assert pair.receive() == b"250 OK\r\n"
        assert clock.getDelayedCalls() == []

    def test_order_where_the_others_have_gone(self, pair: Pair) -> None:
        """What is sent alone does not overtake what was sent in company."""
        clock = Clock()
        company = [True, False]
        outbox = Outbox(clock, lambda: company.pop(0))
        sender = _Sender(pair.connection)
        outbox.send(sender, b"first ")
        outbox.send(sender, b"second")
        clock.advance(0)

        assert pair.receive() == b"first second"

    def test_much_does_not_wait(self, pair: Pair) -> None:
        """What is waiting is bounded; one octet more, and all of it leaves."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        sender = _Sender(pair.connection)
        outbox.send(sender, b"x" * WAITING_OCTETS)
        assert pair.receive() == b""
        outbox.send(sender, b"y")
        assert pair.receive() == b"x" * WAITING_OCTETS + b"y"
        clock.advance(0)

        assert pair.receive() == b""

    def test_other_transports_are_written_to_at_once(self) -> None:
        """Such as TLS, that gathers by itself."""
        transport = StringTransport()
        sender = _Sender(transport)
        Outbox(Clock(), lambda: True).send(sender, b"250 OK\r\n")

        assert transport.value() == b"250 OK\r\n"
        assert sender.kept == 1

    def test_who_does_not_read_is_told_of(self, pair: Pair) -> None:
        """The sender hears that the transport has kept some of it."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        sender = _Sender(pair.connection)
        while True:
            try:
                pair.connection.socket.send(b"x" * 65_536)
            except BlockingIOError:
                break
        outbox.send(sender, b"250 OK\r\n")
        assert sender.kept == 0
        clock.advance(0)

        assert sender.kept == 1

    def test_lost_meanwhile(self, pair: Pair, other: Pair) -> None:
        """A connection that has gone takes its octets with it, and nobody else's."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        outbox.send(_Sender(pair.connection), b"to nobody")
        outbox.send(_Sender(other.connection), b"to you")
        pair.connection.connectionLost(Failure(ConnectionLost()))
        clock.advance(0)

        assert other.receive() == b"to you"

    def test_a_failure_is_logged(self, pair: Pair, logged: list[dict[str, Any]]) -> None:
        """And the connection ended; the others are sent all the same."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        broken = Pair(lambda reactor: Nobody())
        sender = _Sender(broken.connection)
        outbox.send(sender, b"x")
        outbox.send(_Sender(pair.connection), b"y")
        sender.transport = None
        clock.advance(0)
        broken.close()

        assert pair.receive() == b"y"
        assert sender.aborted == 1
        assert [event["log_format"] for event in logged] == ["Sending failed"]


class TestPush:
    """Before something is done to the transport itself."""

    def test_what_waits_leaves(self, pair: Pair) -> None:
        """Now, and only once."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        sender = _Sender(pair.connection)
        outbox.send(sender, b"220 Go ahead\r\n")
        outbox.push(sender)
        assert pair.receive() == b"220 Go ahead\r\n"
        outbox.push(sender)
        clock.advance(0)

        assert pair.receive() == b""


class TestClose:
    """Behind everything that was sent."""

    def test_at_once(self, pair: Pair) -> None:
        """Where nothing waits."""
        sender = _Sender(pair.connection)
        Outbox(Clock(), lambda: True).close(sender)

        assert pair.receive() is None
        assert sender.kept == 0

    def test_behind_what_waits(self, pair: Pair) -> None:
        """The last reply arrives, then the end."""
        clock = Clock()
        outbox = Outbox(clock, lambda: True)
        sender = _Sender(pair.connection)
        outbox.send(sender, b"221 Goodbye\r\n")
        outbox.close(sender)
        assert pair.receive() == b""
        clock.advance(0)

        assert pair.client.recv(100) == b"221 Goodbye\r\n"
        assert pair.client.recv(100) == b""
        assert not pair.connection.connected

    def test_where_the_peer_does_not_read(self, pair: Pair) -> None:
        """It is the transport's then, and the sender hears of it."""
        pair.connection.write(b"x" * 10_000_000)
        sender = _Sender(pair.connection)
        Outbox(Clock(), lambda: True).close(sender)

        assert pair.connection.connected
        assert pair.connection.disconnecting
        assert sender.kept == 1


def test_a_session_in_company() -> None:
    """From greeting to goodbye, with one turn between a command and its reply; then nothing is left of it."""
    sessions = OpenSessions()
    ended: list[SessionProtocol] = []

    def session(reactor: Any) -> SessionProtocol:
        outbox = Outbox(reactor, lambda: True)
        made = SessionProtocol(ServerSession(PLAIN), Late(), reactor, None, ended.append, outbox=outbox)
        sessions.add(made)
        return made

    pair = Pair(session)
    assert pair.receive() == b""
    pair.turn()
    assert (pair.receive() or b"")[:4] == b"220 "
    pair.send(b"HELO client.example\r\nQUIT\r\n")
    pair.turn(patience=5.0)
    said = (pair.client.recv(1000)).decode().splitlines()

    assert [line[:3] for line in said] == ["250", "221"]
    assert pair.client.recv(1000) == b""
    assert ended == [pair.protocol]
    assert pair.reactor.getDelayedCalls() == []
    pair.client.close()


def test_several() -> None:
    """One session is alone, two are several."""
    sessions = OpenSessions()
    assert not sessions.several()
    one, two = (SessionProtocol(ServerSession(PLAIN), Late(), Clock(), None, sessions.ended) for _ in range(2))
    sessions.add(one)
    assert not sessions.several()
    sessions.add(two)

    assert sessions.several()
