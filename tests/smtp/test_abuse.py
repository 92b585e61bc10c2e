"""Peers that speak something else, and what the log is told of peers that go too far."""

import dataclasses

import pytest

from mailsuite.smtp import replies
from mailsuite.smtp.settings import Limits
from tests.smtp.respondent import FEW_MESSAGES, PLAIN, SMALL, SMALL_LMTP, XCLIENT
from tests.smtp.sessions import ENVELOPE, Talk
from tests.wire.test_foreign import FIRST_LINES

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)).replace(b"\r\n", b"") + b"\xee" * 300


@pytest.mark.parametrize("line", FIRST_LINES)
def test_other_protocols(line: bytes) -> None:
    """One reply, before and after EHLO; what stands behind the line is never obeyed."""
    for greet in (False, True):
        talk = Talk(greet=greet)
        talk.replies()
        talk.say(line + b"\r\nHost: x\r\n\r\n" + b"EHLO x\r\n" + ENVELOPE + b"QUIT\r\n")

        replies_given = talk.replies()
        assert replies_given in ([], ["500 5.5.1"])
        assert (replies_given == []) == line.startswith(b"\x16\x03")
        assert talk.conversation.closed
        assert talk.respondent.limits == ["other_protocol"]


@pytest.mark.parametrize("cut", [1, 2, 3, len(HELLO)])
def test_tls_where_there_is_none(cut: int) -> None:
    """A ClientHello has no end of line to be waited for: closed without a word as soon as it is known."""
    talk = Talk(greet=False)
    talk.replies()
    talk.say(HELLO[:cut])
    assert talk.conversation.closed == (cut > 1)
    talk.say(HELLO[cut:])

    assert talk.conversation.closed
    assert talk.replies() == []
    assert talk.respondent.limits == ["other_protocol"]


@pytest.mark.parametrize("rest", [b"\nHost: x\n", b"x" * 30_000])
def test_foreign_lines_that_are_none(rest: bytes) -> None:
    """A request with bare LF, or of any length, is still another protocol's."""
    talk = Talk()
    talk.say(b"POST / HTTP/1.1" + rest + b"\r\n" + b"NOOP\r\n")

    assert talk.replies() == ["500 5.5.1"]
    assert talk.conversation.closed


def test_commands_that_look_foreign() -> None:
    """A verb of ours is one, whatever stands behind it; and a body may say what it likes."""
    talk = Talk()
    assert talk.ask(b"VRFY GET / HTTP/1.1") == "252 2.5.0"
    assert talk.ask(b"NOOP x HTTP/1.1") == "250 2.0.0"
    assert talk.transaction(b"GET / HTTP/1.1\r\nHost: x\r\n\x16\x03\x01\r\n.\r\n") == "250 2.0.0"


def test_unknown_recipients_at_the_cap_and_one_past() -> None:
    """Other refusals of a recipient do not count, and what was said of the cap is said once."""
    talk = Talk(SMALL)
    talk.say(b"MAIL FROM:<a@a.example>\r\nRCPT TO:<later@b.example>\r\n" + b"RCPT TO:<nobody@b.example>\r\n" * 2)
    assert talk.replies() == ["250 2.1.0", "451 4.2.0", "550 5.1.1", "550 5.1.1"]
    talk.say(b"RCPT TO:<nobody@b.example>\r\n" * 2)

    assert talk.replies() == ["421 4.7.0"]
    assert talk.conversation.closed
    assert talk.respondent.limits == ["unknown_recipients"]


def test_messages_at_the_cap_and_one_past() -> None:
    """Two and no third."""
    talk = Talk(FEW_MESSAGES)
    for _ in range(2):
        assert talk.transaction(b"x\r\n.\r\n") == "250 2.0.0"
    talk.say(ENVELOPE)

    assert talk.replies() == ["421 4.7.0"]
    assert talk.respondent.limits == ["session_messages"]


def test_errors_at_the_cap_and_one_past() -> None:
    """Three are refused, the fourth as well, and then it is over."""
    talk = Talk(SMALL)
    talk.say(b"NONSENSE\r\n" * 3)
    assert talk.replies() == ["500 5.5.2"] * 3
    assert not talk.conversation.closed
    talk.say(b"NONSENSE\r\n" * 3)

    assert talk.replies() == ["500 5.5.2", "421 4.7.0"]
    assert talk.respondent.limits == ["errors"]


def test_a_server_that_hands_mail_over_is_no_stranger() -> None:
    """By LMTP no unknown recipient counts, no message and no refusal of one; a command that is wrong does."""
    limits = dataclasses.replace(SMALL_LMTP.limits, session_messages=2, unknown_recipients=1)
    talk = Talk(dataclasses.replace(SMALL_LMTP, limits=limits, without=frozenset()), greet=False)
    talk.say(b"LHLO front.example\r\n")
    assert b"250-LIMITS RCPTMAX=1000\r\n" in talk.conversation.said
    talk.replies()
    for _ in range(5):
        talk.say(b"MAIL FROM:<a@a.example>\r\nRCPT TO:<nobody@b.example>\r\nRCPT TO:<b@b.example>\r\n")
        assert talk.replies() == ["250 2.1.0", "550 5.1.1", "250 2.1.5"]
        talk.say(b"BDAT 101 LAST\r\n" + b"x" * 101)
        assert talk.replies() == ["552 5.3.4"]
    talk.say(b"NONSENSE\r\n" * 4)

    assert talk.replies() == [*["500 5.5.2"] * 4, "421 4.7.0"]
    assert talk.respondent.limits == ["errors"]


def test_a_proxy_s_next_client_begins_with_nothing_on_its_account() -> None:
    """What was counted was another's; but who names no address has no new one."""
    talk = Talk(dataclasses.replace(XCLIENT, limits=dataclasses.replace(SMALL.limits, session_messages=1)))
    spent = b"MAIL FROM:<a@a.example>\r\nRCPT TO:<nobody@b.example>\r\nRCPT TO:<nobody@b.example>\r\nRSET\r\n"
    talk.say(spent)
    assert talk.codes() == [250, 550, 550, 250]
    assert talk.ask(b"XCLIENT HELO=x").startswith("220")
    assert (talk.core.messages, talk.core.unknown, talk.core.errors) == (1, 2, 2)
    assert talk.ask(b"XCLIENT ADDR=192.0.2.1 HELO=x").startswith("220")
    assert (talk.core.messages, talk.core.unknown, talk.core.errors) == (0, 0, 0)
    talk.say(spent + b"MAIL FROM:<a@a.example>\r\n")

    assert talk.codes() == [250, 550, 550, 250, 421]


@pytest.mark.parametrize(
    ("said", "outlasted", "limit"),
    [
        (b"", False, "idle_timeout"),
        (ENVELOPE + b"DATA\r\nx", False, "idle_timeout"),
        (ENVELOPE + b"DATA\r\nx", True, "data_rate"),
        (ENVELOPE + b"BDAT 9\r\nx", True, "data_rate"),
        (ENVELOPE + b"DATA\r\n" + b"x" * 100_000, True, "data_timeout"),
    ],
)
def test_silence(said: bytes, outlasted: bool, limit: str) -> None:
    """The log is told which time it was that is over."""
    talk = Talk(dataclasses.replace(PLAIN, limits=Limits(data_rate=10)))
    talk.say(said)
    talk.core.expire(outlasted)
    talk.conversation.pump()

    assert talk.respondent.limits == [limit]
    assert replies.TOO_SLOW.octets in talk.conversation.said
