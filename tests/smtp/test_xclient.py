"""What XCLIENT asks of the respondent, and the limits of its values."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.smtp.events import Proxied
from mailsuite.smtp.extensions.xclient import VALUE_OCTETS
from mailsuite.smtp.server import ServerSession
from tests.smtp.respondent import CLEAR_AUTH, PLAIN, XCLIENT
from tests.smtp.sessions import Talk


@pytest.mark.parametrize(
    ("argument", "event"),
    [
        ("ADDR=192.0.2.1 PORT=25", Proxied("192.0.2.1", 25, None, None, None)),
        ("addr=ipv6:2001:DB8::1", Proxied("2001:db8::1", None, None, None, None)),
        ("ADDR=IPV6:::ffff:192.0.2.1", Proxied("192.0.2.1", None, None, None, None)),
        ("ADDR=[UNAVAILABLE] PORT=[unavailable]", Proxied("", 0, None, None, None)),
        ("HELO=client.example PROTO=ESMTP", Proxied(None, None, "client.example", "ESMTP", None)),
        ("HELO=[192.0.2.1] PROTO=smtp", Proxied(None, None, "[192.0.2.1]", "SMTP", None)),
        ("LOGIN=al+2Bice@b.example", Proxied(None, None, None, None, "al+ice@b.example")),
        ("LOGIN=[UNAVAILABLE] HELO=[Unavailable]", Proxied(None, None, "", None, "")),
        ("NAME=client.example  DESTADDR=192.0.2.25 DESTPORT=25", Proxied(None, None, None, None, None)),
        ("NAME=[TEMPUNAVAIL]", Proxied(None, None, None, None, None)),
    ],
)
def test_what_is_asked(argument: str, event: Proxied) -> None:
    """What was said, what was said to be unknown, and what was not said."""
    talk = Talk(XCLIENT)

    assert talk.ask(b"XCLIENT " + argument.encode()).startswith("220")
    assert talk.respondent.proxied == [event]


def test_who_is_not_listed() -> None:
    """Where others may, it is not offered, and refused; where nobody may, it is not there."""
    talk = Talk(XCLIENT)
    talk.core.proxies = False

    assert talk.ask(b"XCLIENT ADDR=192.0.2.1") == "550 5.7.0"
    assert Talk(PLAIN).ask(b"XCLIENT ADDR=192.0.2.1") == "502 5.5.1"
    assert not ServerSession(XCLIENT).proxies


def test_the_right_ends_with_an_address() -> None:
    """With one that is unknown, too; but not with what is said of the client beside it."""
    talk = Talk(XCLIENT)

    assert talk.ask(b"XCLIENT HELO=x PORT=1").startswith("220")
    assert talk.core.proxies
    assert talk.ask(b"XCLIENT ADDR=[UNAVAILABLE]").startswith("220")
    assert not talk.core.proxies


def test_what_a_proxy_has_proved_is_not_its_clients() -> None:
    """A login holds for one client; without one the next is asked for its own."""
    talk = Talk(dataclasses.replace(CLEAR_AUTH, xclient=True))
    assert talk.ask(b"AUTH PLAIN AGEAc2VjcmV0") == "235 2.7.0"
    assert talk.ask(b"XCLIENT HELO=x").startswith("220")
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "530 5.7.0"

    assert talk.ask(b"XCLIENT HELO=x LOGIN=a@b.example").startswith("220")
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "250 2.1.0"
    assert talk.ask(b"RSET") == "250 2.0.0"
    assert talk.ask(b"AUTH PLAIN AGEAc2VjcmV0") == "503 5.5.1"


def test_values_at_the_cap_and_one_past() -> None:
    """255 octets each, as xtext three times as long on the wire."""
    talk = Talk(XCLIENT)

    assert talk.ask(b"XCLIENT LOGIN=" + b"+41" * VALUE_OCTETS).startswith("220")
    assert talk.ask(b"XCLIENT LOGIN=" + b"A" * (VALUE_OCTETS + 1)) == "501 5.5.4"
    assert talk.ask(b"XCLIENT HELO=" + b"a" * VALUE_OCTETS).startswith("220")
    assert talk.ask(b"XCLIENT HELO=x " + b"y" * 1500) == "500 5.5.2"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), max_size=60))
def test_any_argument_is_answered(argument: str) -> None:
    """Whatever stands there, what is asked is in bounds, and a refusal is one of the document's."""
    talk = Talk(XCLIENT)
    talk.say(b"XCLIENT " + argument.encode() + b"\r\n")

    assert talk.codes()[0] in (220, 500, 501, 550)
    for event in talk.respondent.proxied:
        assert not event.helo or event.helo.isprintable()
        assert event.port is None or 0 <= event.port < 65_536
