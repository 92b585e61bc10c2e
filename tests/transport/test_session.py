"""One connection, whatever its two ends do: order, bounds, time-outs, orderly ends (lessons 8, 13 and 26)."""

import dataclasses
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from mailsuite.encryption import Encryption
from mailsuite.interfaces import IRespondent
from mailsuite.smtp import events
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Limits
from mailsuite.transport.connector import ClientProtocol
from mailsuite.transport.session import (
    LINGER,
    OUTPUT_OCTETS,
    TURN_EVENTS,
    TURN_OCTETS,
    TURN_REPLIES,
    UNREAD_OCTETS,
    SessionProtocol,
)
from mailsuite.transport.tls import TLSContext
from tests.pop3 import respondent as pop3
from tests.smtp.respondent import PLAIN, STARTTLS
from tests.transport.clients import Caller, ClientCore
from tests.transport.wires import HELD, Late, Pair, Talk, Wire

HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"
BRIEF = dataclasses.replace(PLAIN, limits=Limits(idle_timeout=100, data_timeout=1000, message_size=1000))


def test_interfaces() -> None:
    """The protocol is a producer, and the double a respondent."""
    assert verifyObject(IPushProducer, Talk().protocol)
    assert verifyObject(IRespondent, Late())


def test_greeting() -> None:
    """The server speaks first, at once."""
    talk = Talk()

    assert talk.codes() == [220]


class TestOrder:
    """Lesson 8."""

    def test_pipelined_replies_leave_in_one_write(self) -> None:
        """A group in one segment is one write."""
        talk = Talk()
        talk.codes()
        talk.wire.writes.clear()
        talk.say(HELLO + ENVELOPE + b"DATA\r\nhello\r\n.\r\nNOOP\r\n")

        assert len(talk.wire.writes) == 1

    @pytest.mark.parametrize("held", HELD.values(), ids=HELD.keys())
    def test_lesson_8_replies_wait_for_a_late_answer(self, held: type) -> None:
        """Nothing overtakes it, in any segments, and then all come in order."""
        for segments in ([0], range(200)):
            talk = Talk(PLAIN, held)
            data = HELLO + ENVELOPE + b"DATA\r\nhello\r\n.\r\nNOOP\r\nQUIT\r\n"
            codes = talk.codes()
            if len(segments) == 1:
                codes += talk.say(data)
            else:
                codes += talk.say(*(data[index : index + 1] for index in range(len(data))))
            assert len(codes) < 8
            assert not talk.wire.ends
            talk.respondent.let_go()
            codes += talk.codes()

            assert codes == [220, 250, 250, 250, 354, 250, 250, 221]
            assert talk.wire.ends == ["close"]

    def test_timers_of_other_sessions_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`DelayedCall.reset` looks through all that there are: no session does that to end, or for a new phase."""
        monkeypatch.setattr(DelayedCall, "reset", None)
        talk = Talk(BRIEF)

        assert talk.say(HELLO + ENVELOPE + b"DATA\r\nhello\r\n.\r\nQUIT\r\n")[-1] == 221
        talk.wait(LINGER)
        assert talk.wire.ends == ["close", "abort"]

    def test_what_can_wait_comes_behind_the_output(self) -> None:
        """The peer has its answer before anything is made ready for what it may say next."""
        wire = Wire()
        seen: list[bytes] = []

        class Noting(pop3.Respondent):
            def Foreseen(self, event: Any) -> bytes | None:
                seen.append(wire.value())
                return super().Foreseen(event)

        core, inner = pop3.session("clear", Noting(piece=OUTPUT_OCTETS))
        respondent: Any = Late()
        respondent.inner = inner
        protocol = SessionProtocol(core, respondent, MemoryReactorClock(), None, lambda session: None)
        protocol.makeConnection(wire)
        protocol.dataReceived(b"USER alice@example.org\r\nPASS open sesame\r\n")
        wire.clear()
        protocol.dataReceived(b"RETR 1\r\n")

        assert seen == [wire.value()]
        assert seen[0].endswith(b"Hello\r\n.\r\n")

    def test_answers_by_coroutine(self) -> None:
        """A coroutine that has to wait for nothing is as good as a value."""
        talk = Talk()
        inner = talk.respondent.inner

        async def answer(event: Any) -> Any:
            return inner(event)

        talk.respondent.respond = lambda event: answer(event) if event.asks else inner(event)  # type: ignore[method-assign]
        assert talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<nobody@b.example>\r\n") == [220, 250, 250, 550]


class TestTrouble:
    """Exceptions of a respondent."""

    @pytest.mark.parametrize("held", [(), (events.RcptTo,)], ids=["at-once", "later"])
    def test_an_exception_is_451_and_logged(self, held: tuple[type, ...], logged: list[dict[str, Any]]) -> None:
        """The session goes on, and the cause is in our log alone."""
        talk = Talk(PLAIN, *held)
        codes = talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<crash@b.example>\r\nNOOP\r\n")
        if held:
            assert codes == [220, 250, 250]
            talk.respondent.let_go()

        assert codes + talk.codes() == [220, 250, 250, 451, 250]
        assert [event["event"] for event in logged] == ["RcptTo"]
        assert "as a test wants it" in str(logged[0]["log_failure"].value)

    def test_a_failing_tell_is_logged(self, logged: list[dict[str, Any]]) -> None:
        """What asks nothing has no reply to be spoilt."""
        talk = Talk()
        talk.say(HELLO)
        inner = talk.respondent.inner

        def fail(event: object) -> None:
            raise RuntimeError("as a test wants it")

        inner.Reset = fail  # type: ignore[method-assign]
        assert talk.say(b"RSET\r\nNOOP\r\n") == [250, 250]
        assert [event["event"] for event in logged] == ["Reset"]

    def test_connection_lost_while_an_answer_is_pending(self, logged: list[dict[str, Any]]) -> None:
        """The respondent is told once, and the answer goes nowhere."""
        talk = Talk(PLAIN, events.MailFrom)
        talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\nNOOP\r\n")
        talk.protocol.connectionLost()
        talk.respondent.let_go()

        assert talk.respondent.ended == ["lost"]
        assert talk.ended == [talk.protocol]
        assert talk.codes() == []
        assert logged == []
        assert talk.clock.getDelayedCalls() == []

    def test_an_answer_that_fails_after_the_end_is_logged(self, logged: list[dict[str, Any]]) -> None:
        """Nobody hears of it but the administrator."""
        talk = Talk(PLAIN, events.MailFrom)
        talk.say(HELLO + b"MAIL FROM:<crash@a.example>\r\n")
        talk.protocol.connectionLost()
        talk.respondent.let_go()

        assert [event["event"] for event in logged] == ["MailFrom"]


class TestBounds:
    """Lesson 13: memory."""

    def test_unread_input_pauses_the_reading(self) -> None:
        """While an answer is pending the peer may send so much; it is read again when the core has caught up."""
        talk = Talk(PLAIN, events.MailFrom)
        talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\n")
        talk.say(b"NOOP\r\n" * (UNREAD_OCTETS // 6))
        assert talk.wire.producerState == "producing"
        talk.say(b"NOOP\r\n")
        assert talk.wire.producerState == "paused"
        talk.respondent.let_go()
        while talk.core.unread:
            talk.wait(0)

        assert talk.wire.producerState == "producing"
        assert set(talk.codes()) == {250}

    def test_output_leaves_before_more_is_made(self) -> None:
        """A group of commands with long answers is not gathered without end."""
        talk = Talk()
        talk.say(b"HELP\r\n" * 10_000)

        assert max(map(len, talk.wire.writes)) < OUTPUT_OCTETS + 1000

    def test_others_have_their_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A peer that reads as fast as we send does not keep the reactor from everybody else."""
        # As with replies so long that their number does not matter.
        monkeypatch.setattr("mailsuite.transport.session.TURN_REPLIES", 100_000)
        talk = Talk()
        # A transport of which nothing is ever full.
        talk.say(b"HELP\r\n" * 10_000)
        heard = len(b"".join(talk.wire.writes))
        assert TURN_OCTETS < heard < 2 * TURN_OCTETS
        assert talk.core.unread > 0
        while talk.core.unread:
            before = len(b"".join(talk.wire.writes))
            talk.wait(0)
            assert before < len(b"".join(talk.wire.writes)) < before + 2 * TURN_OCTETS

        assert b"".join(talk.wire.writes).count(b"214 2.0.0") == 10_000

    def test_others_have_their_turn_among_lookups(self) -> None:
        """Recipients that come at once are judged some at a time; one more than a turn holds waits for the next."""
        for more in (0, 1):
            talk = Talk()
            talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\n")
            talk.say(b"RCPT TO:<b@b.example>\r\n" * (TURN_EVENTS + more))
            assert b"".join(talk.wire.writes).count(b"250 2.1.5") == TURN_EVENTS
            assert bool(talk.core.unread) == bool(more)

            talk.wait(0)
            assert b"".join(talk.wire.writes).count(b"250 2.1.5") == TURN_EVENTS + more

    def test_others_have_their_turn_among_plain_replies(self) -> None:
        """So are commands that ask nobody; one more than a turn holds waits for the next."""
        for more in (0, 1):
            talk = Talk()
            talk.codes()
            assert talk.say(b"NOOP\r\n" * (TURN_REPLIES + more)) == [250] * TURN_REPLIES
            assert bool(talk.core.unread) == bool(more)

            talk.wait(0)
            assert talk.codes() == [250] * more

    def test_a_turn_that_is_not_taken(self) -> None:
        """A connection that is lost in between leaves nothing behind."""
        talk = Talk()
        talk.say(b"HELP\r\n" * 10_000)
        talk.protocol.connectionLost(Failure(ConnectionLost()))

        assert talk.clock.getDelayedCalls() == []

    def test_a_peer_that_never_reads(self) -> None:
        """Thirty megabytes of commands on a real socket: bounded output, bounded input, and nothing is lost."""
        ended: list[SessionProtocol] = []
        core = ServerSession(PLAIN)
        pair = Pair(lambda reactor: SessionProtocol(core, Late(), reactor, None, ended.append))
        block = b"NOOP\r\n" * 5000
        offset = sent = 0
        while sent < 30_000_000:
            taken = pair.send(block[offset:])
            offset = (offset + taken) % len(block)
            sent += taken
            if not pair.turn() and not taken:
                break
            assert len(pair.connection.dataBuffer) < 4 * OUTPUT_OCTETS
            assert core.unread < 4 * UNREAD_OCTETS
        assert sent < 30_000_000
        assert pair.connection not in pair.reactor.getReaders()
        got = b""
        while got.count(b"250 2.0.0 OK\r\n") < sent // 6 and pair.turn(patience=5.0):
            got += pair.receive() or b""

        assert got.count(b"250 2.0.0 OK\r\n") == sent // 6
        pair.close()


class TestTimeouts:
    """Lesson 26; RFC 5321 §4.5.3.2."""

    def test_a_silent_peer(self) -> None:
        """Before the limit nothing happens; at it, 421 and the end."""
        talk = Talk(BRIEF)
        talk.say(HELLO)
        talk.wait(99)
        assert talk.codes() == []
        talk.wait(1)

        assert talk.codes() == [421]
        assert talk.wire.ends == ["half"]

    def test_activity_counts_anew(self) -> None:
        """Each command buys the whole time again."""
        talk = Talk(BRIEF)
        for _ in range(10):
            talk.wait(99)
            assert talk.say(b"NOOP\r\n")[-1] == 250
        talk.wait(99)
        assert talk.codes() == []
        talk.wait(1)

        assert talk.codes() == [421]

    def test_lesson_26_an_octet_a_minute_is_no_command(self) -> None:
        """A command that comes by drops frees its slot as a silent peer does."""
        talk = Talk(BRIEF)
        talk.codes()
        for _ in range(10):
            talk.say(b"N")
            talk.wait(10)

        assert talk.codes() == [421]

    def test_a_silent_peer_within_a_message(self) -> None:
        """DATA has the same limit, and the message is dropped."""
        talk = Talk(BRIEF)
        talk.say(HELLO + ENVELOPE + b"DATA\r\nhalf a mess")
        talk.wait(100)

        assert talk.codes() == [421]
        assert talk.respondent.inner.messages == []

    def test_lesson_26_a_message_in_drops(self) -> None:
        """However regular the drops, the whole message has its own limit."""
        talk = Talk(BRIEF)
        talk.say(HELLO + ENVELOPE + b"DATA\r\n")
        for _ in range(19):
            talk.say(b"x")
            talk.wait(50)
            assert talk.codes() == []
        talk.say(b"x")
        talk.wait(50)

        assert talk.codes() == [421]
        assert talk.clock.seconds() == 1000

    def test_many_short_messages_are_not_one_long_one(self) -> None:
        """The limit of a message begins with each of them."""
        talk = Talk(BRIEF)
        talk.say(HELLO)
        for _ in range(40):
            assert talk.say(ENVELOPE + b"DATA\r\n") == [250, 250, 354]
            talk.wait(50)
            assert talk.say(b"hello\r\n.\r\n") == [250]
            talk.wait(40)
            assert talk.codes() == []

        assert talk.clock.seconds() > 3000

    def test_the_rest_of_a_refused_message_is_heard(self) -> None:
        """A peer that goes on sending what is too large is not silent: it is to learn why, at the end."""
        talk = Talk(BRIEF)
        talk.say(HELLO + ENVELOPE + b"DATA\r\n" + b"x" * 998 + b"\r\n" + b"y\r\n")
        for _ in range(15):
            talk.wait(60)
            assert talk.say(b"more\r\n") == []

        assert talk.say(b".\r\n") == [552]

    def test_our_own_slowness_is_not_the_peers(self) -> None:
        """While an answer is pending no time-out runs; afterwards the peer has its whole time."""
        talk = Talk(BRIEF, events.MailFrom)
        talk.say(HELLO + b"MAIL FROM:<a@a.example>\r\n")
        talk.wait(5000)
        assert talk.codes() == []
        talk.respondent.let_go()
        assert talk.codes() == [250]
        talk.wait(99)
        assert talk.codes() == []
        talk.wait(100)

        assert talk.codes() == [421]

    def test_a_peer_that_does_not_read_its_replies(self) -> None:
        """Not reading is silence too; the goodbye waits for nobody, and then the connection is cut."""
        talk = Talk(BRIEF)
        talk.say(HELLO)
        talk.protocol.pauseProducing()
        talk.say(b"NOOP\r\n")
        assert talk.codes() == []
        talk.wait(100)
        assert talk.codes()[-1] == 421
        talk.wait(LINGER)

        assert talk.wire.ends[-1] == "abort"

    def test_a_peer_that_reads_again(self) -> None:
        """Then its commands are answered, and its time begins anew."""
        talk = Talk(BRIEF)
        talk.say(HELLO)
        talk.protocol.pauseProducing()
        talk.say(b"NOOP\r\n" * 3)
        talk.wait(99)
        talk.protocol.resumeProducing()
        assert talk.codes() == [250] * 3
        talk.wait(99)

        assert talk.codes() == []

    def test_no_timer_is_left(self) -> None:
        """After the end nothing is called any more."""
        talk = Talk()
        talk.say(HELLO)
        talk.protocol.connectionLost()

        assert talk.clock.getDelayedCalls() == []


class TestEnds:
    """How a session ends."""

    def test_quit(self) -> None:
        """221, then the connection is closed; nothing that follows is read."""
        talk = Talk()
        assert talk.say(b"QUIT\r\nNOOP\r\n", b"NOOP\r\n") == [220, 221]
        assert talk.wire.ends == ["close"]
        talk.protocol.connectionLost()

        assert talk.respondent.ended == ["closed"]

    def test_hanging_up_closes_one_half(self) -> None:
        """Where the peer may still be sending, a whole close would cost it our last reply: it is read and dropped."""
        talk = Talk(dataclasses.replace(PLAIN, limits=Limits(errors=0)))
        assert talk.say(b"FROB\r\n" + b"NOOP\r\n" * 10) == [220, 500, 421]
        assert talk.wire.ends == ["half"]
        assert talk.wire.producerState == "producing"
        assert talk.say(b"NOOP\r\n" * 20_000) == []
        assert talk.core.unread == 0
        talk.wait(LINGER)

        assert talk.wire.ends == ["half", "abort"]

    def test_the_last_reply_arrives_on_a_real_socket(self) -> None:
        """A peer in the middle of sending reads 421 and the end, not a reset."""
        core = ServerSession(dataclasses.replace(PLAIN, limits=Limits(errors=0)))
        pair = Pair(lambda reactor: SessionProtocol(core, Late(), reactor, None, lambda session: None))
        pair.send(b"FROB\r\n" + b"x" * 100_000)
        got = b""
        for _ in range(20):
            pair.turn()
            pair.send(b"x" * 10_000)
            piece = pair.receive()
            if piece is None:
                break
            got += piece
        else:
            pytest.fail("the end did not come")

        assert [line[:3] for line in got.splitlines()] == [b"220", b"500", b"421"]
        pair.close()

    def test_inside_tls_a_session_hangs_up_by_tls(self) -> None:
        """There the close is an alert of TLS; half a TCP close would look like a cut line."""
        talk = Talk(dataclasses.replace(PLAIN, limits=Limits(errors=0)))
        talk.protocol.handshakeCompleted()
        talk.say(b"FROB\r\n")

        assert talk.wire.ends == ["close"]
        assert talk.respondent.tls == [Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384")]

    def test_shutdown_of_an_idle_session(self) -> None:
        """421 at once (RFC 5321 §3.8), and a whole close: a service that stops does not wait for its peers."""
        talk = Talk()
        talk.say(HELLO + ENVELOPE)
        talk.protocol.shut_down()

        assert talk.codes() == [421]
        assert talk.wire.ends == ["close"]

    def test_shutdown_while_an_answer_is_pending(self) -> None:
        """The answer is given first: a message that was taken is not sent again."""
        talk = Talk(PLAIN, events.MessageEnds)
        talk.say(HELLO + ENVELOPE + b"DATA\r\nhello\r\n.\r\nNOOP\r\n")
        talk.protocol.shut_down()
        assert talk.codes() == []
        talk.respondent.let_go()

        assert talk.codes() == [250, 421]
        assert len(talk.respondent.inner.messages) == 1

    def test_shutdown_after_goodbye(self) -> None:
        """Who is leaving is not told twice."""
        talk = Talk()
        talk.say(b"QUIT\r\n")
        talk.protocol.shut_down()

        assert talk.codes() == []

    def test_shutdown_of_a_peer_that_does_not_read(self) -> None:
        """It is told all the same, and cut off a little later."""
        talk = Talk()
        talk.say(HELLO)
        talk.protocol.pauseProducing()
        talk.protocol.shut_down()
        talk.wait(LINGER)

        assert talk.codes() == [421]
        assert talk.wire.ends == ["close", "abort"]

    def test_abort(self) -> None:
        """The connection is cut, once."""
        talk = Talk()
        talk.protocol.abort()
        talk.protocol.connectionLost()
        talk.protocol.abort()

        assert talk.wire.ends == ["abort"]
        assert talk.respondent.ended == ["lost"]


class TestStartTLS:
    """The switch, lesson 3."""

    def test_the_reply_leaves_before_tls_begins(self) -> None:
        """And what came behind the command is dropped."""
        talk = Talk(STARTTLS)
        talk.say(HELLO)
        talk.protocol.dataReceived(b"STARTTLS\r\nMAIL FROM:<injected@a.example>\r\n")

        assert talk.wire.begun_tls == [b"220 2.0.0 Ready to start TLS\r\n"]
        assert talk.core.unread == 0
        assert talk.core.encrypted

    def test_the_session_begins_anew(self) -> None:
        """No greeting is said again, EHLO is needed again."""
        talk = Talk(STARTTLS)
        talk.say(HELLO + b"STARTTLS\r\n")
        talk.protocol.handshakeCompleted()

        assert talk.say(b"MAIL FROM:<a@a.example>\r\n" + HELLO + b"MAIL FROM:<a@a.example>\r\n") == [503, 250, 250]


class Client:
    """A client's session over a wire in memory."""

    def __init__(
        self,
        patience: dict[int, float],
        starttls: bool = True,
        phases: bool = True,
        protocol: type[SessionProtocol] = SessionProtocol,
    ) -> None:
        self.clock = MemoryReactorClock()
        self.core = ClientCore(starttls, patience, phases)
        self.caller = Caller()
        self.wire = Wire()
        tls = TLSContext("a server's will do")
        self.protocol = protocol(self.core, self.caller, self.clock, tls, lambda session: None)
        self.protocol.makeConnection(self.wire)

    def hear(self, *lines: bytes) -> None:
        """Let the server say *lines*."""
        for line in lines:
            self.protocol.dataReceived(line + b"\r\n")

    def lose(self, error: Exception) -> list[tuple[str, str]]:
        """Lose the connection; return what the respondent was told."""
        self.protocol.connectionLost(Failure(error))
        return self.caller.ended


class TestClients:
    """The other end of a connection."""

    def test_a_client_waits_for_the_greeting(self) -> None:
        """It says nothing first, and has its time for it."""
        client = Client({0: 300})
        client.clock.advance(299)
        assert client.wire.value() == b""
        assert client.core.expired == 0
        client.clock.advance(1)

        assert client.core.expired == 1

    @pytest.mark.parametrize("spent", [0, 100, 299])
    def test_a_shorter_phase_ends_in_time(self, spent: int) -> None:
        """However long the timer had still to go for the phase before."""
        client = Client({0: 300, 1: 20})
        client.clock.advance(spent)
        client.hear(b"220 welcome")
        client.clock.advance(19)
        assert client.core.expired == 0
        client.clock.advance(1)

        assert client.core.expired == 1

    def test_a_shorter_step_ends_in_time(self) -> None:
        """Sessions that we began have an eye on each step."""
        client = Client({0: 300, 1: 20}, phases=False, protocol=ClientProtocol)
        client.hear(b"220 welcome")
        client.clock.advance(19)
        assert client.core.expired == 0
        client.clock.advance(1)

        assert client.core.expired == 1

    @pytest.mark.parametrize("protocol", [SessionProtocol, ClientProtocol])
    def test_a_term_that_is_shorter_than_the_patience(self, protocol: type[SessionProtocol]) -> None:
        """A phase ends with its term, however lively the other end is and however late the timer was to look."""
        client = Client({0: 300, 1: 300}, starttls=True, protocol=protocol)
        client.clock.advance(40)
        client.core.term = 50.0
        client.hear(b"220 welcome")
        client.clock.advance(49)
        assert client.core.expired == 0
        client.clock.advance(1)

        assert client.core.expired == 1

    def test_octets_without_an_end(self) -> None:
        """To a client they are no sign of life, also in a phase with a term; a server skips what it has refused."""
        for protocol, expired in ((ClientProtocol, 1), (SessionProtocol, 0)):
            client = Client({0: 30}, protocol=protocol)
            client.core.term = 1000.0
            for _ in range(30):
                client.clock.advance(1)
                client.protocol.dataReceived(b"2")
            assert client.core.expired == expired

    def test_a_longer_phase_has_its_time(self) -> None:
        """What was left of a short one does not end it."""
        client = Client({0: 10, 1: 100})
        client.clock.advance(9)
        client.hear(b"220 welcome")
        client.clock.advance(99)
        assert client.core.expired == 0
        client.clock.advance(1)

        assert client.core.expired == 1

    def test_a_phase_of_equal_length_costs_no_timer(self) -> None:
        """Servers have one patience: their timer is not touched."""
        client = Client({})
        (timer,) = client.clock.getDelayedCalls()
        due = timer.getTime()
        client.clock.advance(50)
        client.hear(b"220 welcome")

        assert [(call, call.getTime()) for call in client.clock.getDelayedCalls()] == [(timer, due)]

    def test_a_handshake_that_never_ends(self) -> None:
        """The respondent waits for it; the driver does not wait for ever (lesson 26)."""
        client = Client({2: 30})
        client.hear(b"220 welcome", b"220 go on")
        assert client.wire.begun_tls == [b"STARTTLS\r\n"]
        client.clock.advance(29)
        assert client.wire.ends == []
        client.clock.advance(1)
        assert client.wire.ends == ["abort"]

        assert client.lose(ConnectionAborted()) == [("lost", "TLS handshake failed: timed out")]
        assert client.core.expired == 0
        assert client.clock.getDelayedCalls() == []

    def test_after_the_handshake_the_respondent_has_its_time(self) -> None:
        """Our own slowness is not the peer's here either."""
        client = Client({2: 30})
        verdict: Deferred[bool] = Deferred()
        client.caller.secured = verdict
        client.hear(b"220 welcome", b"220 go on")
        client.protocol.handshakeCompleted()
        client.clock.advance(5000)
        assert client.wire.ends == []
        verdict.callback(True)

        assert client.wire.value() == b"STARTTLS\r\nHELLO\r\n"

    def test_no_goodbye_within_a_handshake(self) -> None:
        """The octets on the wire are TLS's: who does not shake hands in time is cut off."""
        talk = Talk(STARTTLS)
        talk.say(HELLO + b"STARTTLS\r\n")
        talk.wait(STARTTLS.limits.idle_timeout)

        assert talk.wire.ends == ["abort"]

    def test_shutdown_within_a_handshake(self) -> None:
        """Who does not shake hands, as a scanner, holds up no stop of the service."""
        talk = Talk(STARTTLS)
        talk.say(HELLO + b"STARTTLS\r\n")
        talk.codes()
        talk.protocol.shut_down()

        assert talk.wire.ends == ["abort"]
        assert talk.codes() == []


class TestCauses:
    """What is told of the end of a connection."""

    def test_a_clean_close_has_none(self) -> None:
        """Ours, or the peer's."""
        client = Client({})

        assert client.lose(ConnectionDone()) == [("lost", "")]

    def test_after_goodbye_there_is_none(self) -> None:
        """However the peer ends what is over."""
        client = Client({}, starttls=False)
        client.hear(b"220 welcome")

        assert client.lose(ConnectionLost()) == [("closed", "")]

    @pytest.mark.parametrize(
        ("trouble", "words"),
        [
            (SSL.Error([("SSL routines", "", "no shared cipher")]), "TLS handshake failed: no shared cipher"),
            (ConnectionLost(), "TLS handshake failed: the connection was broken off"),
            (ConnectionDone(), "TLS handshake failed: the connection was closed"),
        ],
        ids=["alert", "lost", "closed"],
    )
    def test_within_a_handshake(self, trouble: Exception, words: str) -> None:
        """It always has one."""
        client = Client({})
        client.hear(b"220 welcome", b"220 go on")

        assert client.lose(trouble) == [("lost", words)]

    def test_after_the_handshake(self) -> None:
        """TLS can fail later, too."""
        client = Client({})
        client.hear(b"220 welcome", b"220 go on")
        client.protocol.handshakeCompleted()

        trouble = SSL.Error([("SSL routines", "", "decryption failed or bad record mac")])
        assert client.lose(trouble) == [("lost", "TLS: decryption failed or bad record mac")]
