"""Addresses as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.directory.errors import BadName
from mailsuite.directory.spelling import login_name, parse_address, parse_domain

HOSTILE = "'\"\\*)( ;@%/.+\0\r\n\x7f\ud800ß"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice@EXAMPLE.com", "alice@example.com"),
        ("STRASSE@exämple.com", "strasse@xn--exmple-cua.com"),
        ("straße@example.com", "strasse@example.com"),
        ("o'hara@example.com", "o'hara@example.com"),
        ('"John Smith"@example.com', '"john smith"@example.com'),
        ('"alice"@example.com', "alice@example.com"),
        ('"a\\"b\\\\c"@example.com', '"a\\"b\\\\c"@example.com'),
        ('"a@b"@example.com', '"a@b"@example.com'),
        ('"*)(uid=*"@example.com', '"*)(uid=*"@example.com'),
        ('"../../etc"@example.com', '"../../etc"@example.com'),
        ("alice@lan", "alice@lan"),
    ],
)
def test_every_spelling_of_an_address_is_kept_in_one_form(typed: str, kept: str) -> None:
    """Case, quoting that is not needed, and U-labels make no difference (RFC 5321 §2.4, RFC 5890)."""
    assert str(parse_address(typed)) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "", "alice", "@example.com", "alice@", "alice@example..com", "alice@-x.com", "alice@example.com.",
        "alice@[192.0.2.1]", "alice@192.0.2.1", "a b@example.com", ".alice@example.com", "alice.@example.com",
        "a..b@example.com", "../x/@example.com\n", "a\0b@example.com", '"a\0b"@example.com', '"a\nb"@example.com',
        '"a"b"@example.com', "\ud800@example.com", "x" * 65 + "@example.com", "x@" + "a." * 130 + "com",
        "x@" + "a" * 64 + ".com", "alice@exa_mple.com", "alice@exa mple.com", "alice@\ud800.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed: str) -> None:
    """What could not be served is refused, in a message that can be printed."""
    with pytest.raises(BadName) as refused:
        parse_address(typed)

    assert str(refused.value).isprintable()
    assert login_name(typed) is None


@given(st.text(st.one_of(st.sampled_from(HOSTILE), st.characters()), min_size=1, max_size=70))
def test_hostile_local_parts_are_refused_or_come_back_the_same(local: str) -> None:
    """A kept address, parsed again, is itself; nothing else gets in."""
    try:
        kept = parse_address(f"{Address(local, 'example.com')}")
    except BadName:
        return

    assert parse_address(str(kept)) == kept
    assert kept.key == (kept.local, kept.domain)


@given(st.text(max_size=80))
def test_hostile_domains_are_refused_or_are_host_names(text: str) -> None:
    """A domain of ours is letters, digits and hyphens between single dots (RFC 1035 §2.3.1)."""
    try:
        key = parse_domain(text)
    except BadName:
        return

    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert parse_domain(key) == key
