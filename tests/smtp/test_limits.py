"""Every limit of an SMTP session, at its cap and one past (lesson 13; RFC 5321 §4.5.3)."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import pytest

from mailsuite.smtp import replies
from mailsuite.smtp.settings import Limits, Settings
from tests.smtp.respondent import CLEAR_AUTH, PLAIN
from tests.smtp.sessions import ENVELOPE, Talk

Way: TypeAlias = Callable[[Talk, bytes], None]
WAYS = pytest.mark.parametrize("way", [Talk.say, Talk.say_octets], ids=["whole", "octets"])
FLOOD = 30_000_000


def limited(**limits: int) -> Settings:
    """Return a listener with other *limits*."""
    return dataclasses.replace(PLAIN, limits=Limits(**limits))


def padded(line: bytes, octets: int) -> bytes:
    """Return *line* with spaces behind it (which are tolerated), *octets* long with its CRLF."""
    return line + b" " * (octets - len(line) - 2) + b"\r\n"


@WAYS
@pytest.mark.parametrize(
    ("line", "cap"),
    [
        (b"NOOP", 512),
        # RFC 3461 §5.4: NOTIFY and ORCPT.
        (b"RCPT TO:<b@b.example>", 512 + 29 + 507),
        # RFC 1870 §3, RFC 6152 §2, RFC 3030 §3, RFC 4954 §3, RFC 3461 §5.4 and RFC 6531 §3.1 each make MAIL longer.
        (b"MAIL FROM:<a@a.example>", 512 + 26 + 17 + 16 + 500 + 316 + 10 + 17 + 15 + 34 + 11),
        (b"AUTH PLAIN", 512 + 12_288),
        (b"FROB", 512 + 12_288),
    ],
)
def test_command_lines_at_the_cap_and_one_past(way: Way, line: bytes, cap: int) -> None:
    """A line of the cap is a command, a longer one gets one 500 and is never obeyed."""
    too_long = "500 5.5.6" if line.startswith(b"AUTH") else "500 5.5.2"
    talk = Talk(CLEAR_AUTH if line.startswith(b"AUTH") else PLAIN)
    if line.startswith(b"RCPT"):
        talk.ask(b"MAIL FROM:<a@a.example>")
    way(talk, padded(line, cap + 1))
    assert talk.replies() == [too_long]
    way(talk, padded(line, cap))

    (reply,) = talk.replies()
    assert reply != "500 5.5.2" or line == b"FROB"


@WAYS
def test_lesson_5_a_long_line_is_never_cut_and_obeyed(way: Way) -> None:
    """However its parts look, a line over every limit is one error; the next line is a command again."""
    talk = Talk()
    way(talk, b"NOOP " + b"x" * 20_000 + b"RSET\nRSET\rRSET\r\nNOOP\r\n")

    assert talk.replies() == ["500 5.5.2", "250 2.0.0"]


@WAYS
def test_auth_lines_of_12288_octets(way: Way) -> None:
    """RFC 4954 §4: the answer to a challenge may have 12,288 octets with its CRLF; one more is 500 5.5.6."""
    talk = Talk(CLEAR_AUTH)
    # base64 comes in fours: the longest that fits has 12,284 octets.
    fits = b"A" * 12_284
    assert talk.ask(b"AUTH PLAIN") == "334 "
    way(talk, fits + b"\r\n")
    assert talk.replies() == ["501 5.5.2"]
    assert talk.ask(b"AUTH PLAIN") == "334 "
    way(talk, b"A" * 12_286 + b"\r\n")
    assert talk.replies() == ["501 5.5.2"]
    assert talk.ask(b"AUTH PLAIN") == "334 "
    way(talk, b"A" * 12_287 + b"\r\n")
    assert talk.replies() == ["500 5.5.6"]
    # The exchange is over.
    assert talk.ask(b"NOOP") == "250 2.0.0"


def test_auth_initial_response_of_12288_octets() -> None:
    """An initial response may be as long as an answer to a challenge."""
    talk = Talk(CLEAR_AUTH)

    assert talk.ask(b"AUTH PLAIN " + b"A" * 12_288) == "501 5.5.2"


@WAYS
def test_auth_initial_response_that_is_too_long(way: Way) -> None:
    """RFC 4954 §4: 500 5.5.6, once, however long it is; where AUTH is not to be had, it is a line like others."""
    talk = Talk(CLEAR_AUTH)
    way(talk, b"auth PLAIN " + b"A" * 30_000 + b"\r\nNOOP\r\n")
    assert talk.replies() == ["500 5.5.6", "250 2.0.0"]

    talk = Talk()
    way(talk, b"AUTH PLAIN " + b"A" * 30_000 + b"\r\nNOOP\r\n")
    assert talk.replies() == ["500 5.5.2", "250 2.0.0"]


@pytest.mark.parametrize("cap", [100, 1000])
def test_recipients_at_the_cap_and_one_past(cap: int) -> None:
    """RFC 5321 §4.5.3.1.8, §4.5.3.1.10: the cap is taken, the next is 452, and the message goes to those taken."""
    talk = Talk(limited(recipients=cap))
    talk.ask(b"MAIL FROM:<a@a.example>")
    talk.say(b"".join(b"RCPT TO:<b%d@b.example>\r\n" % number for number in range(cap)))
    assert talk.codes() == [250] * cap
    assert talk.ask(b"RCPT TO:<over@b.example>") == "452 4.5.3"
    assert talk.ask(b"DATA") == "354 Go"
    assert talk.ask(b".") == "250 2.0.0"

    assert len(talk.respondent.messages[0][1]) == cap


def test_refused_recipients_do_not_count() -> None:
    """The limit is for recipients that were taken, and begins anew with the transaction."""
    talk = Talk(limited(recipients=2))
    for _ in range(2):
        talk.say(
            b"MAIL FROM:<a@a.example>\r\n" + b"RCPT TO:<nobody@b.example>\r\n" * 3 + b"RCPT TO:<b@b.example>\r\n" * 3
        )
        assert talk.codes() == [250, 550, 550, 550, 250, 250, 452]
        talk.ask(b"RSET")


def test_the_default_takes_a_hundred_recipients_at_least() -> None:
    """RFC 5321 §4.5.3.1.8."""
    assert Limits().recipients >= 100


@WAYS
def test_message_size_at_the_cap_and_one_past(way: Way) -> None:
    """RFC 1870 §6: octets count as they are kept, without transparency dots and end mark."""
    for octets, reply in ((100, "250 2.0.0"), (101, "552 5.3.4")):
        talk = Talk(limited(message_size=100))
        talk.say(ENVELOPE + b"DATA\r\n")
        talk.replies()
        way(talk, b".." + b"x" * (octets - 3) + b"\r\n.\r\n")
        assert talk.replies() == [reply]
        assert [len(body) for _, _, body in talk.respondent.messages] == ([octets] if octets == 100 else [])


def test_a_message_that_is_too_large_is_refused_once_and_not_kept() -> None:
    """The respondent is told at the limit, hears nothing after that, and the session goes on."""
    talk = Talk(limited(message_size=1000))
    talk.say(ENVELOPE + b"DATA\r\n", *[b"x" * 98 + b"\r\n"] * 100)
    heard = len(talk.conversation.events)
    talk.say(*[b"x" * 98 + b"\r\n"] * 100)

    assert talk.respondent.refused == [replies.TOO_LARGE]
    assert len(talk.conversation.events) == heard
    assert talk.core.unread == 0
    talk.say(b".\r\nNOOP\r\n")
    assert talk.codes() == [250, 250, 354, 552, 250]


@pytest.mark.parametrize(("size", "reply"), [("100", "250 2.1.0"), ("101", "552 5.3.4"), ("0", "250 2.1.0")])
def test_declared_size_at_the_cap_and_one_past(size: str, reply: str) -> None:
    """RFC 1870 §6.1: a message that will not fit is refused before it is sent."""
    assert Talk(limited(message_size=100)).ask(b"MAIL FROM:<a@a.example> SIZE=" + size.encode()) == reply


@WAYS
def test_text_line_at_the_cap_and_one_past(way: Way) -> None:
    """RFC 5321 §4.5.3.1.6: at least a thousand octets with the CRLF; here it is the setting."""
    for octets, code in ((1000, 250), (1001, 554)):
        talk = Talk(limited(text_line=1000))
        way(talk, ENVELOPE + b"DATA\r\n" + b"x" * (octets - 2) + b"\r\n.\r\n")
        assert talk.codes() == [250, 250, 354, code]


@pytest.mark.parametrize("path", ["MAIL FROM", "RCPT TO"])
def test_paths_over_the_limit(path: str) -> None:
    """RFC 5321 §4.5.3.1.10: an address that is too long is a 501 of its own kind of path."""
    talk = Talk()
    if path == "RCPT TO":
        talk.ask(b"MAIL FROM:<a@a.example>")

    reply = talk.ask(f"{path}:<{'a' * 65}@b.example>".encode())

    assert reply == ("501 5.1.3" if path == "RCPT TO" else "501 5.1.7")


def test_errors_at_the_cap_and_one_past() -> None:
    """A peer may make so many errors; with the next it is told so and the session ends."""
    talk = Talk(limited(errors=3))
    talk.say(b"FROB\r\n" * 3)
    assert talk.codes() == [500] * 3
    assert not talk.conversation.closed
    talk.say(b"FROB\r\nNOOP\r\n")

    assert talk.codes() == [500, 421]
    assert talk.conversation.closed


def test_refusals_of_a_respondent_are_errors_too() -> None:
    """Addresses cannot be tried without end."""
    talk = Talk(limited(errors=3))
    talk.say(b"MAIL FROM:<a@a.example>\r\n" + b"RCPT TO:<nobody@b.example>\r\n" * 9)

    assert talk.codes() == [250, 550, 550, 550, 550, 421]


def test_temporary_errors_are_none_of_the_peer() -> None:
    """What is our own trouble is not counted."""
    talk = Talk(limited(errors=3))
    talk.say(b"MAIL FROM:<a@a.example>\r\n" + b"RCPT TO:<later@b.example>\r\n" * 9)

    assert talk.codes() == [250] + [451] * 9


def test_a_flood_without_line_ends_is_bounded() -> None:
    """Thirty megabytes without a line end cost no memory: not as a command, and not as a refused body."""
    talk = Talk()
    for _ in range(FLOOD // 100_000):
        talk.say(b"x" * 100_000)
        assert talk.core.unread <= 1
    talk.say(b"\r\n")
    assert talk.replies() == ["500 5.5.2"]


def test_timeouts_are_the_settings() -> None:
    """The driver is told the idle time-out always, and the total one only for a message (RFC 5321 §4.5.3.2)."""
    talk = Talk(limited(idle_timeout=7, data_timeout=77))
    assert (talk.core.patience, talk.core.term) == (7, 0)
    phase = talk.core.phase
    talk.say(ENVELOPE + b"DATA\r\n")
    assert (talk.core.patience, talk.core.term) == (7, 77)
    assert talk.core.phase != phase
    talk.say(b".\r\n")

    assert talk.core.term == 0


@pytest.mark.parametrize(
    "begin",
    [
        lambda octets: [ENVELOPE + b"DATA\r\n", *octets],
        lambda octets: [ENVELOPE + b"BDAT %d\r\n" % (len(octets) + 9), *octets],
        lambda octets: [ENVELOPE, *(b"BDAT %d\r\n%b" % (len(each), each) for each in octets)],
        # What is refused has to come just as fast, to be skipped.
        lambda octets: [b"BDAT %d\r\n" % (len(octets) + 9), *octets],
        lambda octets: [ENVELOPE + b"DATA\r\na\nb", *octets[3:]],
    ],
    ids=["DATA", "BDAT", "chunks", "skipped", "refused"],
)
def test_a_message_must_come_at_some_rate(begin: Callable[[list[bytes]], list[bytes]]) -> None:
    """Past the time that silence has, each second has to be paid for; the total is never more than the total."""
    talk = Talk(limited(idle_timeout=7, data_timeout=77, data_rate=10))
    talk.say(*begin([b"x"] * 20))
    assert talk.core.term == 7 + 20 / 10
    phase = talk.core.phase
    talk.say(b"x")
    assert (talk.core.term, talk.core.phase) in ((7 + 21 / 10, phase), (7 + 20 / 10, phase))
    talk = Talk(limited(idle_timeout=7, data_timeout=77, data_rate=10))
    talk.say(ENVELOPE + b"DATA\r\n" + b"x" * 699)
    assert talk.core.term == 7 + 699 / 10
    talk.say(b"xx")
    assert talk.core.term == 77


@pytest.mark.parametrize("inside", [b"", b"MAIL FROM:<a@a.example>\r\n", ENVELOPE + b"DATA\r\nhalf a mess"])
def test_expiry_and_shutdown_say_421_anywhere(inside: bytes) -> None:
    """RFC 5321 §3.8: 421, inside a message too, and what comes afterwards is not read."""
    for end, status in (("expire", "421 4.4.2"), ("shut_down", "421 4.3.2")):
        talk = Talk()
        talk.say(inside)
        talk.replies()
        getattr(talk.core, end)()
        talk.say(b"\r\n.\r\nNOOP\r\n")

        assert talk.replies() == [status]
        assert talk.conversation.closed
        assert talk.respondent.messages == []
