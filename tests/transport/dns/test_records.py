"""What the data of records say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.dns import MX, TLSA, DnsTrouble
from mailsuite.transport.dns.answers import interpret
from mailsuite.transport.dns.records import (
    A_RECORDS,
    AAAA_RECORDS,
    MX_RECORDS,
    PTR_RECORDS,
    TLSA_RECORDS,
    TXT_RECORDS,
    RecordType,
)
from mailsuite.transport.dns.wire import KNOWN, Malformed, read
from tests.transport.dns.questions import answer, header, question, record

TYPES: list[RecordType[Any]] = [A_RECORDS, AAAA_RECORDS, MX_RECORDS, PTR_RECORDS, TLSA_RECORDS, TXT_RECORDS]


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (A_RECORDS, "192.0.2.1", "192.0.2.1"),
        (AAAA_RECORDS, "2001:DB8:0::1", "2001:db8::1"),
        (MX_RECORDS, "10 MX.Example.Org.", MX(10, "mx.example.org")),
        (MX_RECORDS, "0 .", MX(0, "")),
        (MX_RECORDS, r"65535 a\.b\010.example.", MX(65535, r"a\046b\010.example")),
        (TXT_RECORDS, '"v=spf1 " "-all"', "v=spf1 -all"),
        (TXT_RECORDS, '""', ""),
        (TXT_RECORDS, r'"caf\195\169 \255"', "café \ufffd"),
        (TLSA_RECORDS, "3 1 0 00ff", TLSA(3, 1, 0, b"\0\xff")),
        (PTR_RECORDS, "Host.Example.Org.", "host.example.org"),
    ],
)
def test_values(kind: RecordType[Any], written: str, value: object) -> None:
    """Each type has its value; host names are in lower case, without the last dot, and safe to show."""
    assert answer(question(kind=kind), f"example.org. 60 IN {kind.number.name} {written}").records == (value,)


def said(kind: RecordType[Any], *data: bytes) -> tuple[object, ...]:
    """Return the values of records with *data*, behind which there is more in the message."""
    records = b"".join(record(b"\1a\0", kind.number, each) for each in data)
    message = read(header(0, len(data), 0, 0) + records + b"\0" * 20)
    return interpret(message, question("a", kind=kind), True).records


def test_tlsa_of_a_wrong_length() -> None:
    """One association that is of no use does not spoil the others: who uses them is the judge."""
    good = b"\xab" * 32

    assert said(TLSA_RECORDS, b"\3\1\1\xff", b"\3\1\1" + good, b"\3\1\1") == (
        TLSA(3, 1, 1, b"\xff"),
        TLSA(3, 1, 1, good),
        TLSA(3, 1, 1, b""),
    )


def test_known() -> None:
    """What is asked for is read."""
    assert {kind.number for kind in TYPES} <= KNOWN


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (A_RECORDS, b"\1\2\3"),
        (A_RECORDS, b"\1\2\3\4\5"),
        (AAAA_RECORDS, b"\1\2\3\4"),
        (MX_RECORDS, b""),
        (MX_RECORDS, b"\0\1"),
        (MX_RECORDS, b"\0\1\1a\0\0"),
        (MX_RECORDS, b"\0\1\1a"),
        (PTR_RECORDS, b"\1a\0\0"),
        (PTR_RECORDS, b""),
        (TXT_RECORDS, b"\3ab"),
        (TLSA_RECORDS, b""),
        (TLSA_RECORDS, b"\3\1"),
    ],
)
def test_malformed(kind: RecordType[Any], data: bytes) -> None:
    """Data that are too short or too long are refused, not read beyond their end."""
    with pytest.raises((Malformed, DnsTrouble)):
        said(kind, data)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.number.name)
@given(data=st.binary(max_size=40))
def test_any_data(kind: RecordType[Any], data: bytes) -> None:
    """Any data are a value or refused."""
    try:
        (value,) = said(kind, data)
    except (Malformed, DnsTrouble):
        return
    assert isinstance(value, str | MX | TLSA)
