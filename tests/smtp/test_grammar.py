"""Paths and parameters by RFC 5321 §4.1.2, and by a test set made by others (lessons 9, 11 and 13)."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.smtp import grammar

VECTORS = [
    tuple(row.split("\t"))
    for row in (Path(__file__).parent / "data" / "isemail.tsv").read_text("utf-8").splitlines()
    if not row.startswith("#")
]
# What RFC 5321 alone takes; the other categories are RFC 5322's (comments, folding, old forms) or errors.
TAKEN = {"VALID_CATEGORY", "RFC5321", "DNSWARN"}
# Where we differ from the set's verdict, and why.
DIFFERENT = {
    "71": "'::' for a single group: RFC 5321 §4.1.3 wants two at least, RFC 4291 does not, and clients write it",
}


def mailbox(path: str) -> Address | None:
    """Return what the server's own limits make of *path*."""
    return grammar.mailbox(path, 256, 64, 255)


def is_taken(address: str) -> bool:
    """Say whether *address* in angle brackets is a path for us."""
    try:
        return mailbox(f"<{address}>") is not None
    except grammar.TooLong:
        return False


@pytest.mark.parametrize(
    ("number", "category", "diagnosis", "shown"), VECTORS, ids=[f"{row[0]}-{row[2]}" for row in VECTORS]
)
def test_is_email_set(number: str, category: str, diagnosis: str, shown: str) -> None:
    """The set's verdict holds, but for the differences that are named above."""
    address = re.sub(
        "[\u2400-\u2421]", lambda found: "\x7f" if found[0] == "\u2421" else chr(ord(found[0]) - 0x2400), shown
    )

    assert is_taken(address) == ((category in TAKEN) != (number in DIFFERENT))


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<a@b.example>", Address("a", "b.example")),
        ('<"a b"@b.example>', Address("a b", "b.example")),
        ('<"a\\"\\\\b"@b.example>', Address('a"\\b', "b.example")),
        ('<""@b.example>', Address("", "b.example")),
        ("<@x.example,@y.example:a@b.example>", Address("a", "b.example")),
        ("<a@[192.0.2.1]>", Address("a", "[192.0.2.1]")),
        ("<a@[ipv6:::1]>", Address("a", "[ipv6:::1]")),
        ("<a/.b@b.example>", Address("a/.b", "b.example")),
        ("<;sleep 9;@b.example>", None),
        ("<;sleep+9;@b.example>", None),
        ('<";sleep 9;"@b.example>', Address(";sleep 9;", "b.example")),
        ("<>", None),
        ("<@b.example>", None),
        ("<a@>", None),
        ("<a>", None),
        ("<a@b.example.>", None),
        ("<a@b..example>", None),
        ("<a@b_c.example>", None),
        ("<@x.example:>", None),
        ("<@x.example,a@b.example>", None),
        ("<a@[192.0.2.1>", None),
        ("<a@[192.0.2.01]>", None),
        ("<a@[IPv6:fe80::1%eth0]>", None),
        ("<a@[x-tag:anything]>", None),
        ("<a@b.example\n>", None),
        ("<a@b.example>\n", None),
        ("<\uff41@b.example>", None),
        ("<a@b\u0661.example>", None),
    ],
)
def test_lesson_11_paths(path: str, address: Address | None) -> None:
    """Each branch of the grammar checks the local part; what is taken is taken apart exactly."""
    assert mailbox(path) == address


def domain(octets: int) -> str:
    """Return a domain of *octets*, with labels that are not too long."""
    return ("x" * 49 + ".") * (octets // 50) + "x" * (octets % 50)


@pytest.mark.parametrize(
    "path",
    [
        lambda octets: f"<{'a' * octets}@b.example>",
        lambda octets: f'<"{"a" * (octets - 2)}"@b.example>',
    ],
    ids=["dotted", "quoted"],
)
def test_lesson_13_local_part_at_the_cap_and_one_past(path: Callable[[int], str]) -> None:
    """RFC 5321 §4.5.3.1.1: 64 octets, with the quotes."""
    assert mailbox(path(64)) is not None
    with pytest.raises(grammar.TooLong):
        mailbox(path(65))


def test_lesson_13_domain_at_the_cap_and_one_past() -> None:
    """RFC 5321 §4.5.3.1.2: 255 octets; a label has 63 (RFC 1035 §2.3.4)."""
    assert grammar.mailbox(f"<a@{domain(255)}>", 999, 64, 255) is not None
    with pytest.raises(grammar.TooLong):
        grammar.mailbox(f"<a@{domain(256)}>", 999, 64, 255)
    assert mailbox(f"<a@{'b' * 63}.example>") is not None
    with pytest.raises(grammar.TooLong):
        mailbox(f"<a@{'b' * 64}.example>")


@pytest.mark.parametrize("route", ["", "@route.example:"])
def test_lesson_13_path_at_the_cap_and_one_past(route: str) -> None:
    """RFC 5321 §4.5.3.1.3: 256 octets with the punctuation, the source route with them."""
    room = 256 - len(f"<{route}a@>")

    assert mailbox(f"<{route}a@{domain(room)}>") is not None
    with pytest.raises(grammar.TooLong):
        mailbox(f"<{route}a@{domain(room + 1)}>")


@given(st.text(max_size=30))
def test_whatever_is_taken_is_written_back_as_the_same_path(text: str) -> None:
    """An address says itself in a form that reads as the same address: nothing is lost or won by quoting."""
    for path in (f"<{text}>", f"<{text}@b.example>", f'<"{text}"@b.example>'):
        try:
            address = mailbox(path)
        except grammar.TooLong:
            continue
        if address is not None:
            assert str(address).isprintable()
            assert grammar.mailbox(f"<{address}>", 999, 999, 999) == address


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("FROM:<a@b>", ("<a@b>", "")),
        ("from:<a@b>", ("<a@b>", "")),
        ("FROM: <a@b>", ("<a@b>", "")),
        ("FROM:<a@b> SIZE=1  BODY=7BIT", ("<a@b>", "SIZE=1  BODY=7BIT")),
        ('FROM:<"a>b"@c> X', ('<"a>b"@c>', "X")),
        ('FROM:<"a\\">b"@c> X', ('<"a\\">b"@c>', "X")),
        ('FROM:<"a>b@c', None),
        ("FROM:<a@b>X", None),
        ("FROM:a@b", None),
        ("FROM:", None),
        ("FROM <a@b>", None),
        ("TO:<a@b>", None),
        ("", None),
    ],
)
def test_split_path(argument: str, found: tuple[str, str] | None) -> None:
    """The path ends where its own angle bracket closes it, whatever a quoted string holds."""
    assert grammar.split_path(argument, "FROM") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SIZE=1", [("SIZE", "1")]),
        ("size=1 Body=8bitmime", [("SIZE", "1"), ("BODY", "8bitmime")]),
        ("X", [("X", None)]),
        ("X-Y=a+3Db", [("X-Y", "a+3Db")]),
    ],
)
def test_parameters(text: str, found: list[tuple[str, str | None]]) -> None:
    """Keywords in upper case, values as they came."""
    assert list(grammar.parameters(text)) == found


@pytest.mark.parametrize("text", ["=1", "X=", "X=a=b", "-X=1", "X=\u00e9", "X_Y=1", "\u0130=1", "X=1\t"])
def test_bad_parameters(text: str) -> None:
    """Anything else is no parameter."""
    with pytest.raises(ValueError):
        list(grammar.parameters(text))


@given(st.text(max_size=20))
def test_lesson_10_xtext_round_trip(text: str) -> None:
    """Any value, with any octets, is what it was after its way through xtext (RFC 3461 §4)."""
    encoded = "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode()
    )

    assert grammar.xtext(encoded) == text


@pytest.mark.parametrize("value", ["+", "+3", "+3d", "a=b", "a b", "+FF", "\u00e9"])
def test_bad_xtext(value: str) -> None:
    """Lower-case digits, equals signs and octets that are no text are refused."""
    with pytest.raises(ValueError):
        grammar.xtext(value)


@pytest.mark.parametrize("name", ["a", "my_host", "[192.0.2.1]", "x" * 255, "(@)"])
def test_host_names_are_taken_as_they_come(name: str) -> None:
    """RFC 5321 §4.1.4 forbids to refuse a client for its name."""
    assert grammar.is_host(name)


@pytest.mark.parametrize("name", ["", "two words", "x" * 256, "\u00e9", "tab\t"])
def test_what_cannot_stand_behind_ehlo(name: str) -> None:
    """But one printable ASCII word it has to be."""
    assert not grammar.is_host(name)


def wide(path: str) -> Address | None:
    """Return what the server's own limits make of *path* in a transaction with SMTPUTF8."""
    return grammar.mailbox(path, 256, 64, 255, utf8=True)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<пётр@b.example>", Address("пётр", "b.example")),
        ("<用户@例子.测试>", Address("用户", "例子.测试")),
        ("<peter@ПРИМЕР.рф>", Address("peter", "ПРИМЕР.рф")),
        ("<peter@xn--e1afmkfd.рф>", Address("peter", "xn--e1afmkfd.рф")),
        ('<"пётр \\"и"@b.example>', Address('пётр "и', "b.example")),
        ("<я@[192.0.2.1]>", Address("я", "[192.0.2.1]")),
        ("<@пример.рф,@y.example:я@b.example>", Address("я", "b.example")),
        ("<a@b.example>", Address("a", "b.example")),
        ("<пётр@b_c.example>", None),
        ("<a@b_c.é>", None),
        ("<пётр@-b.example>", None),
        ("<пётр@b..example>", None),
        ("<пётр@[300.1.1.1]>", None),
        ("<пётр@[пример]>", None),
        ("<пётр..и@b.example>", None),
        ("<.пётр@b.example>", None),
        ("<пётр и@b.example>", None),
        ("<пётр@>", None),
        ("<пётр>", None),
        ('<"пётр"и"@b.example>', None),
        ("<p\ufffdter@b.example>", None),
        ("<пётр@b.example>\n", None),
        ("<пётр\n@b.example>", None),
        ("<пётр\0@b.example>", None),
    ],
)
def test_paths_with_smtputf8(path: str, address: Address | None) -> None:
    """RFC 6531 §3.3: other letters may stand in atoms, quoted strings and labels; all else is as it was."""
    assert wide(path) == address


@pytest.mark.parametrize("domain", ["☃.example", "אa.example", "é-.example", "b。é.example", "xn--zz.é", "é."])
def test_domains_that_idna_refuses(domain: str) -> None:
    """RFC 6531 §3.3: sub-domain =/ U-label, and these hold none."""
    with pytest.raises(grammar.BadDomain):
        wide(f"<a@{domain}>")


def test_other_letters_only_where_they_were_announced() -> None:
    """RFC 6531 §3.4: without SMTPUTF8 a path is ASCII."""
    assert mailbox("<пётр@b.example>") is None
    assert mailbox("<a@пример.рф>") is None


def test_lesson_13_octets_are_counted() -> None:
    """RFC 5321 §4.5.3.1: 64 octets of UTF-8 before the @; 255 behind it, as A-labels."""
    assert wide(f"<{'я' * 32}@b.example>") is not None
    with pytest.raises(grammar.TooLong):
        wide(f"<{'я' * 32}x@b.example>")
    with pytest.raises(grammar.TooLong):
        wide(f"<я@{domain(255 - len('<я@>'.encode()) + 2)}>")
    with pytest.raises(grammar.BadDomain):
        wide(f"<a@{'я' * 60}.example>")


@given(
    st.text(st.characters(), max_size=20),
    st.text(st.one_of(st.sampled_from("aé.-例"), st.characters()), max_size=20),
    st.sampled_from(["<{}@{}>", '<"{}"@{}>', "<@x.example:{}@{}>", "{}{}"]),
)
def test_no_path_with_smtputf8_leaves_its_place(local: str, name: str, form: str) -> None:
    """What is taken ends no line, starts no field, and reads as the same address again."""
    try:
        address = wide(form.format(local, name))
    except (grammar.TooLong, grammar.BadDomain):
        return
    if address is not None:
        written = str(address)
        assert not set("\r\n\0\ufffd") & set(written)
        assert not any(letter < " " or letter == "\x7f" for letter in written)
        assert grammar.mailbox(f"<{written}>", 999, 999, 999, utf8=True) == address
        assert address.in_a_labels.domain.isascii()


@pytest.mark.parametrize(
    ("text", "printable"),
    [("нет слов", True), ("ن\u200cی", True), ("a\u202eb", False), ("a\u0085", False), ("\n", False)],
)
def test_what_can_be_shown(text: str, printable: bool) -> None:
    """Joiners are letters to some; controls, directions and line ends are to nobody."""
    assert grammar.is_printable(text) is printable
