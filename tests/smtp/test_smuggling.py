"""Smuggling: whatever stands around a dot, two servers never disagree on where a message ends (lessons 1 to 5)."""

from collections.abc import Callable
from itertools import product
from typing import TypeAlias

import pytest

from mailsuite.smtp.settings import Settings
from mailsuite.wire.dots import DotReader, DotWriter
from tests.smtp.respondent import LMTP_ALL, NORMALIZE, PLAIN, STARTTLS
from tests.smtp.sessions import ENVELOPE, Talk

AROUND = {
    "CR": b"\r",
    "LF": b"\n",
    "CRLF": b"\r\n",
    "CRCRLF": b"\r\r\n",
    "LFCR": b"\n\r",
    "CRCR": b"\r\r",
    "LFLF": b"\n\n",
    "NUL": b"\0",
    "CRNULLF": b"\r\0\n",
    "CRLFNUL": b"\r\n\0",
    "VT": b"\x0b",
    "FF": b"\x0c",
    "NEL": b"\xc2\x85",
    "LS": b"\xe2\x80\xa8",
    "SPCRLF": b" \r\n",
    "CRSPLF": b"\r \n",
    "nothing": b"",
}
END = b"\r\n.\r\n"
FALSE_ENDS = {
    f"{before}.{after}": AROUND[before] + b"." + AROUND[after]
    for before, after in product(AROUND, AROUND)
    if END not in AROUND[before] + b"." + AROUND[after]
}
# These hold the five octets of the real mark (RFC 5321 §4.1.1.4): the message ends there, and is refused.
REAL_ENDS = {
    f"{before}.{after}": AROUND[before] + b"." + AROUND[after]
    for before, after in product(AROUND, AROUND)
    if END in AROUND[before] + b"." + AROUND[after] and (before, after) != ("CRLF", "CRLF")
}
FIRST_ENDS = {name: octets for name, octets in FALSE_ENDS.items() if END not in b"\r\n" + octets}
SMUGGLED = b"MAIL FROM:<smuggled@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nsecond\r\n.\r\n"
Way: TypeAlias = Callable[[Talk, bytes], None]
EACH: list[tuple[Settings, Way]] = list(product([PLAIN, NORMALIZE], [Talk.say, Talk.say_octets]))
EACH.append((LMTP_ALL, Talk.say))
WAYS = pytest.mark.parametrize("way", [Talk.say, Talk.say_octets], ids=["whole", "octets"])


def test_there_are_enough_false_ends() -> None:
    """The matrix is one: some thirty forms are known, these are more."""
    assert len(FALSE_ENDS) > 250


@pytest.mark.parametrize("false_end", FALSE_ENDS.values(), ids=FALSE_ENDS.keys())
def test_lessons_1_and_2_a_false_end_never_makes_two_messages(false_end: bytes) -> None:
    """One message with the false end inside it, or a refusal: what follows is never obeyed."""
    bare = false_end.replace(b"\r\n", b"")
    for settings, way in EACH:
        talk = Talk(settings)
        way(talk, ENVELOPE + b"DATA\r\nfirst" + false_end + SMUGGLED + b"QUIT\r\n")
        refused = settings is not NORMALIZE and (b"\r" in bare or b"\n" in bare)

        assert talk.codes() == [250, 250, 354, 554 if refused else 250, 221]
        assert len(talk.respondent.messages) == (0 if refused else 1)
        for sender, _, body in talk.respondent.messages:
            assert sender == "a@a.example"
            assert body.endswith(b"DATA\r\nsecond\r\n")
            assert sent_again(body) == (body, b"")


@pytest.mark.parametrize("false_end", FIRST_ENDS.values(), ids=FIRST_ENDS.keys())
def test_a_false_end_right_after_data_is_none(false_end: bytes) -> None:
    """The CRLF of DATA itself may begin the real mark, and none but the real one."""
    for settings, way in EACH:
        talk = Talk(settings)
        way(talk, ENVELOPE + b"DATA\r\n" + false_end + SMUGGLED + b"QUIT\r\n")

        assert len(talk.codes()) == 5
        assert [sender for sender, _, _ in talk.respondent.messages] in ([], ["a@a.example"])


@WAYS
@pytest.mark.parametrize("end", REAL_ENDS.values(), ids=REAL_ENDS.keys())
def test_the_real_mark_with_a_bare_newline_before_it_refuses_the_message(way: Way, end: bytes) -> None:
    """CR CR LF . CR LF ends the message, as each server must agree, and the message is refused for its bare CR."""
    talk = Talk(PLAIN)
    way(talk, ENVELOPE + b"DATA\r\nfirst" + end)
    head = (b"first" + end).partition(END)[0].replace(b"\r\n", b"")

    assert talk.codes() == [250, 250, 354, 554 if b"\r" in head or b"\n" in head else 250]


def sent_again(body: bytes) -> tuple[bytes, bytes | None]:
    """Return what a strict receiver gets of *body* (lesson 2), and what is left over."""
    stripped = body.replace(b"\r\n", b"")
    assert b"\r" not in stripped and b"\n" not in stripped
    writer = DotWriter()
    return DotReader(8192).read(writer.write(body) + writer.end())


@WAYS
def test_lesson_3_starttls_injection(way: Way) -> None:
    """What came behind STARTTLS in the clear is never obeyed; greeting and transaction are forgotten."""
    talk = Talk(STARTTLS)
    way(talk, b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<injected@a.example>\r\nRCPT TO:<b@b.exa")
    assert talk.codes() == [220]
    talk.conversation.start_tls()
    way(talk, b"MAIL FROM:<a@a.example>\r\n")
    assert talk.codes() == [503]
    way(talk, b"EHLO client.example\r\n" + ENVELOPE)

    assert talk.codes() == [250, 250, 250]
    names = [event.name for event in talk.conversation.events if hasattr(event, "name")]
    assert names == ["client.example", "client.example"]


def test_lesson_3_a_half_line_before_tls_is_forgotten() -> None:
    """Octets that arrive while TLS is being set up do not become the beginning of the first encrypted line."""
    talk = Talk(STARTTLS)
    talk.say(b"STARTTLS\r\n")
    talk.say(b"MAIL FROM:<inj")
    talk.conversation.start_tls()
    talk.replies()

    assert talk.core.unread == 0
    assert talk.ask(b"EHLO client.example").startswith("250")


@WAYS
def test_lesson_4_nul_in_a_command(way: Way) -> None:
    """A NUL makes a command none, and changes nothing."""
    talk = Talk()
    way(talk, b"MAIL FROM:<a\0@a.example>\r\nRSET\0\r\nMAIL FROM:<a@a.example>\r\n\0RSET\r\nRCPT TO:<b@b.example>\r\n")

    assert talk.replies() == ["500 5.5.2", "500 5.5.2", "250 2.1.0", "500 5.5.2", "250 2.1.5"]


def test_lesson_4_nul_in_a_message_is_kept() -> None:
    """A NUL in a body is an octet like others: kept, and ending nothing."""
    talk = Talk()

    assert talk.transaction(b"a\0b\r\n\0.\r\n.\r\n") == "250 2.0.0"
    assert talk.respondent.messages[0][2] == b"a\0b\r\n\0.\r\n"


@WAYS
def test_lesson_5_a_long_body_line_stays_in_the_body(way: Way) -> None:
    """A body line over the limit refuses the message at its end, and not one octet of it is taken for a command."""
    talk = Talk()
    line = b"x" * 10_000 + b"MAIL FROM:<smuggled@a.example>"
    way(talk, ENVELOPE + b"DATA\r\n" + line + b"\r\nRSET\r\n.\r\nNOOP\r\n")

    assert talk.replies()[2:] == ["354 Go", "554 5.6.0", "250 2.0.0"]
    assert talk.respondent.messages == []
