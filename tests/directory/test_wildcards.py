"""Wildcards: what fits, which of several counts, in little time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.directory.wildcards import best, matches


@pytest.mark.parametrize(
    ("pattern", "local", "fits"),
    [
        ("*", "", True),
        ("*", "anything", True),
        ("*-bills", "shop-bills", True),
        ("*-bills", "-bills", True),
        ("*-bills", "bills", False),
        ("*-bills", "shop-bills2", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-c-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("a**c", "abc", True),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("[ab]?*", "[ab]?x", True),
        ("[ab]?*", "axx", False),
    ],
)
def test_what_fits(pattern: str, local: str, fits: bool) -> None:
    """An asterisk is any characters or none, and nothing else is more than itself."""
    assert matches(pattern, local) is fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_as_regular_expressions_have_it(pattern: str, local: str) -> None:
    """The same as the expression that says it, which can take far longer."""
    expression = ".*".join(map(re.escape, pattern.split("*")))

    assert matches(pattern, local) is (re.fullmatch(expression, local) is not None)


def test_the_one_that_says_most() -> None:
    """Asterisks say nothing; of equals the first by name."""
    patterns = ["*", "*-bills", "phone-*", "phone-*-bills", "*s", "**-bills"]

    assert best(patterns, "phone-may-bills") == "phone-*-bills"
    assert best(patterns, "shop-bills") == "**-bills"
    assert best(patterns, "phone-calls") == "phone-*"
    assert best(patterns, "x") == "*"
    assert best(patterns[1:], "x") is None
    assert best([], "x") is None
