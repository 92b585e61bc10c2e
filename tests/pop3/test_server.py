"""What chat scripts cannot say: limits, endings, trouble in the middle of things."""

import re
from pathlib import Path
from typing import Any

import pytest

from mailsuite.pop3 import events, responses
from mailsuite.pop3.command import State
from mailsuite.pop3.events import Ended, Ending, Foreseen, Opened, ReadBody, Retrieve, Retrieved, Update
from mailsuite.pop3.server import CAPABILITIES, OUTPUT_OCTETS, VERBS, ServerSession
from mailsuite.pop3.settings import Settings
from mailsuite.sasl.claims import PasswordClaim
from mailsuite.sasl.exchange import LINE_OCTETS
from mailsuite.sasl.terms import MECHANISMS
from mailsuite.wire.events import CLOSE, HANG_UP, START_TLS, Said
from tests.chat import Conversation
from tests.pop3.respondent import MESSAGES, Respondent, session
from tests.wire.test_foreign import FIRST_LINES

LOGIN = b"USER alice@example.org\r\nPASS open sesame\r\n"


def greeted(respondent: Respondent | None = None, listener: str = "clear") -> Conversation:
    """A session whose greeting was read."""
    conversation = Conversation(*session(listener, respondent))
    conversation.line()
    return conversation


def logged_in(respondent: Respondent | None = None) -> Conversation:
    """A session in the TRANSACTION state, with everything read that was said so far."""
    conversation = greeted(respondent)
    conversation.send(LOGIN)
    assert conversation.core.state is State.TRANSACTION  # type: ignore[attr-defined]
    conversation.said = b""
    return conversation


def asked(core: ServerSession, data: bytes) -> Any:
    """Feed *data* to *core* and return the question that it leads to."""
    core.receive(data)
    return core.next_event()


def open_core(sizes: list[int]) -> ServerSession:
    """A core in the TRANSACTION state, driven by hand."""
    core = ServerSession(Settings("mail.example.org", plaintext_auth=True))
    core.next_event()
    core.answer(responses.READY)
    asked(core, LOGIN)
    core.answer(Opened(sizes, [f"id{index}" for index in range(len(sizes))]))
    core.bytes_to_send()
    return core


def legal(state: State) -> set[bytes]:
    """Return the verbs that are legal in *state*."""
    return {verb for verb, command in VERBS.items() if state in command.states}


class TestTable:
    """Which verbs there are, and where."""

    def test_capabilities_are_the_ones_we_know(self) -> None:
        """Nothing is offered by accident: a file more in the folder is seen here."""
        assert [part.keyword for part in CAPABILITIES] == [
            "APOP",
            "AUTH-RESP-CODE",
            "EXPIRE",
            "IMPLEMENTATION",
            "LANG",
            "LOGIN-DELAY",
            "PIPELINING",
            "RESP-CODES",
            "SASL",
            "STLS",
            "TOP",
            "UIDL",
            "USER",
            "UTF8",
        ]

    def test_capabilities_are_told(self) -> None:
        """Each of them is in docs/pop3.rst."""
        text = (Path(__file__).parents[2] / "docs" / "pop3.rst").read_text()

        told = {word for row in re.findall(r"^   \* - (.*)$", text, re.M) for word in row.split(", ")}
        assert {part.keyword for part in CAPABILITIES} <= told

    def test_mechanisms_are_found(self) -> None:
        """PLAIN, which RFC 5034 §4 demands, is among the mechanisms."""
        assert {"PLAIN", "LOGIN"} <= set(MECHANISMS)

    def test_verbs_by_state(self) -> None:
        """The table has the rows of RFC 1939, and none for UPDATE."""
        both = {b"CAPA", b"QUIT", b"LANG"}
        before = {b"USER", b"PASS", b"AUTH", b"APOP", b"STLS", b"UTF8"}

        assert legal(State.AUTHORIZATION) == both | before
        assert legal(State.TRANSACTION) == set(VERBS) - before
        assert not legal(State.UPDATE)


class TestLines:
    """Limits on what the client sends."""

    @pytest.mark.parametrize("whole", [True, False])
    def test_command_line_at_the_limit(self, whole: bool) -> None:
        """A command of 255 octets with its CRLF is obeyed (RFC 2449 §4)."""
        conversation = greeted()
        feed(conversation, b"USER " + b"a" * 248 + b"\r\n", whole)

        assert conversation.line().startswith("+OK")

    @pytest.mark.parametrize("whole", [True, False])
    @pytest.mark.parametrize("more", [1, 2, 3, 5_000])
    def test_command_line_past_the_limit(self, whole: bool, more: int) -> None:
        """A longer one gets one -ERR, and no part of it is obeyed, whatever it ends with."""
        conversation = greeted()
        feed(conversation, b"USER " + b"a" * (248 + more - 6) + b"\nQUIT " + b"\r\nCAPA\r\n", whole)

        assert conversation.said.startswith(responses.LINE_TOO_LONG.encode() + b"+OK Cap")
        assert not conversation.closed

    def test_long_line_costs_no_memory(self) -> None:
        """A line without an end is dropped as it comes."""
        conversation = greeted()
        for _ in range(100):
            conversation.send(b"a" * 65_536)

        assert conversation.core.unread < 10
        assert conversation.said == b""

    @pytest.mark.parametrize(("more", "accepted"), [(0, True), (1, False)])
    def test_auth_response_limit(self, more: int, accepted: bool) -> None:
        """A response of 12,288 octets is taken, a longer one ends the exchange with -ERR."""
        conversation = greeted()
        conversation.send(b"AUTH PLAIN\r\n")
        conversation.send(b"A" * (LINE_OCTETS - 2 + more) + b"\r\nCAPA\r\n")

        assert conversation.said.startswith(b"+ \r\n-ERR ")
        assert (responses.LINE_TOO_LONG.encode() not in conversation.said) == accepted
        assert b"PIPELINING" in conversation.said

    def test_limit_returns_after_auth(self) -> None:
        """The longer limit is for the response alone, not for the command after it."""
        conversation = greeted()
        conversation.send(b"AUTH PLAIN\r\n*\r\nUSER " + b"a" * 300 + b"\r\n")

        assert conversation.said.endswith(responses.LINE_TOO_LONG.encode())

    def test_nothing_of_the_peer_is_echoed(self) -> None:
        """No octet that the client chose comes back, control characters least of all."""
        conversation = greeted()
        conversation.send(b"\x1b]0;evil\x07\r\nUSER \x1b[2J\r\nPASS \x1b[2J\r\nAUTH \x1b\r\n")

        assert b"\x1b" not in conversation.said
        assert b"evil" not in conversation.said

    def test_five_hundred_commands_at_once(self) -> None:
        """A segment of 500 commands is answered in order, as one octet at a time would be."""
        conversation = logged_in()
        conversation.send(b"".join(b"LIST %d\r\n" % (1 + number % 5) for number in range(500)))

        expected = [b"+OK %d %d" % (1 + number % 5, len(MESSAGES[number % 5])) for number in range(500)]
        assert conversation.said.split(b"\r\n")[:-1] == expected


class TestLogin:
    """Claims, and what becomes of them."""

    def test_password_keeps_its_spaces(self) -> None:
        """PASS takes all that follows one space (RFC 1939 §7)."""
        respondent = Respondent()
        conversation = greeted(respondent)
        conversation.send(b"USER alice\r\nPASS   two  words  \r\n")

        assert respondent.claims == [PasswordClaim("alice", "  two  words  ")]

    def test_tls_forgets_the_name(self) -> None:
        """What USER said in the clear is no name under TLS (RFC 2595 §4)."""
        core = ServerSession(Settings("mail.example.org", stls=True, plaintext_auth=True))
        conversation = Conversation(core, Respondent())
        conversation.send(b"USER alice@example.org\r\nSTLS\r\n")
        conversation.start_tls()
        conversation.said = b""
        conversation.send(b"PASS open sesame\r\n")

        assert conversation.said == responses.USER_FIRST.encode()

    def test_nothing_is_read_between_stls_and_tls(self) -> None:
        """Once TLS is wanted the core says nothing more, however much comes."""
        core = ServerSession(Settings("mail.example.org", stls=True))
        core.next_event()
        core.answer(responses.READY)
        assert asked(core, b"STLS\r\nCAPA\r\n") is START_TLS
        core.bytes_to_send()

        assert asked(core, b"CAPA\r\n") is None
        assert core.bytes_to_send() == b""

    def test_secret_is_in_no_repr(self) -> None:
        """An event that carries a password does not show it."""
        assert "sesame" not in repr(events.Authenticate("USER", PasswordClaim("alice", "sesame")))

    def test_greeting_can_refuse(self) -> None:
        """A respondent that cannot serve says so, and the session closes."""
        core = ServerSession(Settings("mail.example.org"))
        core.next_event()
        core.answer(responses.NOT_NOW)

        assert core.bytes_to_send().startswith(b"-ERR [SYS/TEMP]")
        assert [core.next_event(), core.next_event(), core.next_event()] == [Ended(Ending.REFUSED), HANG_UP, None]

    def test_failing_greeting_closes(self) -> None:
        """So it is where the respondent raised."""
        core = ServerSession(Settings("mail.example.org"))
        core.next_event()
        core.fail()

        assert core.next_event() == Ended(Ending.REFUSED)


class TestMessages:
    """RETR and TOP against sizes."""

    @pytest.mark.parametrize("piece", [1, 2, 3, 5, 64, 65_536])
    def test_octets_are_what_was_announced(self, piece: int) -> None:
        """RETR sends exactly the octets of LIST before dot-stuffing, however the message was cut (RFC 1939 §11)."""
        body = b".\r\n.." + b"\r\n." * 40 + b"\r\n\r\n.\r\n" + b"x" * 100 + b"\r\n"
        conversation = logged_in(Respondent((body,), piece, None))
        conversation.send(b"RETR 1\r\n")
        first, _, rest = conversation.said.partition(b"\r\n")

        assert first == b"+OK %d octets" % len(body)
        assert unstuffed(rest) == body

    @pytest.mark.parametrize("first", [b"", b"12", b"123456"])
    def test_false_size_is_refused_at_once(self, first: bytes) -> None:
        """A message whose first octets show that it is not what was listed is an -ERR, and the session goes on."""
        core = open_core([5])
        assert asked(core, b"RETR 1\r\nNOOP\r\n") == Retrieve(0)
        core.answer(first)
        if first == b"12":
            assert isinstance(core.next_event(), ReadBody)
            core.answer(b"345")
        core.next_event()

        status = b"+OK 5 octets" if first == b"12" else b"-ERR [SYS/TEMP]"
        said = core.bytes_to_send()
        assert said.startswith(status)
        assert said.endswith(responses.OK.encode())

    @pytest.mark.parametrize("later", [b"", b"3456"])
    def test_message_that_breaks_off_gets_no_end_mark(self, later: bytes) -> None:
        """Once +OK was said, a message that ends too early or too late ends the connection, not the message."""
        core = open_core([5])
        asked(core, b"RETR 1\r\nNOOP\r\n")
        core.answer(b"12")
        core.next_event()
        core.answer(later)

        assert core.next_event() == Ended(Ending.DAMAGED)
        assert core.next_event() is HANG_UP
        assert core.bytes_to_send() == responses.message_follows(5).encode() + b"12"

    def test_respondent_that_fails_amid_a_message(self) -> None:
        """An exception there is the same: no end mark, and the connection closes."""
        core = open_core([5])
        asked(core, b"RETR 1\r\n")
        core.answer(b"12")
        core.next_event()
        core.fail()

        assert core.next_event() == Ended(Ending.DAMAGED)

    def test_respondent_that_fails_before_a_message(self) -> None:
        """An exception at RETR is -ERR [SYS/TEMP], and the session is in step."""
        core = open_core([5])
        asked(core, b"RETR 1\r\nNOOP\r\n")
        core.fail()

        assert core.next_event() is None
        assert core.bytes_to_send() == responses.TROUBLE.encode() + responses.OK.encode()

    def test_top_tells_when_it_has_enough(self) -> None:
        """The respondent hears that the rest of a message is not wanted; it is not asked for it."""
        respondent = Respondent((b"A: b\r\n\r\n" + b"line\r\n" * 1000,), 20, None)
        conversation = logged_in(respondent)
        conversation.send(b"TOP 1 2\r\n")

        assert respondent.dropped == 1
        assert sum(isinstance(event, ReadBody) for event in conversation.events) < 3

    def test_message_read_at_once_asks_nothing_more(self) -> None:
        """A small message costs one question, and one behind it: whether the next one is at hand."""
        conversation = logged_in(Respondent(piece=65_536))
        before = len(conversation.events)
        conversation.send(b"RETR 1\r\n")

        assert conversation.events[before:] == [Retrieve(0), Foreseen(1)]

    def test_peer_that_does_not_read_stops_the_reading(self) -> None:
        """Between two pieces the core waits for its driver: it makes no output by itself."""
        core = open_core([1_000_000])
        asked(core, b"RETR 1\r\n")
        core.answer(b"x" * 65_536)
        core.bytes_to_send()

        assert isinstance(core.next_event(), ReadBody)
        assert core.next_event() is None
        assert core.bytes_to_send() == b""


class TestForesight:
    """What is made ready before it is asked for."""

    def test_message_that_was_foreseen(self) -> None:
        """It is sent without a question, counts as retrieved, and the one behind it is foreseen."""
        respondent = Respondent(piece=65_536, gone=None)
        respondent.prompt = True
        conversation = logged_in(respondent)
        conversation.send(b"RETR 1\r\n")
        before = len(conversation.events)
        conversation.said = b""
        conversation.send(b"NOOP\r\n")
        conversation.send(b"RETR 2\r\n")

        assert conversation.events[before:] == [Retrieved(1), Foreseen(2)]
        said = conversation.said.removeprefix(responses.OK.encode())
        assert said.startswith(responses.message_follows(len(MESSAGES[1])).encode())
        assert unstuffed(said.partition(b"\r\n")[2]) == MESSAGES[1]
        assert (respondent.foreseen, respondent.retrieved) == ([1, 2], [1])

    @pytest.mark.parametrize(
        ("later", "event"),
        [
            (b"RETR 3\r\n", Retrieve(2)),
            (b"RETR 1\r\nRETR 2\r\n", Retrieve(0)),
            (b"TOP 2 0\r\n", Retrieve(1, 0)),
        ],
    )
    def test_another_is_asked_for(self, later: bytes, event: Retrieve) -> None:
        """What was made ready in vain is forgotten."""
        respondent = Respondent(piece=65_536, gone=None)
        respondent.prompt = True
        conversation = logged_in(respondent)
        conversation.send(b"RETR 1\r\n")
        before = len(conversation.events)
        conversation.send(later)

        assert conversation.events[before] == event
        assert respondent.retrieved == []

    @pytest.mark.parametrize(
        ("commands", "foreseen"),
        [
            (b"RETR 5\r\n", []),
            (b"RETR 1\r\nDELE 1\r\nNOOP\r\n", [1]),
            (b"DELE 2\r\nRETR 1\r\n", []),
            (b"RETR 1\r\nRETR 2\r\nRETR 4\r\n", [4]),
            (b"TOP 1 0\r\n", []),
            (b"RETR 1\r\nQUIT\r\n", []),
            (b"RETR 9\r\n", []),
        ],
    )
    def test_what_is_foreseen(self, commands: bytes, foreseen: list[int]) -> None:
        """The message behind one that was retrieved, if there is one that is not marked, once nothing waits."""
        respondent = Respondent(piece=65_536, gone=None)
        logged_in(respondent).send(commands)

        assert respondent.foreseen == foreseen

    def test_deleted_meanwhile(self) -> None:
        """A message that was made ready and then marked is not sent."""
        respondent = Respondent(piece=65_536, gone=None)
        respondent.prompt = True
        conversation = logged_in(respondent)
        conversation.send(b"RETR 1\r\nDELE 2\r\n")
        conversation.send(b"RETR 2\r\n")

        assert conversation.said.endswith(responses.MARKED_ALREADY.encode())

    @pytest.mark.parametrize("octets", [b"", b"12345", b"1234567"])
    def test_false_size(self, octets: bytes) -> None:
        """A message that does not have its size is not made ready; who asks for it hears what is wrong."""
        core = open_core([3, 6])
        asked(core, b"RETR 1\r\n")
        core.answer(b"abc")
        assert core.next_event() == Foreseen(1)
        core.answer(octets)

        assert asked(core, b"RETR 2\r\n") == Retrieve(1)

    def test_respondent_that_fails(self) -> None:
        """The client hears nothing of it."""
        core = open_core([3, 6])
        asked(core, b"RETR 1\r\n")
        core.answer(b"abc")
        core.bytes_to_send()
        core.next_event()
        core.fail()

        assert core.bytes_to_send() == b""
        assert asked(core, b"RETR 2\r\n") == Retrieve(1)


class TestListings:
    """Long listings."""

    def test_long_listing_comes_in_pieces(self) -> None:
        """A driver hears of the output before it grows: no listing is ever held whole."""
        core = open_core([7] * 100_000)
        core.receive(b"LIST\r\n")
        said, longest = b"", 0
        while (event := core.next_event()) is not None:
            assert isinstance(event, Said)
            piece = core.bytes_to_send()
            longest = max(longest, len(piece))
            said += piece
        said += core.bytes_to_send()

        assert longest < 2 * OUTPUT_OCTETS
        assert said.split(b"\r\n")[1:-2] == [b"%d 7" % number for number in range(1, 100_001)]
        assert said.endswith(b"\r\n.\r\n")

    def test_many_short_answers_come_in_pieces_too(self) -> None:
        """So it is for many commands in one segment."""
        core = open_core([7] * 500)
        core.receive(b"LIST\r\n" * 100)

        assert isinstance(core.next_event(), Said)


class TestEnding:
    """QUIT, time-outs, shutdown."""

    def test_quit_removes_the_marked(self) -> None:
        """QUIT from TRANSACTION asks for the removal, closes, and tells why."""
        respondent = Respondent()
        conversation = logged_in(respondent)
        conversation.send(b"DELE 2\r\nDELE 4\r\nQUIT\r\n")

        assert respondent.removed == [1, 3]
        assert respondent.ending is Ending.QUIT
        assert conversation.events[-1] is CLOSE

    def test_quit_without_marks_still_gives_the_lock_back(self) -> None:
        """The respondent is asked even where nothing is to be removed."""
        respondent = Respondent()
        logged_in(respondent).send(b"QUIT\r\n")

        assert respondent.removed == []

    def test_reset_takes_the_marks_away(self) -> None:
        """After RSET nothing is removed."""
        respondent = Respondent()
        logged_in(respondent).send(b"DELE 2\r\nRSET\r\nQUIT\r\n")

        assert respondent.removed == []

    def test_early_quit_asks_nothing(self) -> None:
        """QUIT in the AUTHORIZATION state enters no UPDATE state."""
        respondent = Respondent()
        greeted(respondent).send(b"QUIT\r\n")

        assert respondent.removed is None

    def test_failed_removal_is_told_and_closes(self) -> None:
        """Removed or not, the connection closes; the client hears -ERR (RFC 1939 §6)."""
        core = open_core([5])
        assert asked(core, b"DELE 1\r\nQUIT\r\n") == Update([0])
        core.bytes_to_send()
        core.fail()

        assert core.bytes_to_send() == responses.NOT_REMOVED.encode()
        assert core.next_event() == Ended(Ending.QUIT)

    def test_idle_client_is_told_once(self) -> None:
        """A time-out says -ERR and closes without the UPDATE state; a second one says nothing."""
        respondent = Respondent()
        conversation = logged_in(respondent)
        conversation.send(b"DELE 1\r\n")
        conversation.said = b""
        conversation.core.expire()
        conversation.core.expire()
        conversation.pump()

        assert conversation.said == responses.TOO_SLOW.encode()
        assert conversation.closed
        assert respondent.removed is None
        assert respondent.ending is Ending.IDLE

    def test_a_session_that_lasts_too_long(self) -> None:
        """It is told, and ended like one that is idle."""
        respondent = Respondent()
        conversation = logged_in(respondent)
        conversation.send(b"DELE 1\r\n")
        conversation.said = b""
        conversation.core.overstay()
        conversation.pump()

        assert conversation.said == responses.OVERSTAYED.encode()
        assert respondent.removed is None
        assert respondent.ending is Ending.LIFETIME

    @pytest.mark.parametrize("line", FIRST_LINES)
    def test_other_protocols(self, line: bytes) -> None:
        """Closed at the first line, TLS without a word, and nothing behind it is obeyed."""
        respondent = Respondent()
        conversation = greeted(respondent)
        conversation.said = b""
        conversation.send(line + b"\r\nHost: x\r\n\r\n" + LOGIN + b"STAT\r\n")

        tls = line.startswith(b"\x16\x03")
        assert conversation.said == (b"" if tls else responses.OTHER_PROTOCOL.encode())
        assert conversation.closed
        assert respondent.ending is Ending.FOREIGN

    def test_tls_where_there_is_none(self) -> None:
        """A ClientHello is longer than a line may be and has no end of one: closed all the same."""
        respondent = Respondent()
        conversation = greeted(respondent)
        conversation.send(b"\x16\x03\x01\x02\x00" + b"\xee" * 512)

        assert conversation.closed
        assert respondent.ending is Ending.FOREIGN

    def test_errors_at_the_cap_and_one_past(self) -> None:
        """Three are refused, and with the fourth it is over."""
        respondent = Respondent()
        conversation = greeted(respondent, "few errors")
        conversation.said = b""
        conversation.send(b"NONSENSE\r\n" * 3)
        assert conversation.said == responses.UNKNOWN.encode() * 3
        assert not conversation.closed
        conversation.said = b""
        conversation.send(b"NONSENSE\r\n" * 3)

        assert conversation.said == responses.TOO_MANY_ERRORS.encode()
        assert respondent.ending is Ending.ERRORS

    def test_shutdown_is_told(self) -> None:
        """A service that stops says so; what comes afterwards is not read."""
        conversation = logged_in()
        conversation.core.shut_down()
        conversation.send(b"CAPA\r\n")

        assert conversation.said == responses.SHUTTING_DOWN.encode()
        assert conversation.core.unread == 0

    def test_shutdown_while_a_login_is_checked(self) -> None:
        """The open question is answered by the goodbye; the late answer goes nowhere."""
        core = ServerSession(Settings("mail.example.org", plaintext_auth=True))
        core.next_event()
        core.answer(responses.READY)
        asked(core, LOGIN)
        core.bytes_to_send()
        core.shut_down()
        core.answer(Opened([1], ["a"]))
        core.fail()

        assert core.bytes_to_send() == responses.SHUTTING_DOWN.encode()
        assert core.state is State.AUTHORIZATION

    def test_answer_of_no_known_kind(self) -> None:
        """A login that is answered with anything else is trouble of ours, and no login."""
        core = ServerSession(Settings("mail.example.org", plaintext_auth=True))
        core.next_event()
        core.answer(responses.READY)
        asked(core, LOGIN)
        core.bytes_to_send()
        core.answer(None)

        assert core.bytes_to_send() == responses.TROUBLE.encode()
        assert core.state is State.AUTHORIZATION

    def test_answer_without_a_question(self) -> None:
        """An answer, or a failure, to nothing changes nothing."""
        core = open_core([5])
        core.answer(Opened([1, 2], ["a", "b"]))
        core.fail()
        core.answer(b"octets")
        asked(core, b"STAT\r\n")

        assert core.bytes_to_send() == b"+OK 1 5\r\n"

    def test_shutdown_waits_for_a_removal(self) -> None:
        """A QUIT under way is not told that nothing was deleted."""
        core = open_core([5])
        asked(core, b"DELE 1\r\nQUIT\r\n")
        core.bytes_to_send()
        core.shut_down()
        assert core.bytes_to_send() == b""
        core.answer(responses.GOODBYE)

        assert core.bytes_to_send() == responses.GOODBYE.encode()

    def test_shutdown_amid_a_message_says_nothing(self) -> None:
        """A line of ours there would be taken for a line of the message."""
        core = open_core([100])
        asked(core, b"RETR 1\r\n")
        core.answer(b"12")
        core.next_event()
        core.bytes_to_send()
        core.shut_down()

        assert core.bytes_to_send() == b""
        assert core.next_event() == Ended(Ending.SHUTDOWN)
        assert core.next_event() is HANG_UP

    def test_shutdown_before_a_message_answers_it(self) -> None:
        """While RETR still waits for its file, the goodbye is its answer."""
        core = open_core([100])
        asked(core, b"RETR 1\r\n")
        core.shut_down()

        assert core.bytes_to_send() == responses.SHUTTING_DOWN.encode()

    def test_patience_is_ten_minutes(self) -> None:
        """RFC 1939 §3: an autologout timer has at least ten minutes; no phase has another bound."""
        core = ServerSession(Settings("mail.example.org"))

        assert (core.patience, core.term, core.phase) == (600.0, 0.0, 0)


class TestResponses:
    """What stands on the wire."""

    def test_status_lines_keep_the_grammar(self) -> None:
        """RFC 2449 §3: at most 512 octets, ``[`` only around a response code, and no APOP timestamp."""
        named = [value for value in vars(responses).values() if isinstance(value, responses.Response)]
        assert len(named) > 30
        for response in named:
            line = response.encode()
            assert len(line) <= 512
            assert not set("[]<>\r\n") & set(response.text)
            assert (b"[" in line) == bool(response.code)

    def test_greeting_has_the_session_id(self) -> None:
        """The id under which the log has the session is free text of the greeting."""
        assert responses.greeting("mail.example.org", "4f2").encode().endswith(b"session 4f2\r\n")


def feed(conversation: Conversation, data: bytes, whole: bool) -> None:
    """Send *data* in one segment or octet by octet."""
    step = len(data) if whole else 1
    for start in range(0, len(data), step):
        conversation.send(data[start : start + step])


def unstuffed(response: bytes) -> bytes:
    """Return the content of a multi-line response as a client reads it."""
    assert response.endswith(b"\r\n.\r\n") or response == b".\r\n"
    lines = response[:-3].split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
