"""Addresses of type utf-8 in their three forms (RFC 6533 §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite import unitext
from mailsuite.address import Address


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("пётр@b.example", "пётр@b.example"),
        ("\\x{43F}\\x{0451}\\x{442}\\x{440}@b.example", "пётр@b.example"),
        ("a\\x{2B}b\\x{3D}\\x{20}\\x{5C}\\x{5c}", "a+b= \\\\"),
        ("\\x{1F600}\\x{10FFFF}", "\U0001f600\U0010ffff"),
    ],
)
def test_decoding(value: str, text: str) -> None:
    """RFC 6533 §3: all forms of an address of type utf-8."""
    assert unitext.decode(value) == text


@pytest.mark.parametrize(
    "value", ["", "a+2B", "a=b", "a b", "\\", "\\x{}", "\\x{2", "\\x{zz}", "\\x{110000}", "\x00", "\ufffd"]
)
def test_what_is_no_unitext(value: str) -> None:
    """What has another form is none."""
    with pytest.raises(ValueError):
        unitext.decode(value)


@pytest.mark.parametrize(
    ("text", "utf8", "encoded"),
    [
        ("пётр@b.example", True, "пётр@b.example"),
        ("пётр@b.example", False, "\\x{43F}\\x{451}\\x{442}\\x{440}@b.example"),
        ("a+b=\\ c", True, "a\\x{2B}b\\x{3D}\\x{5C}\\x{20}c"),
        ("\r\n\x7f", True, "\\x{0D}\\x{0A}\\x{7F}"),
        ("\U0001f600", False, "\\x{1F600}"),
    ],
)
def test_encoding(text: str, utf8: bool, encoded: str) -> None:
    """RFC 6533 §3: UTF-8 as it is where that can pass; what ORCPT forbids never."""
    assert unitext.encode(text, utf8) == encoded


@given(st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"]), min_size=1), st.booleans())
def test_round_trip(text: str, utf8: bool) -> None:
    """What was encoded comes back, and was one word that no parameter or line ends in."""
    encoded = unitext.encode(text, utf8)

    assert unitext.decode(encoded) == text
    assert utf8 or encoded.isascii()
    assert not set(encoded) & set("\r\n\0 =+")


@given(st.text())
def test_any_text_can_be_encoded(text: str) -> None:
    """Lone surrogates too, so that no report fails for one."""
    unitext.encode(text, True).encode()


def test_types() -> None:
    """RFC 3461 §4.2, RFC 6533 §3: utf-8 where ASCII does not do."""
    assert unitext.typed(Address("пётр", "пример.рф")) == "utf-8;пётр@пример.рф"
    assert unitext.typed(Address("a b", "пример.рф")) == 'rfc822;"a b"@xn--e1afmkfd.xn--p1ai'
