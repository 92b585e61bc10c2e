"""The list of recipients that a primary publishes: what it says, who signed it, what it must not do to a reader."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.policy import backup_list
from mailsuite.policy.backup_list import BackupList, BadKey, BadList, claimed_domain, make, parse_key, read, shown_key

OURS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = OURS.public_key().public_bytes_raw()
SALT = b"0123456789abcdef"
MAGIC = b"mailsuite backup list 1\n"
LOCALS = ("alice", "bob", "postmaster", "alice+exact", "élan")


def made(*locals_: str, everything: bool = False, now: int = 1_767_225_600) -> bytes:
    """Return a list of example.net, signed by us."""
    return make("example.net", locals_ or LOCALS, now, everything, SALT, OURS.sign)


def signed(content: bytes) -> bytes:
    """Return *content* as if it were a list: our signature over it is right."""
    return MAGIC + base64.b64encode(OURS.sign(MAGIC + content)) + b"\n" + content


def with_header(hashes: bytes = b"", **changes: Any) -> bytes:
    """Return a list of which the header has *changes*; ``None`` leaves a field out."""
    fields = {
        "domain": "example.net", "made": 1, "salt": SALT.hex(), "count": len(hashes) // 16, "everything": False,
    } | changes  # fmt: skip
    return signed(json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
                  + b"\n" + hashes)


def test_a_list_says_what_it_was_made_of() -> None:
    """Domain, time, count; nothing of an address can be read in it."""
    data = made()
    found = read(data, KEY)

    assert (found.domain, found.made, found.everything, found.count) == ("example.net", 1_767_225_600, False, 5)
    assert b"alice" not in data


@pytest.mark.parametrize(
    ("local", "known"),
    [
        ("alice", True), ("Alice", True), ("bob", True), ("alice+anything", True), ("Alice+EXACT", True),
        ("bob+a+b", True), ("ÉLAN", True), ("carol", False), ("carol+alice", False), ("+alice", False), ("", False),
        ("alice ", False), ("exact", False), ("\ud800", False),
    ],
)  # fmt: skip
def test_addresses_are_known_as_the_primary_knows_them(local: str, known: bool) -> None:
    """In any spelling, and by the base of a plus-address."""
    assert read(made(), KEY).has(Address(local, "Example.NET")) is known


def test_a_catch_all_takes_everything() -> None:
    """Though no address be in the list."""
    assert read(make("example.net", (), 1, True, SALT, OURS.sign), KEY).has(Address("anybody", "example.net"))


@given(st.sets(st.text(max_size=20)), st.text(max_size=20))
def test_a_list_has_what_was_put_in_and_nothing_else(locals_: set[str], other: str) -> None:
    """Whatever the local parts are."""
    keys = {Address(local, "x").key[0] for local in locals_}
    found = read(make("example.net", keys, 1, False, SALT, OURS.sign), KEY)

    assert found.count == len(keys)
    assert all(found.has(Address(local, "example.net")) for local in locals_)
    key = Address(other, "x").key[0]
    base, plus, _ = key.partition("+")
    assert found.has(Address(other, "example.net")) is (key in keys or bool(plus and base and base in keys))


def test_an_empty_list_knows_nobody() -> None:
    """Which is not the same as none."""
    found = read(make("example.net", (), 1, False, SALT, OURS.sign), KEY)

    assert found.count == 0
    assert not found.has(Address("alice", "example.net"))


def test_every_octet_is_under_the_signature() -> None:
    """A change anywhere is seen, and so is a piece cut off or put on."""
    data = made("alice", "bob")
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(BadList):
            read(bytes(changed), KEY)
        with pytest.raises(BadList):
            read(data[:place], KEY)
    with pytest.raises(BadList):
        read(data + b"\0", KEY)


def test_another_key_is_not_believed() -> None:
    """Nor is a signature of ours over something else."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(BadList, match="signature is wrong"):
        read(make("example.net", LOCALS, 1, False, SALT, other.sign), KEY)
    content = made().split(b"\n", 2)[2]
    with pytest.raises(BadList, match="signature is wrong"):
        read(MAGIC + base64.b64encode(OURS.sign(content)) + b"\n" + content, KEY)


@given(st.binary(max_size=300))
def test_any_octets_are_a_list_or_refused(data: bytes) -> None:
    """Nothing but its own error comes of octets from anywhere, before the signature and after it."""
    for octets in (data, MAGIC + data, signed(data), with_header(data), signed(b"{" + data + b"}\n")):
        try:
            found = read(octets, KEY)
        except BadList as error:
            assert str(error)
        else:
            assert isinstance(found, BackupList)


@given(
    st.dictionaries(
        st.sampled_from(["domain", "made", "salt", "count", "everything", "more"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_any_header_is_one_or_refused(changes: dict[str, Any]) -> None:
    """Signed or not, what it says is looked at."""
    try:
        found = read(with_header(b"", **changes), KEY)
    except BadList:
        return
    assert (found.count, found.hashes) == (0, b"")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a list"),
        (b"mailsuite backup list 2\n", "newer form"),
        (MAGIC + b"AAAA\n{}\n", "no signature"),
        (MAGIC + b"!" * 88 + b"\n{}\n", "no signature"),
        (signed(b"{}"), "no end"),
        (signed(b"\xff\n"), "not a JSON object"),
        (signed(b"[" * 1000 + b"\n"), "not a JSON object"),
        (signed(b"[]\n"), "not a JSON object"),
        (with_header(domain=None), "names no domain"),
        (with_header(domain="../x"), "names no domain"),
        (with_header(domain="Example.net"), "names no domain"),
        (with_header(made=-1), "when it was made"),
        (with_header(made=1.5), "when it was made"),
        (with_header(made=True), "when it was made"),
        (with_header(made=10**12), "when it was made"),
        (with_header(salt="00"), "no salt"),
        (with_header(everything=1), "catch-all"),
        (with_header(count=1), "counts other addresses"),
        (with_header(b"1" * 15, count=1), "counts other addresses"),
        (with_header(b"1" * 16, count="1"), "counts other addresses"),
        (with_header(b"2" * 16 + b"1" * 16), "not in order"),
        (with_header(b"1" * 16 + b"1" * 16), "not in order"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, told: str) -> None:
    """So that somebody can mend it."""
    with pytest.raises(BadList, match=told):
        read(data, KEY)


@given(st.binary(max_size=300))
def test_the_domain_of_any_octets_is_one_or_refused(data: bytes) -> None:
    """Before anybody looks at the signature."""
    for octets in (data, MAGIC + data, signed(data), with_header(data), signed(b"{" + data + b"}\n")):
        try:
            assert claimed_domain(octets)
        except BadList as error:
            assert str(error)


def test_the_domain_is_read_without_a_key() -> None:
    """It says whose key to look with; a path name it cannot be."""
    assert claimed_domain(made()) == "example.net"
    with pytest.raises(BadList, match="names no domain"):
        claimed_domain(with_header(domain="../../x"))


def test_the_header_has_a_limit() -> None:
    """At it, and one past it."""
    room = backup_list.HEADER_OCTETS - with_header(b"", more="").split(b"\n", 2)[2].index(b"\n")

    assert read(with_header(b"", more="x" * room), KEY).count == 0
    with pytest.raises(BadList, match="no end"):
        read(with_header(b"", more="x" * (room + 1)), KEY)


def test_a_list_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of addresses where it is made, of octets where it is read."""
    monkeypatch.setattr(backup_list, "ADDRESSES", 2)
    data = made("alice", "bob")
    monkeypatch.setattr(backup_list, "LIST_OCTETS", len(data))

    assert read(data, KEY).count == 2
    with pytest.raises(BadList, match="3 addresses; a list holds 2"):
        made("alice", "bob", "carol")
    monkeypatch.setattr(backup_list, "LIST_OCTETS", len(data) - 1)
    with pytest.raises(BadList, match="octets"):
        read(data, KEY)


def test_a_public_key_is_written_and_read() -> None:
    """There and back again."""
    assert parse_key(shown_key(KEY)) == KEY


@pytest.mark.parametrize(
    "text",
    ["", "ed25519:", "ed25519:AAAA", base64.b64encode(KEY).decode(), "ed25519:" + "!" * 44, "rsa:AAAA",
     "ed25519:" + base64.b64encode(KEY + b"x").decode(), "ed25519:é"],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """With its form."""
    with pytest.raises(BadKey, match="expected ed25519:"):
        parse_key(text)
