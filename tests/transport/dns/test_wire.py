"""Messages from and to octets. dnspython reads what we write, and writes what we read."""

import struct

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.transport.dns.names import Name
from mailsuite.transport.dns.wire import (
    INTERNET,
    POINTERS,
    RECORDS,
    TRUNCATED,
    Malformed,
    Octets,
    query,
    read,
)

LABELS = st.binary(min_size=1, max_size=20).map(bytes.lower)
NAMES = st.lists(LABELS, max_size=5).map(tuple)
A = dns.rdatatype.A


def header(*counts: int, flags: int = 0x8180) -> bytes:
    """Return a header."""
    return struct.pack("!6H", 7, flags, *counts)


def record(name: bytes, kind: int, data: bytes, of_class: int = INTERNET, seconds: int = 60) -> bytes:
    """Return a record."""
    return name + struct.pack("!2HIH", kind, of_class, seconds, len(data)) + data


@given(NAMES, st.integers(0, 65_535), st.booleans())
def test_queries(name: Name, number: int, edns: bool) -> None:
    """A question says: recursion wanted, the AD bit wanted, and that 1,232 octets may come over UDP."""
    made = dns.message.from_wire(query(number, name, 15, edns))

    assert made.id == number
    assert made.flags == dns.flags.RD | dns.flags.AD
    assert [(each.name.labels, each.rdtype, each.rdclass) for each in made.question] == [((*name, b""), 15, 1)]
    assert (made.edns, made.payload) == ((0, 1232) if edns else (-1, 0))
    assert not (made.answer or made.authority or made.additional)


@given(NAMES, st.lists(st.tuples(NAMES, st.integers(0, 0x7FFFFFFF), NAMES), max_size=8))
def test_answers(asked: Name, aliases: list[tuple[Name, int, Name]]) -> None:
    """What another program has written, compressed, is read as it was meant."""
    made = dns.message.make_response(dns.message.make_query(dns.name.Name((*asked, b"")), "CNAME", use_edns=0))
    for section in (made.answer, made.authority):
        for name, seconds, target in aliases:
            rrset = dns.rrset.from_text(dns.name.Name((*name, b"")), seconds, "IN", "CNAME", "x.")
            section.append(dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype))
            section[-1].add(rrset[0].replace(target=dns.name.Name((*target, b""))), seconds)
    message = read(made.to_wire())

    assert message.question == (asked, dns.rdatatype.CNAME, INTERNET)
    for records in (message.answer, message.authority):
        ends = [message.octets.name(each.start) for each in records]
        assert [(each.name, each.seconds, end[0]) for each, end in zip(records, ends, strict=True)] == aliases
        assert [(each.type, each.end) for each in records] == [(5, end[1]) for end in ends]


@given(st.binary(max_size=200))
def test_any_octets(data: bytes) -> None:
    """Octets are a message, or `Malformed`."""
    try:
        message = read(data)
    except Malformed:
        return
    assert message.id == int.from_bytes(data[:2], "big")


@given(st.data())
def test_damaged_messages(data: st.DataObject) -> None:
    """A message with some octets changed, and cut off, is a message or `Malformed`."""
    made = dns.message.make_response(dns.message.make_query("example.org", "MX", use_edns=0))
    made.answer.append(dns.rrset.from_text("example.org.", 60, "IN", "MX", "10 a.example.org.", "20 b.example.org."))
    made.authority.append(dns.rrset.from_text("example.org.", 60, "IN", "NS", "ns.example.org."))
    octets = bytearray(made.to_wire())
    for at in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=6)):
        octets[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(octets)))
    try:
        read(bytes(octets[:end]))
    except Malformed:
        pass


def test_case() -> None:
    """Names are read in lower case, whatever a server repeats."""
    message = read(header(1, 0, 0, 0) + b"\7eXaMpLe\3ORG\0" + struct.pack("!2H", 15, 1))

    assert message.question == ((b"example", b"org"), 15, 1)


LONG = (b"\x3f" + b"a" * 63) * 3


@pytest.mark.parametrize(("size", "fits"), [(61, True), (62, False)])
def test_long_names(size: int, fits: bool) -> None:
    """A name has 255 octets, counted as in a message, also where it is continued elsewhere."""
    end = bytes((size,)) + b"b" * size + b"\0"
    in_one_piece = Octets(LONG + end)
    in_two = Octets(end + LONG + b"\xc0\0")
    in_two_known = Octets(end + LONG + b"\xc0\0")
    in_two_known.name(0)
    for octets, start in ((in_one_piece, 0), (in_two, len(end)), (in_two_known, len(end))):
        if fits:
            assert octets.name(start) == ((b"a" * 63, b"a" * 63, b"a" * 63, b"b" * size), len(octets.data))
        else:
            with pytest.raises(Malformed):
                octets.name(start)


@pytest.mark.parametrize(
    "octets",
    [
        b"\xc0\0",  # itself
        b"\1a\xc0\0",  # its own beginning
        b"\1a\xc0\4\0",  # what comes later
        b"\1a",  # no end
        b"\5abc",
        b"\xc0",
        b"\x40" + b"a" * 64 + b"\0",  # a kind of label that is not in use
        b"\x80a\0",
        b"",
    ],
)
def test_bad_names(octets: bytes) -> None:
    """A name that goes in circles, forward or nowhere ends the reading."""
    with pytest.raises(Malformed):
        Octets(octets).name(0)


def test_circles_elsewhere() -> None:
    """Two pointers cannot lead to each other."""
    with pytest.raises(Malformed):
        Octets(b"\xc0\2\xc0\0").name(2)


@pytest.mark.parametrize("more", [0, 1])
def test_pointers(more: int) -> None:
    """A name may be continued 64 times."""
    chain = b"\0\0" + b"".join(struct.pack("!H", 0xC000 + 2 * step) for step in range(POINTERS + more))
    name = Octets(chain)
    if more:
        with pytest.raises(Malformed):
            name.name(len(chain) - 2)
    else:
        assert name.name(len(chain) - 2) == ((), len(chain))


@pytest.mark.parametrize("more", [0, 1])
def test_records(more: int) -> None:
    """A message has at most 500 records, in all sections."""
    one = record(b"\xc0\x0c", 1, b"\1\2\3\4")
    made = header(1, RECORDS - 20 + more, 10, 10) + b"\1a\0\0\1\0\1" + one * (RECORDS + more)
    if more:
        with pytest.raises(Malformed):
            read(made)
    else:
        assert len(read(made).answer) == RECORDS - 20


def test_two_questions() -> None:
    """Nobody answers two questions at once."""
    with pytest.raises(Malformed):
        read(header(2, 0, 0, 0) + b"\1a\0\0\1\0\1" * 2)


def test_truncated() -> None:
    """Of a truncated message only header and question are looked at: the rest may end anywhere."""
    made = header(1, 5, 0, 0, flags=0x8180 | TRUNCATED) + b"\1a\0\0\1\0\1" + b"\xc0\x0c\0"

    message = read(made)

    assert message.flags & TRUNCATED
    assert message.question == ((b"a",), 1, 1)
    assert message.answer == []


def test_other_classes() -> None:
    """Only records of the Internet are taken."""
    chaos = record(b"\1a\0", 1, b"\1\2\3\4", of_class=3)

    assert read(header(0, 1, 0, 0) + chaos).answer == []


@pytest.mark.parametrize(("ttl", "seconds"), [(0x7FFFFFFF, 0x7FFFFFFF), (0x80000000, 0), (0xFFFFFFFF, 0)])
def test_negative_ttl(ttl: int, seconds: int) -> None:
    """RFC 2181 §8: a TTL with its highest bit set is 0."""
    message = read(header(0, 1, 0, 0) + record(b"\1a\0", 1, b"\1\2\3\4", seconds=ttl))

    assert message.answer[0].seconds == seconds


def test_extended_rcode() -> None:
    """The OPT record has the upper bits of the response code: 16 is BADVERS."""
    assert read(header(0, 0, 0, 1) + record(b"\0", 41, b"", of_class=1232, seconds=1 << 24)).rcode == 16


def test_record_beyond_the_end() -> None:
    """A record that is longer than its message is none."""
    with pytest.raises(Malformed):
        read(header(0, 1, 0, 0) + record(b"\1a\0", 1, b"\1\2\3\4")[:-1])
