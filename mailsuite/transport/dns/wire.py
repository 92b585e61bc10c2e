"""Messages of the DNS, from and to octets (RFC 1035 §4), by dnspython.

A peer may send what it likes, and the reactor waits meanwhile: a message is read within limits, and only what we ask
for is read of it. So its sections are walked here, and its names and data read by the library. (Its own
``dns.message.from_wire`` makes sets of records: 1,232 octets full of long names hold it up for 500 ms, 64 KiB for 9
seconds; and each type and class that it does not know takes memory for good.)
"""

from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.wire
from dns.rdatatype import RdataType

# What we take over UDP (RFC 6891 §6.2.5): fits the smallest MTU of IPv6, so that no answer is cut up on the way.
PAYLOAD_OCTETS = 1_232
# A message with more records is refused. (The largest sets are TXT, some 100.)
RECORDS = 200
# So is one of which more is to be read, each label and its length, each number: names may be long, and many records
# may point to the same. That much takes some 5 ms. (There is room for 200 MX, or 50 PTR of an IPv6 address.)
READS = 4_500

INTERNET = dns.rdataclass.IN
# The records whose data is read; each other one is skipped.
KNOWN = frozenset(map(RdataType.make, ("A", "AAAA", "CNAME", "DNAME", "MX", "NS", "PTR", "SOA", "TLSA", "TXT")))
for _known in KNOWN:
    # Loaded now: the user that root becomes may not be able to.
    dns.rdata.get_rdata_class(INTERNET, _known)
_SIGN = 0x80000000


class Malformed(Exception):
    """These octets are no message that we can use."""


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record of a type that is `KNOWN`. *name* is in lower case, *seconds* is the TTL."""

    name: dns.name.Name
    type: int
    seconds: int
    data: dns.rdata.Rdata


@dataclass(slots=True)
class Message:
    """A message that was read. *question* is name, type and class, where there is exactly one.

    Of a truncated message there is no more than the question.
    """

    id: int
    flags: int
    rcode: dns.rcode.Rcode
    question: tuple[dns.name.Name, int, int] | None = None
    answer: list[Record] = field(default_factory=list)
    authority: list[Record] = field(default_factory=list)


class _TooMuch(dns.exception.FormError):
    """A limit is exceeded."""


class _Octets(dns.wire.Parser):
    """The octets of a message; how often something is read of them is limited."""

    reads = 0

    def get_bytes(self, size: int) -> bytes:
        """Read *size* octets; whatever the library reads goes this way."""
        self.reads += 1
        if self.reads > READS:
            raise _TooMuch
        return super().get_bytes(size)


def read(data: bytes) -> Message:
    """Read a message. Raises `Malformed`."""
    try:
        return _read(_Octets(data))
    except _TooMuch:
        raise Malformed("it holds too much") from None
    except dns.exception.DNSException as error:
        # Its text may quote the message.
        raise Malformed(type(error).__name__) from None


def _read(octets: _Octets) -> Message:
    number, flags, questions, answers, authorities, additional = octets.get_struct("!6H")
    if questions > 1 or answers + authorities + additional > RECORDS:
        raise _TooMuch
    message = Message(number, flags, dns.rcode.from_flags(flags, 0))
    if questions:
        message.question = (dns.name.from_wire_parser(octets), *octets.get_struct("!2H"))
    if flags & dns.flags.TC:
        return message
    message.answer = _section(octets, answers, message)
    message.authority = _section(octets, authorities, message)
    _section(octets, additional, message)
    return message


def _section(octets: _Octets, count: int, message: Message) -> list[Record]:
    """Read *count* records; return those that are known. An OPT record changes the response code of *message*."""
    records = []
    for _ in range(count):
        name = dns.name.from_wire_parser(octets)
        kind, of_class, seconds, length = octets.get_struct("!2HIH")
        with octets.restrict_to(length):
            if of_class == INTERNET and kind in KNOWN:
                # RFC 2181 §8: a TTL with the highest bit set counts as 0.
                seconds = 0 if seconds & _SIGN else seconds
                records.append(Record(name.canonicalize(), kind, seconds, _data(RdataType(kind), octets)))
                continue
            if kind == RdataType.OPT:
                # RFC 6891 §6.1.3: it has the upper eight bits.
                message.rcode = dns.rcode.from_flags(message.flags, seconds)
            octets.seek(octets.end)
    return records


def _data(kind: RdataType, octets: _Octets) -> dns.rdata.Rdata:
    if kind == RdataType.TLSA:
        # RFC 6698 §4.1: an association that cannot be used is left out. The library would refuse the whole message.
        return dns.rdata.GenericRdata(INTERNET, kind, octets.get_remaining())
    return dns.rdata.from_wire_parser(INTERNET, kind, octets)


def query(number: int, name: dns.name.Name, kind: RdataType, edns: bool) -> bytes:
    """Return the message that asks for records of type *kind* under *name*; *number* is its id."""
    made = dns.message.make_query(
        name,
        kind,
        id=number,
        # RFC 6840 §5.7: the AD bit in a question says that we want to know whether the answer is validated.
        flags=dns.flags.RD | dns.flags.AD,
        use_edns=0 if edns else False,
        payload=PAYLOAD_OCTETS,
    )
    return made.to_wire()
