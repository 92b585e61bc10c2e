"""What DSN's parameters mean (RFC 3461 §4), their limits, and that none of them can hold a line (lessons 9 and 10)."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.smtp.extensions.dsn import ENVID_LETTERS, ORCPT_LETTERS, envid, notify, orcpt
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.server import ServerSession
from tests.smtp.respondent import PLAIN
from tests.smtp.sessions import Talk

SESSION = ServerSession(PLAIN)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=50)
OCTETS = st.binary(min_size=1, max_size=40)


def xtext(octets: bytes) -> str:
    """Encode *octets*, every one of them."""
    return "".join(f"+{octet:02X}" for octet in octets)


def meant(mail: bytes, rcpt: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Send MAIL and RCPT with these parameters, which must be taken; return what the respondent was told."""
    talk = Talk()
    assert talk.ask(b"MAIL FROM:<a@a.example> " + mail) == "250 2.1.0"
    assert talk.ask(b"RCPT TO:<b@b.example> " + rcpt) == "250 2.1.5"
    of_mail, of_rcpt = talk.respondent.parameters
    return of_mail, of_rcpt


def test_the_example_of_the_rfc() -> None:
    """RFC 3461 §10.1: what a sender asks for comes decoded to the respondent."""
    of_mail, of_rcpt = meant(b"RET=HDRS ENVID=QQ314159", b"NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.COM")

    assert of_mail == {"RET": "HDRS", "ENVID": "QQ314159"}
    assert of_rcpt == {"NOTIFY": "SUCCESS", "ORCPT": "rfc822;Bob@Example.COM"}


def test_xtext_is_decoded_and_case_is_kept() -> None:
    """RFC 3461 §4, §5.2.1 (d): plus, equals and space come as hexchars; nothing changes case."""
    of_mail, of_rcpt = meant(b"eNvId=Qq+2B+3D+20;", b"orCPT=X400;/S+3DBob+2B")

    assert of_mail == {"ENVID": "Qq+= ;"}
    assert of_rcpt == {"ORCPT": "X400;/S=Bob+"}


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("NEVER", "NEVER"),
        ("never", "NEVER"),
        ("FAILURE", "FAILURE"),
        ("delay,Success", "SUCCESS,DELAY"),
        ("DELAY,FAILURE,SUCCESS", "SUCCESS,FAILURE,DELAY"),
        # RFC 822 §2.7, the ABNF of RFC 3461 §4.1: empty elements do not count.
        ("FAILURE,,DELAY,", "FAILURE,DELAY"),
        ("FAILURE,FAILURE", "FAILURE"),
    ],
)
def test_notify_in_one_form(value: str, meaning: str) -> None:
    """However it is written, what is wanted comes in one order and one case."""
    assert notify(SESSION, value) == meaning


@pytest.mark.parametrize("value", [None, "", ",", "NEVER,NEVER", "NEVER,", "SUCCESS,NEVER", "SUCCESS;DELAY", "FAILED"])
def test_notify_that_is_none(value: str | None) -> None:
    """RFC 3461 §4.1: NEVER stands alone, and nothing else is known."""
    assert isinstance(notify(SESSION, value), Reply)


def test_envid_at_the_cap_and_one_past() -> None:
    """RFC 3461 §4.4: a hundred characters, encoded or not; one more is 501."""
    plain, encoded = b"x" * ENVID_LETTERS, b"+20" * ENVID_LETTERS

    assert meant(b"ENVID=" + plain, b"")[0] == {"ENVID": "x" * 100}
    assert meant(b"ENVID=" + encoded, b"")[0] == {"ENVID": " " * 100}
    assert Talk().ask(b"MAIL FROM:<a@a.example> ENVID=x" + plain) == "501 5.5.4"
    assert Talk().ask(b"MAIL FROM:<a@a.example> ENVID=x" + encoded) == "501 5.5.4"


def test_orcpt_at_the_cap_and_one_past() -> None:
    """RFC 3461 §4.2: five hundred characters as they are sent, with the type; one more is 501."""
    value = b"rfc822;" + b"x" * (ORCPT_LETTERS - 7)
    talk = Talk()

    assert meant(b"", b"ORCPT=" + value)[1] == {"ORCPT": value.decode()}
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "250 2.1.0"
    assert talk.ask(b"RCPT TO:<b@b.example> ORCPT=" + value + b"x") == "501 5.5.4"


def test_the_longest_lines_of_the_rfc_fit() -> None:
    """RFC 3461 §5.4: all parameters at their longest, behind a path at its longest."""
    path = b"<" + b"x" * 64 + b"@" + b".".join([b"y" * 63] * 2 + [b"z" * 60]) + b">"
    talk = Talk()
    mail = b"MAIL FROM:" + path + b" BODY=8BITMIME SIZE=1 RET=FULL ENVID=" + b"+20" * 100
    rcpt = b"RCPT TO:" + path + b" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;" + b"x" * 493

    assert talk.ask(mail) == "250 2.1.0"
    assert talk.ask(rcpt) == "250 2.1.5"


@given(PRINTABLE)
def test_lesson_10_printable_values_come_through(text: str) -> None:
    """RFC 3461 §4.2, §4.4: whatever is printable ASCII is taken, and is what it was."""
    assert envid(SESSION, xtext(text.encode())) == text
    assert orcpt(SESSION, "rfc822;" + xtext(text.encode())) == f"rfc822;{text}"


@given(OCTETS)
def test_lesson_9_nothing_else_does(octets: bytes) -> None:
    """No value that is taken holds a control character, a line end, or an octet above 126."""
    for meaning in (envid(SESSION, xtext(octets)), orcpt(SESSION, "rfc822;" + xtext(octets))):
        printable = all(0x20 <= octet <= 0x7E for octet in octets)
        assert isinstance(meaning, str) is printable


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60))
def test_any_value_is_taken_or_refused(value: str) -> None:
    """Whatever can stand behind the equals sign, the answer is 250 or 501, and never trouble."""
    talk = Talk()
    talk.ask(b"MAIL FROM:<a@a.example>")
    for keyword in (b"NOTIFY", b"ORCPT"):
        assert talk.ask(b"RCPT TO:<b@b.example> %s=%s" % (keyword, value.encode())) in ("250 2.1.5", "501 5.5.4")
