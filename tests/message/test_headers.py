"""Header sections are read and changed without touching another field's octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.message.headers import fields, has_field, header_end, unfold, without

SECTIONS = st.lists(
    st.sampled_from(
        [
            b"Subject: x",
            b"\r\n",
            b" folded",
            b"\tfolded",
            b"Bcc:",
            b"bcc : a@b",
            b"no field",
            b":",
            b"\r",
            b"\n",
            b"\xff",
            b"A:",
        ]
    ),
    max_size=15,
).map(b"".join)


@given(st.one_of(SECTIONS, st.binary(max_size=80)))
def test_fields_joined_are_the_header(header: bytes) -> None:
    """Whatever the octets, none is lost and none is added."""
    assert b"".join(whole for _, _, whole in fields(header)) == header
    assert without(header) == header


@given(st.one_of(SECTIONS, st.binary(max_size=80)))
def test_there_are_no_more_fields_than_are_counted(header: bytes) -> None:
    """A limit can be set for what it takes to go through them."""
    folded = header.count(b"\r\n ") + header.count(b"\r\n\t")

    lines = header.count(b"\r\n") - folded + 1
    bare = header.replace(b"\r\n", b"")
    assert len(list(fields(header))) <= (2 * lines if b"\r" in bare or b"\n" in bare else lines)


@given(SECTIONS, st.sampled_from([b"subject", b"bcc", b"a"]))
def test_what_was_removed_is_gone(header: bytes, name: bytes) -> None:
    """After a removal there is no such field, and all others stand as they stood."""
    kept = without(header, name)

    assert not has_field(kept, name)
    others = [whole for field, _, whole in fields(header) if field != name]
    assert kept == b"".join(others)


def test_folded_fields_are_one() -> None:
    """RFC 5322 §2.2.3: a line that begins with white space goes on with the field before it."""
    header = b"Subject: a\r\n b\r\n\tc\r\nTo : x\r\nbroken line\r\n\tof two\r\nEmpty:\r\n"

    assert list(fields(header)) == [
        (b"subject", b" a\r\n b\r\n\tc", b"Subject: a\r\n b\r\n\tc\r\n"),
        (b"to", b" x", b"To : x\r\n"),
        (b"", b"", b"broken line\r\n\tof two\r\n"),
        (b"empty", b"", b"Empty:\r\n"),
    ]


def test_a_field_without_its_crlf() -> None:
    """The last field may lack its line end."""
    assert list(fields(b"Subject: a\r\n b")) == [(b"subject", b" a\r\n b", b"Subject: a\r\n b")]


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"A: b\r\n\r\nbody", 6),
        (b"\r\nbody", 0),
        (b"A: b\r\n", -1),
        (b"", -1),
        (b"\r", -1),
        (b"A: b\r\n\r\n\r\n", 6),
        (b"A: b\n\nbody\r\n", -1),
    ],
)
def test_header_end(content: bytes, end: int) -> None:
    """The header section ends with its last CRLF, before the empty line."""
    assert header_end(content) == end


def test_unfold() -> None:
    """RFC 5322 §2.2.3: CRLFs go, white space stays; octets that are no UTF-8 survive."""
    assert unfold(b" a\r\n b\xff ") == "a b\udcff"
