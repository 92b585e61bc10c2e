"""Addresses compared: case, composition, and the two forms of a domain (RFC 5321 §2.4, RFC 5890, RFC 6531)."""

import unicodedata

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address, a_labels, domain_key, subaddress

# Letters of many scripts, each with a case, a width or a composition of its own somewhere.
LETTERS = "aéßüжёя用户例子测试קनες0-"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("ПРИМЕР.РФ", "xn--e1afmkfd.xn--p1ai"),
        ("xn--e1afmkfd.рф", "xn--e1afmkfd.xn--p1ai"),
        ("XN--E1AFMKFD.XN--P1AI", "xn--e1afmkfd.xn--p1ai"),
        ("例子.测试", "xn--fsqu00a.xn--0zwm56d"),
        # Composed or not, wide or not (UTS 46).
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("\uff42\u00fccher.example", "xn--bcher-kva.example"),
        # By the current standard these are two (RFC 5894 §7.2).
        ("faß.example", "xn--fa-hia.example"),
        ("fass.example", "fass.example"),
        ("Example.COM", "example.com"),
        ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
    ],
)
def test_every_spelling_of_a_domain_has_one_key(written: str, key: str) -> None:
    """U-labels and A-labels of one domain are equal."""
    assert domain_key(written) == key


@pytest.mark.parametrize(
    "domain",
    [
        "☃.example", "אa.example", "-é.example", "é-.example", "é..example", ".é", "é.", "b。é.example", "a_b.é",
        "a b.é", "é\n.example", "é\0", "xn--zz.пример", "x\uff0fy.example", "ex\u200campleé", "\ud800.example",
        "é" * 70 + ".example", ("é" * 20 + ".") * 30 + "example", "\u0301a.é",
    ],
)  # fmt: skip
def test_what_idna_refuses_is_no_domain(domain: str) -> None:
    """RFC 5891 §5.4, RFC 5893: it equals itself, and no domain that there is."""
    assert a_labels(domain) is None
    assert domain_key(domain) == domain.lower()


@given(st.lists(st.text(LETTERS, min_size=1, max_size=12), min_size=1, max_size=3).map(".".join))
def test_both_forms_of_a_domain_are_equal(domain: str) -> None:
    """What IDNA makes of an A-label, and any composition and case of it, has the key of that A-label."""
    key = domain_key(domain)
    if domain.isascii() or not key.isascii():
        return
    composed, decomposed = unicodedata.normalize("NFC", domain), unicodedata.normalize("NFD", domain)
    for same in (idna.decode(key), key.upper(), composed, decomposed):
        assert domain_key(same) == key


@given(st.text(max_size=40))
def test_a_labels_are_a_name_or_nothing(text: str) -> None:
    """Whatever comes in, what comes out could stand in DNS, and means itself."""
    if text.isascii():
        return
    name = a_labels(text)
    if name is not None:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert all(0 < len(label) <= 63 for label in name.split("."))
        assert domain_key(name) == name


def test_addresses_are_equal_by_key() -> None:
    """Case and composition make no difference to ours; letters do."""
    decomposed = unicodedata.normalize("NFD", "ПЁТР")
    assert Address("Пётр", "пример.рф").key == Address(decomposed, "XN--E1AFMKFD.xn--p1ai").key
    assert Address("пётр", "пример.рф").key != Address("петр", "пример.рф").key
    assert Address("Straße", "b.example").key == Address("STRASSE", "b.example").key


def test_an_address_in_either_form() -> None:
    """The domain has two forms, the local part has one; a domain without another form stays as it is."""
    written = Address("пётр", "пример.рф")

    assert written.in_a_labels == Address("пётр", "xn--e1afmkfd.xn--p1ai")
    assert written.in_a_labels.in_u_labels == written
    assert Address("a", "xn--zz.example").in_u_labels == Address("a", "xn--zz.example")
    assert Address("a", "b.example").in_u_labels == Address("a", "b.example")


def test_what_needs_smtputf8() -> None:
    """RFC 6531 §3.2: a domain can go as A-labels, a local part cannot."""
    assert Address("пётр", "b.example").needs_utf8
    assert not Address("peter", "пример.рф").needs_utf8


@pytest.mark.parametrize(
    ("local", "user", "detail"),
    [("alice", "alice", ""), ("alice+lists", "alice", "lists"), ("alice+", "alice", ""), ("a+b+c", "a", "b+c"),
     ("+lists", "+lists", ""), ("", "", "")],
)
def test_a_plus_address_is_somebodys(local: str, user: str, detail: str) -> None:
    """Without a user before the plus there is nobody for it to be a part of."""
    assert subaddress(local) == (user, detail)
