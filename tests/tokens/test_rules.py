"""What a token must say to be good here (RFC 7519 §4.1, RFC 8725 §3)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.tokens.rules import LEEWAY, NAME_LETTERS, Rules
from tests.tokens.issuer import CLAIMS, ISSUER, NOW

RULES = Rules(ISSUER, "mail", "mail", "email")


def owner(**claims: Any) -> str | None:
    """Return whose the token is that says the usual, and these *claims*."""
    return RULES.owner({**CLAIMS, **claims}, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": NOW - LEEWAY + 1},
        {"exp": None},
        {"nbf": NOW + LEEWAY},
        {"nbf": None},
        {"aud": ["other", "mail"]},
        {"scope": "mail"},
        {"scope": ["openid", "mail"]},
        {"email_verified": True},
    ],
)
def test_good(claims: dict[str, Any]) -> None:
    """At the limits too; and audience and scope in the forms in which issuers have them."""
    assert owner(**claims) == "alice@example.org"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - LEEWAY},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 10**400},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"nbf": NOW + LEEWAY + 1},
        {"nbf": "x"},
        {"nbf": -(10**400)},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"aud": [["mail"]]},
        {"scope": "mailx"},
        {"scope": None},
        {"email": None},
        {"email": ""},
        {"email": 1},
        {"email": "x" * (NAME_LETTERS + 1)},
        {"email_verified": False},
    ],
)
def test_not_good(claims: dict[str, Any]) -> None:
    """Of another time, issuer, service or scope, or of nobody."""
    assert owner(**claims) is None


def test_what_is_not_asked_for() -> None:
    """Empty rules look at time and name alone; scp is scope, too."""
    bare = Rules("", "", "", "upn")
    assert bare.owner({"upn": "alice@example.org", "email_verified": False}, NOW) == "alice@example.org"
    assert Rules("", "", "mail", "upn").owner({"upn": "a", "scp": ["mail"]}, NOW) == "a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*CLAIMS, "email_verified", "scp"]), JSON))
def test_whatever_is_claimed_nothing_raises(claims: dict[str, Any]) -> None:
    """An issuer's nonsense lets nobody in."""
    found = RULES.owner(claims, NOW)

    assert found is None or found == claims["email"]
