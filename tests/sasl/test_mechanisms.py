"""PLAIN and LOGIN, and the lines that carry them (RFC 4422, 4616, 4954; lesson 15)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.sasl.claims import Challenge, PasswordClaim, Refusal
from mailsuite.sasl.exchange import Exchange, challenge_line
from mailsuite.sasl.mechanism import Context
from mailsuite.sasl.mechanisms.login import Login
from mailsuite.sasl.mechanisms.plain import Plain

CONTEXT = Context("smtp", "mail.example.org")
# The worked examples of the RFCs: base64, and what is claimed.
PLAIN_VECTORS = {
    "RFC 4616 §4, first": (b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm", PasswordClaim("tim", "tanstaaftanstaaf", "")),
    "RFC 4616 §4, second": (b"VXJzZWwAS3VydAB4aXBqM3BsbXE=", PasswordClaim("Kurt", "xipj3plmq", "Ursel")),
    "RFC 4954 §4": (b"dGVzdAB0ZXN0ADEyMzQ=", PasswordClaim("test", "1234", "test")),
}


@pytest.mark.parametrize(("line", "claim"), PLAIN_VECTORS.values(), ids=PLAIN_VECTORS.keys())
def test_plain_examples(line: bytes, claim: PasswordClaim) -> None:
    """As initial response and as answer to the empty challenge the claim is the same."""
    assert Exchange(Plain(CONTEXT)).begin(line) == claim
    asked = Exchange(Plain(CONTEXT))
    assert asked.begin(None) == Challenge(b"")
    assert asked.line(line) == claim


@pytest.mark.parametrize(
    "message",
    [b"", b"tim", b"\0tim", b"\0\0secret", b"\0tim\0", b"\0tim\0sec\0ret", b"\0t\xff\0secret", b"a\0b\0c\0d", b"\0\0"],
)
def test_plain_malformed(message: bytes) -> None:
    """RFC 4616 §2: three parts in UTF-8, a name and a password of one character at least."""
    assert Exchange(Plain(CONTEXT)).begin(base64.b64encode(message) or b"=") is Refusal.MALFORMED


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(TEXT, TEXT, st.one_of(st.just(""), TEXT))
def test_plain_takes_any_text(name: str, password: str, authorize: str) -> None:
    """Colons, quotes, spaces and any script are characters like others."""
    message = f"{authorize}\0{name}\0{password}".encode()

    assert Exchange(Plain(CONTEXT)).begin(base64.b64encode(message)) == PasswordClaim(name, password, authorize)


@given(TEXT, TEXT, st.booleans())
def test_login(name: str, password: str, initial: bool) -> None:
    """Name and password are asked for in turn; an initial response is the name."""
    exchange = Exchange(Login(CONTEXT))
    said = base64.b64encode(name.encode())
    step = exchange.begin(said if initial else None)
    if not initial:
        assert step == Challenge(b"Username:")
        step = exchange.line(said)
    assert step == Challenge(b"Password:")

    assert exchange.line(base64.b64encode(password.encode())) == PasswordClaim(name, password)


@pytest.mark.parametrize("answer", [b"", b"YQBi", b"/w=="])
def test_login_malformed(answer: bytes) -> None:
    """Nothing, a NUL, or what is not UTF-8 is no name and no password."""
    exchange = Exchange(Login(CONTEXT))
    exchange.begin(None)
    assert exchange.line(answer) is Refusal.MALFORMED
    exchange = Exchange(Login(CONTEXT))
    exchange.begin(b"YQ==")
    assert exchange.line(answer) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "line",
    [
        *(b"!", b"YQ", b"YQ=", b"YQ==YQ==", b"Y Q==", b"YQ==\t", b" ", b"\xff\xff\xff\xff", b"YQ=\n=", b"=", b"=YQ="),
        *(b"YQ===", b"YWJj=", b"YWJj====", b"YWJj" + b"=" * 400, b"YQ======", b"====", b"YWJj====YWJj", b"YR=="),
    ],
)
def test_lesson_15_what_is_not_base64(line: bytes) -> None:
    """RFC 4954 §4: strict base64 (RFC 4648 §4), or a refusal; a lone '=' is only an initial response."""
    exchange = Exchange(Login(CONTEXT))
    exchange.begin(None)

    assert exchange.line(line) is Refusal.NOT_BASE64


def test_cancelled() -> None:
    """RFC 4954 §4: a single asterisk ends the exchange."""
    exchange = Exchange(Login(CONTEXT))
    exchange.begin(None)

    assert exchange.line(b"*") is Refusal.CANCELLED


def test_an_initial_response_of_no_octets() -> None:
    """RFC 4954 §4: '=' is an initial response, and it is empty."""
    assert Exchange(Plain(CONTEXT)).begin(b"=") is Refusal.MALFORMED
    assert Exchange(Login(CONTEXT)).begin(b"=") is Refusal.MALFORMED


def test_challenge_lines() -> None:
    """RFC 4954 §4: challenges are base64."""
    assert challenge_line(Challenge(b"Password:")) == "UGFzc3dvcmQ6"
    assert challenge_line(Challenge(b"")) == ""


def test_secrets_do_not_show() -> None:
    """No password gets into a log by way of a repr."""
    assert "sesame" not in repr(PasswordClaim("alice", "open sesame"))
