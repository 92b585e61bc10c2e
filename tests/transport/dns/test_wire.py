"""Messages from and to octets, as other programs write and read them, and as nobody should."""

import struct
import subprocess
import sys

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdtypes.ANY.CNAME
import dns.rrset
import pytest
from dns.name import Name
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.transport.dns.wire import KNOWN, PAYLOAD_OCTETS, READS, RECORDS, Malformed, query, read
from tests.transport.dns.questions import header, hosts, record

LABELS = st.binary(min_size=1, max_size=20).map(bytes.lower)
NAMES = st.lists(LABELS, max_size=5).map(lambda labels: Name((*labels, b"")))
ROOT, POINTER = b"\0", b"\xc0\x0c"
QUESTION = b"\1a\0" + struct.pack("!2H", RdataType.MX, 1)


@given(NAMES, st.integers(0, 65_535), st.booleans())
def test_queries(name: Name, number: int, edns: bool) -> None:
    """A question says: recursion wanted, the AD bit wanted, and that 1,232 octets may come over UDP."""
    made = dns.message.from_wire(query(number, name, RdataType.MX, edns))

    assert made.id == number
    assert made.flags == dns.flags.RD | dns.flags.AD
    assert [(each.name.labels, each.rdtype, each.rdclass) for each in made.question] == [(name.labels, 15, 1)]
    assert (made.edns, made.payload) == ((0, 1232) if edns else (-1, 0))
    assert not (made.answer or made.authority or made.additional)


@given(NAMES, st.lists(st.tuples(NAMES, st.integers(0, 0x7FFFFFFF), NAMES), max_size=8))
def test_answers(asked: Name, aliases: list[tuple[Name, int, Name]]) -> None:
    """What another program has written, compressed, is read as it was meant."""
    made = dns.message.make_response(dns.message.make_query(asked, "CNAME", use_edns=0))
    for section in (made.answer, made.authority):
        for name, seconds, target in aliases:
            section.append(dns.rrset.from_text(name, seconds, "IN", "CNAME", target.to_text()))
    message = read(made.to_wire())

    assert message.question == (asked, RdataType.CNAME, 1)
    assert message.rcode == dns.rcode.NOERROR
    for records in (message.answer, message.authority):
        assert [each.type for each in records] == [RdataType.CNAME] * len(aliases)
        assert [(each.name, each.seconds, target_of(each.data)) for each in records] == aliases


def target_of(data: dns.rdata.Rdata) -> Name:
    """Return where an alias leads to."""
    assert isinstance(data, dns.rdtypes.ANY.CNAME.CNAME)
    return data.target


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
    """Names are the same whatever a server makes of their case; the names of records are read in lower case."""
    message = read(header(1, 1, 0, 0) + b"\7eXaMpLe\3ORG\0\0\x0f\0\1" + record(POINTER, 1, b"\1\2\3\4"))

    assert message.question == (Name((b"example", b"org", b"")), 15, 1)
    assert message.answer[0].name.labels == (b"example", b"org", b"")


LONG = (b"\x3f" + b"a" * 63) * 3


@pytest.mark.parametrize(("size", "fits"), [(61, True), (62, False)])
def test_long_names(size: int, fits: bool) -> None:
    """A name has 255 octets, counted as in a message, also where it is continued elsewhere."""
    end = bytes((size,)) + b"b" * size + b"\0"
    name = Name((*[b"a" * 63] * 3, b"b" * size, b"")) if fits else None
    address = (1, b"\1\2\3\4")
    in_one_piece = header(0, 1, 0, 0) + record(LONG + end, *address)
    in_two = header(0, 2, 0, 0) + record(end, *address) + record(LONG + POINTER, *address)
    for octets in (in_one_piece, in_two):
        if fits:
            assert read(octets).answer[-1].name == name
        else:
            with pytest.raises(Malformed, match=r"^NameTooLong$"):
                read(octets)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\xc0\x0c", "BadPointer"),  # itself
        (b"\1a\xc0\x0c", "BadPointer"),  # its own beginning
        (b"\1a\xc0\x10\0", "BadPointer"),  # what comes later
        (b"\xff\xff", "BadPointer"),
        (b"\x40" + b"a" * 64 + b"\0", "BadLabelType"),  # a kind of label that is not in use
        (b"\x80a\0", "BadLabelType"),
    ],
)
def test_bad_names(octets: bytes, why: str) -> None:
    """A name that goes in circles, forward or nowhere ends the reading."""
    with pytest.raises(Malformed, match=f"^{why}$"):
        read(header(1, 0, 0, 0) + octets + struct.pack("!2H", 15, 1))


@pytest.mark.parametrize("octets", [b"", b"\1a", b"\5abc", b"\xc0", b"\1a\0\0"])
def test_ends_early(octets: bytes) -> None:
    """So does a message that ends within a name, or before it."""
    with pytest.raises(Malformed, match=r"^FormError$"):
        read(header(1, 0, 0, 0) + octets)


@pytest.mark.parametrize("size", [0, 11])
def test_no_header(size: int) -> None:
    """And one that has no room for a header."""
    with pytest.raises(Malformed):
        read(header(0, 0, 0, 0)[:size])
    assert read(header(0, 0, 0, 0)).question is None


class TestLimits:
    """A message is small, or it is refused, before it has cost much."""

    @pytest.mark.parametrize("more", [0, 1])
    def test_records(self, more: int) -> None:
        """At most 200 records, in all sections."""
        one = record(POINTER, 1, b"\1\2\3\4")
        made = header(1, RECORDS - 20 + more, 10, 10) + QUESTION + one * (RECORDS + more)
        if more:
            with pytest.raises(Malformed, match=r"^it holds too much$"):
                read(made)
        else:
            assert len(read(made).answer) == RECORDS - 20

    @pytest.mark.parametrize("more", [0, 1])
    def test_reads(self, more: int) -> None:
        """At most 4,500 times something is read of it. It is, here: the header once, an address three times (its empty
        name, what stands before its data, the data), an unknown record twice, a text as well and two for each string.
        """
        strings = (READS - 1 - 3 - 2) // 2
        text = record(ROOT, RdataType.TXT, b"\0" * strings)
        address, unknown = record(ROOT, 1, b"\1\2\3\4"), record(ROOT, 65_000, b"")
        if more:
            with pytest.raises(Malformed, match=r"^it holds too much$"):
                read(header(0, 3, 0, 0) + unknown * 2 + text)
        else:
            assert len(read(header(0, 2, 0, 0) + address + text).answer) == 2

    @pytest.mark.parametrize("kind", [RdataType.A, RdataType.MX, RdataType.CNAME, RdataType.SOA, RdataType.PTR])
    @pytest.mark.parametrize("size", [PAYLOAD_OCTETS, 65_535])
    def test_long_names_in_many_records(self, kind: RdataType, size: int) -> None:
        """Names of 127 labels take two octets each, by pointers: no message may be full of them."""
        asked = b"\1a" * 126 + b"\0" + struct.pack("!2H", kind, 1)
        data = {
            RdataType.A: b"\1\2\3\4",
            RdataType.MX: b"\0\1" + POINTER,
            RdataType.SOA: POINTER * 2 + b"\0" * 20,
        }.get(kind, POINTER)
        one = record(POINTER, kind, data)
        count = min(RECORDS, (size - len(asked) - 12) // len(one))

        with pytest.raises(Malformed, match=r"^it holds too much$"):
            read(header(1, count, 0, 0) + asked + one * count)
        assert len(read(header(1, 4, 0, 0) + asked + one * 4).answer) == 4

    def test_chains_of_pointers(self) -> None:
        """Nor may it be full of pointers that lead to each other."""
        chain = b"\0\0" + b"".join(struct.pack("!H", 0xC000 + 23 + 2 * step) for step in range(590))
        end = struct.pack("!H", 0xC000 + 23 + len(chain) - 2)
        made = header(0, 101, 0, 0) + record(ROOT, 65_000, chain) + record(end, 65_000, b"") * 100

        with pytest.raises(Malformed):
            read(made)

    def test_usual_names(self) -> None:
        """As many exchangers as there may be records are no trouble."""
        made = dns.message.make_response(dns.message.make_query("example.org", "MX", use_edns=0))
        lines = [f"{number} mx{number}.mail.example.org." for number in range(RECORDS - 1)]
        made.answer.append(dns.rrset.from_text("example.org.", 60, "IN", "MX", *lines))

        assert len(hosts(read(made.to_wire(max_size=65_535)))) == RECORDS - 1

    def test_nothing_is_left(self) -> None:
        """Types and classes that nobody knows are not remembered: there are four milliards of them."""
        before = len(dns.rdata._rdata_classes)
        odd = [record(ROOT, 40_000 + number, b"\1", of_class=2 + number) for number in range(50)]
        odd += [record(ROOT, RdataType.A, b"\1", of_class=60_000 + number) for number in range(50)]
        odd += [record(ROOT, 50_000 + number, b"\1") for number in range(50)]

        assert read(header(0, 50, 50, 50) + b"".join(odd)).answer == []
        assert len(dns.rdata._rdata_classes) == before


def test_loaded() -> None:
    """What reads the data is there from the beginning: later the files may be out of reach."""
    code = (
        "import dns.rdata\n"
        "from mailsuite.transport.dns.wire import KNOWN\n"
        "dns.rdata.import_module = None\n"
        "for kind in KNOWN:\n"
        "    print(dns.rdata.get_rdata_class(1, kind).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert sorted(done.stdout.split()) == sorted(kind.name for kind in KNOWN)


def test_two_questions() -> None:
    """Nobody answers two questions at once."""
    with pytest.raises(Malformed):
        read(header(2, 0, 0, 0) + QUESTION * 2)


def test_truncated() -> None:
    """Of a truncated message only header and question are looked at: the rest may end anywhere."""
    made = header(1, 5, 0, 0, flags=0x8180 | dns.flags.TC) + QUESTION + b"\xc0\x0c\0"

    message = read(made)

    assert message.flags & dns.flags.TC
    assert message.question == (Name((b"a", b"")), 15, 1)
    assert message.answer == []


def test_more_behind_it() -> None:
    """What stands behind the last record does not matter."""
    assert len(read(header(0, 1, 0, 0) + record(ROOT, 1, b"\1\2\3\4") + b"\xff" * 9).answer) == 1


@pytest.mark.parametrize("of_class", [0, 3, 254, 255])
def test_other_classes(of_class: int) -> None:
    """Only records of the Internet are taken; of others nothing is read."""
    other = record(b"\1a\0", 1, b"\1\2", of_class=of_class)

    assert read(header(0, 1, 0, 0) + other).answer == []


@pytest.mark.parametrize("kind", [RdataType.TSIG, RdataType.HIP, RdataType.OPT, 65_280])
def test_other_types(kind: int) -> None:
    """Nor of types that we do not ask for."""
    made = header(0, 2, 2, 2) + record(ROOT, kind, b"\xc0") * 6

    message = read(made)

    assert message.answer == message.authority == []
    assert message.rcode == dns.rcode.NOERROR


@pytest.mark.parametrize(("ttl", "seconds"), [(0x7FFFFFFF, 0x7FFFFFFF), (0x80000000, 0), (0xFFFFFFFF, 0)])
def test_negative_ttl(ttl: int, seconds: int) -> None:
    """RFC 2181 §8: a TTL with its highest bit set is 0."""
    message = read(header(0, 1, 0, 0) + record(b"\1a\0", 1, b"\1\2\3\4", seconds=ttl))

    assert message.answer[0].seconds == seconds


def test_extended_rcode() -> None:
    """The OPT record has the upper bits of the response code: 16 is BADVERS."""
    opt = record(ROOT, 41, b"", of_class=1232, seconds=1 << 24)

    assert read(header(0, 0, 0, 1) + opt).rcode == dns.rcode.BADVERS
    assert read(header(0, 0, 0, 1, flags=0x8187) + opt).rcode == dns.rcode.BADCOOKIE


def test_record_beyond_the_end() -> None:
    """A record that is longer than its message is none."""
    for kind in (1, 65_000):
        with pytest.raises(Malformed):
            read(header(0, 1, 0, 0) + record(b"\1a\0", kind, b"\1\2\3\4")[:-1])
