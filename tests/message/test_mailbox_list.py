"""Lists of mailboxes: read as the library reads them, or not at all."""

from email.headerregistry import AddressHeader, HeaderRegistry
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.message.mailbox_list import mailboxes

ALICE = Address("alice", "a.example")
BOB = Address("b.o.b", "b.example")
REGISTRY = HeaderRegistry()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alice@a.example", [ALICE]),
        (" <alice@a.example>\t", [ALICE]),
        ("Alice A. of Example <alice@a.example>", [ALICE]),
        ('"Alice, \\"A\\" <bob@x>" <alice@a.example>,b.o.b@b.example', [ALICE, BOB]),
        ("=?utf-8?q?a=40b?= =?utf-8?q?c?= <alice@a.example>, Bob<b.o.b@b.example>", [ALICE, BOB]),
        ("Alice Jr.<alice@a.example>", [ALICE]),
        ("Jörg <jörg@bücher.example>", [Address("jörg", "bücher.example")]),
    ],
)
def test_read(text: str, found: list[Address]) -> None:
    """What nearly all mail has."""
    assert mailboxes(text) == found


@pytest.mark.parametrize(
    "text",
    ["", ",", "a@b,", ",a@b", "a@b c@d", "<a@b> c", "a <b@c> <d@e>", "a@b <c@d>", "a@b (c)", "g: a@b;", '"a"@b',
     "a@[192.0.2.1]", "a.@b", ".a@b", "a..b@c", "a@b.", "a@.b", "a@-b", "@a", "a@", "<a@b", '"a <b@c>',
     "=?q?a?=@b", "a@b@c", ". <a@b>", "a@b\0", "a\u2028@b", "\udcff@b", "\udcff <a@b>"],
)  # fmt: skip
def test_not_read(text: str) -> None:
    """What is rare, or in doubt."""
    assert mailboxes(text) is None


@given(
    st.lists(
        st.sampled_from(
            [*'aZ@<>()"\\,;:. []\0\t', "=?utf-8?q?a?=", "b.c", "a@b.c", "<a@b>", " x ", '"y"', "ö", "\udcff"]
        ),
        max_size=12,
    ).map("".join)
)
def test_nothing_is_read_otherwise_than_the_library_does(text: str) -> None:
    """Not one address more or less, nor another one; it stumbles over a dot before an angle bracket."""
    found = mailboxes(text)
    if found is not None and ".<" not in text:
        read = cast(AddressHeader, REGISTRY("from", text)).addresses
        assert [Address(each.username, each.domain) for each in read] == found
