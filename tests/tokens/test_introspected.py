"""Tokens that the issuer is asked about (RFC 7662)."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import ITokens
from mailsuite.route import CannotConnect
from mailsuite.tokens import introspected
from mailsuite.tokens.introspected import ANSWER_OCTETS, AT_ONCE, KEEP_SECONDS, CannotAsk, IntrospectedTokens
from mailsuite.tokens.rules import Rules
from tests.delivery.web import FixedWeb
from tests.tokens.issuer import CLAIMS, ISSUER, NOW

URL = "https://id.example.org/introspect"
LOGIN = ("mail", "secret")
GOOD = {**CLAIMS, "active": True}


class Site:
    """Asks an issuer that says *said*."""

    def __init__(self, said: Any = GOOD) -> None:
        self.web = FixedWeb()
        self.now = NOW
        rules = Rules(ISSUER, "mail", "mail", "email")
        self.tokens = IntrospectedTokens(rules, URL, LOGIN, self.web, lambda: self.now)
        self.say(said)

    def say(self, said: Any) -> None:
        """Let the issuer answer so from now on."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.web.documents[URL] = ("application/json", body)

    def asking(self, token: str = "token") -> "Deferred[str | None]":
        """Begin to judge *token*."""
        return Deferred.fromCoroutine(self.tokens.owner(token))

    def owner(self, token: str = "token") -> str | None:
        """Judge *token*."""
        return SynchronousTestCase().successResultOf(self.asking(token))


def test_it_judges_tokens() -> None:
    """The interface."""
    assert verifyObject(ITokens, Site().tokens)


def test_an_active_token() -> None:
    """RFC 7662 §2.1: what is asked, and as whom."""
    site = Site()

    assert site.owner() == "alice@example.org"
    assert site.web.asked == [(URL, ANSWER_OCTETS)]
    assert site.web.posted == [({"token": "token", "token_type_hint": "access_token"}, LOGIN)]


@pytest.mark.parametrize(
    "said",
    [
        {"active": False},
        CLAIMS,
        {**GOOD, "active": "true"},
        {**GOOD, "exp": NOW - 3600},
        {**GOOD, "aud": "other"},
        {**GOOD, "scope": "openid"},
    ],
)
def test_a_token_that_is_not_good(said: Any) -> None:
    """Not active, or not for us."""
    assert Site(said).owner() is None


@pytest.mark.parametrize("said", [GOOD, {"active": False}])
def test_answers_are_kept_for_a_little_while(said: Any) -> None:
    """Good ones and bad ones, by the token; a token that was taken back is good no longer than that."""
    site = Site(said)
    first = site.owner()
    site.say({"active": False} if first else GOOD)
    site.now += KEEP_SECONDS - 1
    assert site.owner() == first
    assert len(site.web.asked) == 1
    assert site.owner("another") != first
    site.now += 1
    assert site.owner() != first


def test_no_answer_is_kept_past_the_tokens_end() -> None:
    """Nor where the clock was set back."""
    site = Site({**GOOD, "exp": NOW + 5})
    site.owner()
    site.now += 5
    site.say({"active": False})
    assert site.owner() is None
    site = Site()
    site.owner()
    site.now -= 3600
    site.owner()
    assert len(site.web.asked) == 2


def test_no_more_answers_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not asked for longest leaves first."""
    monkeypatch.setattr(introspected, "ANSWERS", 2)
    site = Site()
    for token in ("a", "b", "a", "c", "a", "b"):
        site.owner(token)

    assert [form["token"] for form, _ in site.web.posted] == ["a", "b", "c", "b"]


@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", b"1", b"[" * 30_000])
def test_no_answer_is_no_word_about_the_token(said: bytes) -> None:
    """Nothing is known, and nothing kept."""
    site = Site(said)
    SynchronousTestCase().failureResultOf(site.asking(), CannotAsk)
    site.say(GOOD)
    assert site.owner() == "alice@example.org"


def test_an_issuer_that_is_away() -> None:
    """Likewise."""
    site = Site()
    site.web.documents.clear()

    failure = SynchronousTestCase().failureResultOf(site.asking(), CannotAsk)
    assert isinstance(failure.value.__cause__, CannotConnect)


def test_only_so_many_questions_at_once() -> None:
    """One more is put off; when there are answers, there is room again."""
    site = Site()
    site.web.pending = Deferred()
    waiting = [site.asking(f"token {number}") for number in range(AT_ONCE)]
    SynchronousTestCase().failureResultOf(site.asking("one more"), CannotAsk)
    site.web.pending.callback(None)

    assert {SynchronousTestCase().successResultOf(each) for each in waiting} == {"alice@example.org"}
    site.web.pending = None
    assert site.owner("one more") == "alice@example.org"
