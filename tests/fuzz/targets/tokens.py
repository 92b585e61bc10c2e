"""Tokens, the keys that they are signed by, and what an issuer says about them: nobody gets in by nonsense."""

import json
from functools import cache

from twisted.internet.defer import Deferred, succeed

from mailsuite.tokens.introspected import CannotAsk, IntrospectedTokens
from mailsuite.tokens.keys import IssuerKeys, NoKeys, parse_keys
from mailsuite.tokens.rules import Rules
from mailsuite.tokens.signed import SignedTokens
from tests.delivery.web import FixedWeb
from tests.fuzz.target import Target
from tests.tokens.issuer import ISSUER, NOW, Issuer

RULES = Rules(ISSUER, "mail", "mail", "email")
URL = "https://id.example.org/introspect"


@cache
def issuer() -> Issuer:
    """Return the one whose keys we have."""
    return Issuer()


def run(data: bytes) -> None:
    """The octets are a set of keys, the claims of a token, a token, and an issuer's answer."""
    try:
        found = parse_keys(data)
    except (ValueError, RecursionError):
        pass
    else:
        assert all(key.key_type != "oct" for key in found.values())
    _claims(data)
    text = data.decode("utf-8", "replace")
    assert _owner(data, text) is None, "nobody has signed that"
    _answered(data, text)


def _claims(data: bytes) -> None:
    try:
        claims = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(claims, dict):
        name = RULES.owner(claims, NOW)
        assert name is None or (claims["iss"] == ISSUER and name == claims["email"])


def _owner(data: bytes, token: str) -> str | None:
    keys = IssuerKeys("/keys", FixedWeb(), lambda path, limit: succeed(issuer().document()), lambda: 0.0)
    owner: str | None = _result(SignedTokens(RULES, keys, lambda: NOW).owner(token))
    # Keys that are anything at all are no keys.
    strange = IssuerKeys("/keys", FixedWeb(), lambda path, limit: succeed(data), lambda: 0.0)
    try:
        _result(SignedTokens(RULES, strange, lambda: NOW).owner(issuer().token()))
    except NoKeys:
        pass
    return owner


def _answered(data: bytes, token: str) -> None:
    web = FixedWeb()
    web.documents[URL] = ("application/json", data)
    try:
        name = _result(IntrospectedTokens(RULES, URL, None, web, lambda: NOW).owner(token))
    except CannotAsk:
        return
    assert name is None or json.loads(data)["active"] is True


def _result(awaitable: object) -> str | None:
    """Return what there is at once, as everything here is."""
    found: list[object] = []
    Deferred.fromCoroutine(awaitable).addBoth(found.append)  # type: ignore[arg-type]
    (result,) = found
    if hasattr(result, "value"):
        raise result.value
    assert result is None or isinstance(result, str)
    return result


PART = Target("tokens", run)
