"""Every verb in every state, against the table that RFC 5321 §4.1.4 and the extensions' RFCs describe."""

import dataclasses

import pytest

from mailsuite.smtp import replies
from mailsuite.smtp.commands import EXTENSION_VERBS, VERBS
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.states import LEGAL, REFUSED, State
from tests.chat import Conversation
from tests.smtp.respondent import CLEAR_AUTH, PLAIN, Respondent
from tests.smtp.sessions import ENVELOPE, Talk

WAYS_THERE = {
    State.CONNECTED: b"",
    State.READY: b"EHLO client.example\r\n",
    State.MAIL: b"EHLO client.example\r\nMAIL FROM:<a@a.example>\r\n",
    State.RCPT: b"EHLO client.example\r\n" + ENVELOPE,
    State.CHUNKS: b"EHLO client.example\r\n" + ENVELOPE + b"BDAT 0\r\n",
}
# What each verb is answered where it is legal, and where that is.
EVERYWHERE = {State.CONNECTED, State.READY, State.MAIL, State.RCPT, State.CHUNKS}
EXPECTED: dict[bytes, tuple[set[State], str]] = {
    b"EHLO x": (EVERYWHERE, "250"),
    b"HELO x": (EVERYWHERE, "250"),
    b"MAIL FROM:<a@a.example>": ({State.READY}, "250 2.1.0"),
    b"RCPT TO:<c@b.example>": ({State.MAIL, State.RCPT}, "250 2.1.5"),
    b"DATA": ({State.RCPT}, "354"),
    b"RSET": (EVERYWHERE, "250 2.0.0"),
    b"NOOP": (EVERYWHERE, "250 2.0.0"),
    b"QUIT": (EVERYWHERE, "221 2.0.0"),
    b"HELP": (EVERYWHERE, "214 2.0.0"),
    b"VRFY a": (EVERYWHERE, "252 2.5.0"),
    b"EXPN a": (EVERYWHERE, "250 2.1.5"),
    b"STARTTLS": ({State.READY}, "220 2.0.0"),
    b"AUTH PLAIN AGEAc2VjcmV0": ({State.READY}, "235 2.7.0"),
    b"ETRN b.example": ({State.READY}, "253 2.0.0"),
    b"BDAT 0": ({State.RCPT, State.CHUNKS}, "250 2.0.0"),
    b"XCLIENT PORT=1": ({State.CONNECTED, State.READY}, "220"),
}
OPEN = dataclasses.replace(PLAIN, starttls=True, auth="always", xclient=True)


def there(state: State) -> Talk:
    """Return a conversation in *state*."""
    talk = Talk(OPEN, greet=False)
    talk.say(WAYS_THERE[state])
    talk.replies()
    assert talk.core.state is state
    return talk


def test_every_verb_is_here() -> None:
    """A new verb has to be added to this test."""
    assert {line.split(b" ")[0].decode() for line in EXPECTED} == {*VERBS, *EXTENSION_VERBS}


@pytest.mark.parametrize("line", EXPECTED, ids=lambda line: line.split(b" ")[0].decode())
@pytest.mark.parametrize("state", WAYS_THERE, ids=lambda state: state.name)
def test_every_verb_in_every_state(line: bytes, state: State) -> None:
    """Legal verbs are carried out; the others are 503 and leave the state as it was."""
    legal, reply = EXPECTED[line]
    talk = there(state)
    if state in legal:
        assert talk.ask(line).startswith(reply)
    else:
        assert talk.ask(line) == "503 5.5.1"
        # RFC 3030 §2: a failed BDAT leaves no transaction of which a part is lost.
        assert talk.core.state is (State.READY if line.startswith(b"BDAT") and state is State.MAIL else state)


@pytest.mark.parametrize("state", WAYS_THERE, ids=lambda state: state.name)
@pytest.mark.parametrize("verb", sorted(REFUSED))
def test_old_verbs_are_not_implemented_anywhere(verb: str, state: State) -> None:
    """RFC 5321 appendix F: 502 in every state, without a change."""
    talk = there(state)

    assert talk.ask(verb.encode()) == "502 5.5.1"
    assert talk.core.state is state


def test_verbs_are_taken_in_any_case() -> None:
    """RFC 5321 §2.4: verbs and their keywords know no case."""
    talk = Talk(greet=False)
    talk.say(b"eHlO x\r\nmAIL fROM:<a@a.example>\r\nrcpt to:<b@b.example>\r\ndata\r\n.\r\nquit\r\n")

    assert talk.codes() == [220, 250, 250, 250, 354, 250, 221]


def test_the_table_is_that_of_the_states() -> None:
    """Nothing but QUIT is legal after an unwelcoming greeting, and no base verb lacks a row.

    (BDAT says 503 by itself, when it has read what follows it.)
    """
    verbs = VERBS | {name: verb for name, (_, verb) in EXTENSION_VERBS.items()}

    assert set(LEGAL) == set(VERBS)
    assert {name for name, verb in verbs.items() if State.UNWELCOME in verb.states} == {"BDAT", "QUIT"}


@pytest.mark.parametrize("greeting", [Reply(554, "", "Not for you"), Reply(450, "", "Not now")])
def test_a_refused_peer_may_only_quit(greeting: Reply) -> None:
    """RFC 5321 §3.1: after another greeting than 220 every command but QUIT is 503."""

    class Unwelcoming(Respondent):
        def Connected(self, event: object) -> Reply:
            return greeting

    conversation = Conversation(ServerSession(PLAIN), Unwelcoming())
    conversation.send(b"EHLO x\r\nMAIL FROM:<a@a.example>\r\nRSET\r\nBDAT 6\r\nNOOP\r\nQUIT\r\n")

    assert [line[:3] for line in conversation.said.splitlines()] == [
        str(greeting.code).encode(),
        *[b"503"] * 4,
        b"221",
    ]
    assert conversation.closed


def test_a_refused_ehlo_changes_nothing() -> None:
    """RFC 5321 §4.1.4: after a refused EHLO the session, and the respondent, are where they were."""
    talk = there(State.MAIL)

    assert talk.ask(b"EHLO refused.example") == "550 Not"
    assert talk.ask(b"EHLO two words") == "501 Give"
    assert talk.ask(b"RCPT TO:<b@b.example>") == "250 2.1.5"


def test_an_accepted_ehlo_ends_the_transaction() -> None:
    """RFC 5321 §4.1.4: it is a RSET."""
    talk = there(State.RCPT)
    talk.say(b"EHLO again.example\r\nRCPT TO:<b@b.example>\r\nMAIL FROM:<c@a.example>\r\n")

    assert talk.codes() == [250, 503, 250]


def test_auth_is_not_for_twice_nor_within_a_transaction() -> None:
    """RFC 4954 §4: after a success, and between MAIL and its end, AUTH is 503."""
    talk = Talk(CLEAR_AUTH)
    login = b"AUTH PLAIN AGEAc2VjcmV0"

    assert talk.ask(login) == "235 2.7.0"
    assert talk.ask(login) == "503 5.5.1"
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "250 2.1.0"
    assert talk.ask(login) == "503 5.5.1"


def test_a_failed_login_leaves_no_trace() -> None:
    """After any refused AUTH the peer is nobody still."""
    talk = Talk(CLEAR_AUTH)
    for line in (b"AUTH PLAIN AGEAd3Jvbmc=", b"AUTH PLAIN !", b"AUTH NONE", b"AUTH"):
        assert int(talk.ask(line)[:3]) > 500
    assert talk.ask(b"AUTH PLAIN") == "334 "
    assert talk.ask(b"*") == "501 5.7.0"
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "530 5.7.0"


def test_trouble_is_451_and_the_session_goes_on() -> None:
    """An exception of the respondent is a temporary error, wherever it comes up."""
    talk = Talk()

    assert talk.ask(b"MAIL FROM:<crash@a.example>") == "451 4.3.0"
    assert talk.ask(b"RCPT TO:<b@b.example>") == "503 5.5.1"
    assert talk.ask(b"MAIL FROM:<trouble@a.example>") == "250 2.1.0"
    assert talk.ask(b"RCPT TO:<crash@b.example>") == "451 4.3.0"
    assert talk.ask(b"RCPT TO:<b@b.example>") == "250 2.1.5"
    assert talk.ask(b"DATA") == "354 Go"
    assert talk.ask(b".") == "451 4.3.0"
    assert talk.ask(b"DATA") == "503 5.5.1"
    assert replies.TROUBLE.code == 451
