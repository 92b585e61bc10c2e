"""What ETRN asks of the respondent (RFC 1985), and the limits of its argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.smtp import replies
from mailsuite.smtp.events import Etrn
from tests.smtp.respondent import CLEAR_AUTH
from tests.smtp.sessions import Talk


@pytest.mark.parametrize(
    ("argument", "event"),
    [
        (b"b.example", Etrn("b.example", False)),
        (b"  B.Example  ", Etrn("B.Example", False)),
        (b"@b.example", Etrn("b.example", True)),
        (b"xn--bcher-kva.example", Etrn("xn--bcher-kva.example", False)),
    ],
)
def test_what_is_asked(argument: bytes, event: Etrn) -> None:
    """RFC 1985 §5.3: ``@`` asks for the subdomains, too."""
    talk = Talk()

    assert talk.ask(b"ETRN " + argument) == "253 2.0.0"
    assert talk.respondent.flushed == [event]


def test_the_count_decides_the_code() -> None:
    """RFC 1985 §5.1: 251 where nothing waits, else 253 with the number."""
    assert replies.etrn_started(0).code == 251
    assert replies.etrn_started(1).octets == b"253 2.0.0 OK, 1 pending messages for this node started\r\n"


@pytest.mark.parametrize(("labels", "last"), [([63, 63, 63, 1], 61), ([1], 63)])
def test_names_at_the_cap_and_one_past(labels: list[int], last: int) -> None:
    """A label has 63 octets at most, a name 255 (RFC 1035 §2.3.4, RFC 5321 §4.5.3.1.2)."""
    talk = Talk()
    start = b"".join(b"x" * octets + b"." for octets in labels)

    assert talk.ask(b"ETRN " + start + b"y" * last) == "253 2.0.0"
    assert talk.ask(b"ETRN @" + start + b"y" * last) == "253 2.0.0"
    assert talk.ask(b"ETRN " + start + b"y" * (last + 1)) == "501 5.5.4"


def test_where_a_login_is_needed_it_comes_first() -> None:
    """RFC 4954 §6: on a listener for submission nobody asks before a password."""
    talk = Talk(CLEAR_AUTH)
    assert talk.ask(b"ETRN b.example") == "530 5.7.0"
    assert talk.ask(b"AUTH PLAIN AGEAc2VjcmV0") == "235 2.7.0"

    assert talk.ask(b"ETRN b.example") == "253 2.0.0"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), max_size=40))
def test_any_argument_is_answered(argument: str) -> None:
    """Whatever stands behind ETRN, what is asked is a plain host name, and a refusal is of the RFC's codes."""
    talk = Talk()
    talk.say(b"ETRN " + argument.encode() + b"\r\n")
    (reply,) = talk.replies()

    assert reply[:3] in ("253", "251", "458", "500", "501")
    assert all(event.domain.isascii() and not set(event.domain) & set(" <>@#") for event in talk.respondent.flushed)
