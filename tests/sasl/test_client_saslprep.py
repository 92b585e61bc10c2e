"""SASLprep, by the examples of RFC 4013 §3 and the rules behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.sasl.saslprep import Unprepared, saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b\u3000c", "a b c"),
        ("e\u0301", "\u00e9"),
        ("\u0627\u0031\u0628", "\u06271\u0628"),
        ("", ""),
    ],
)
def test_what_is_prepared(text: str, prepared: str) -> None:
    """RFC 4013 §2.1, §2.2, §3."""
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        "\x07",
        "\x7f",
        "a\0",
        "\u0085",
        "\ue000",
        "\ufdd0",
        "\ufffd",
        "\u2ff0",
        "\u200e",
        "\U000e0041",
        "\u06271",
        "\u0627a\u0628",
    ],
)
def test_what_is_prohibited(text: str) -> None:
    """RFC 4013 §2.3, §2.4, §3."""
    for stored in (True, False):
        with pytest.raises(Unprepared):
            saslprep(text, stored)


def test_what_unicode_3_2_does_not_have() -> None:
    """RFC 4013 §2.5: nothing that is stored, anything that is asked for."""
    with pytest.raises(Unprepared):
        saslprep("\u0221")
    assert saslprep("\u0221", stored=False) == "\u0221"


@given(st.text(max_size=20))
def test_prepared_text_is_prepared(text: str) -> None:
    """A second time changes nothing, and the message of an error never shows the text."""
    try:
        once = saslprep(text, stored=False)
    except Unprepared as error:
        assert len(text) < 3 or text not in str(error)
        return

    assert saslprep(once, stored=False) == once
