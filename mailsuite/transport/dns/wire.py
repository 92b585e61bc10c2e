"""Messages of the DNS, from and to octets (RFC 1035 §4).

A peer may send what it likes: everything is read within bounds, and in a time that is proportional to the octets. (A
general DNS library makes an object of each name; 2,000 octets full of long names hold it up for 400 ms.)
"""

import struct
from dataclasses import dataclass, field

from mailsuite.transport.dns.names import LABEL_OCTETS, NAME_OCTETS, Name

# Flags of the header (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
RESPONSE = 0x8000
OPCODE = 0x7800
TRUNCATED = 0x0200
RECURSION_DESIRED = 0x0100
RECURSION_AVAILABLE = 0x0080
AUTHENTIC = 0x0020
RCODE = 0x000F

INTERNET = 1
OPT = 41
# What we take over UDP (RFC 6891 §6.2.5): fits the smallest MTU of IPv6, so that no answer is cut up on the way.
PAYLOAD_OCTETS = 1_232
# A message with more records is refused: reading it would hold up the reactor. (The largest sets are TXT, some 100.)
RECORDS = 500
# How often a name may be continued elsewhere.
POINTERS = 64
_POINTER = 0xC0
_SIGN = 0x80000000


class Malformed(Exception):
    """These octets are no message that we can use."""


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record; *start* and *end* say where its data stands in the message. *seconds* is the TTL."""

    name: Name
    type: int
    seconds: int
    start: int
    end: int


class Octets:
    """Reads numbers and names out of a message. Everything raises `Malformed` where they are not there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._known: dict[int, Name] = {}

    def numbers(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        """Return the numbers at *at*."""
        try:
            return layout.unpack_from(self.data, at)
        except struct.error:
            raise Malformed("it ends too early") from None

    def take(self, start: int, end: int) -> bytes:
        """Return the octets from *start* to *end*."""
        if end > len(self.data):
            raise Malformed("it ends too early")
        return self.data[start:end]

    def name(self, start: int) -> tuple[Name, int]:
        """Return the name at *start*, in lower case, and where what follows it begins."""
        labels: list[bytes] = []
        # Where parts of this name begin that pointers lead to, and before which label.
        begins = [(start, 0)]
        at, room, after = start, NAME_OCTETS - 1, 0
        while (length := self._octet(at)) != 0:
            if length >= _POINTER:
                target = (length - _POINTER) << 8 | self._octet(at + 1)
                after = after or at + 2
                # RFC 1035 §4.1.4: a prior occurrence. So there is no way round in circles.
                if target >= begins[-1][0] or len(begins) > POINTERS:
                    raise Malformed("a name leads nowhere")
                begins.append((target, len(labels)))
                if (known := self._known.get(target)) is not None:
                    labels += known
                    room -= sum(map(len, known)) + len(known)
                    break
                at = target
                continue
            if length > LABEL_OCTETS:
                raise Malformed("a label is too long")
            labels.append(self.take(at + 1, at + 1 + length).lower())
            at += 1 + length
            room -= 1 + length
            if room < 0:
                break
        if room < 0:
            raise Malformed("a name is too long")
        for place, before in begins:
            self._known[place] = tuple(labels[before:])
        return self._known[start], after or at + 1

    def _octet(self, at: int) -> int:
        try:
            return self.data[at]
        except IndexError:
            raise Malformed("it ends too early") from None


@dataclass(slots=True)
class Message:
    """A message that was read. *question* is name, type and class, where there is exactly one.

    Of a truncated message there is no more than the question.
    """

    octets: Octets
    id: int
    flags: int
    question: tuple[Name, int, int] | None = None
    rcode: int = 0
    answer: list[Record] = field(default_factory=list)
    authority: list[Record] = field(default_factory=list)


_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!2HIH")


def read(data: bytes) -> Message:
    """Read a message. Raises `Malformed`."""
    octets = Octets(data)
    number, flags, questions, answers, authorities, additional = octets.numbers(_HEADER, 0)
    message = Message(octets, number, flags, rcode=flags & RCODE)
    if questions > 1 or answers + authorities + additional > RECORDS:
        raise Malformed("it holds too much")
    at = _HEADER.size
    if questions:
        name, at = octets.name(at)
        kind, of_class = octets.numbers(_QUESTION, at)
        at += _QUESTION.size
        message.question = (name, kind, of_class)
    if flags & TRUNCATED:
        return message
    at = _read_records(message, at, answers, message.answer)
    at = _read_records(message, at, authorities, message.authority)
    _read_records(message, at, additional, [])
    return message


def _read_records(message: Message, at: int, count: int, into: list[Record]) -> int:
    """Read *count* records of the Internet at *at*; return where what follows them begins."""
    octets = message.octets
    for _ in range(count):
        name, at = octets.name(at)
        kind, of_class, seconds, length = octets.numbers(_RECORD, at)
        start = at + _RECORD.size
        at = start + length
        if at > len(octets.data):
            raise Malformed("it ends too early")
        if kind == OPT:
            # RFC 6891 §6.1.3: the upper eight bits of the response code.
            message.rcode |= seconds >> 24 << 4
        elif of_class == INTERNET:
            # RFC 2181 §8: with the highest bit set it counts as 0.
            into.append(Record(name, kind, 0 if seconds & _SIGN else seconds, start, at))
    return at


def query(number: int, name: Name, kind: int, edns: bool) -> bytes:
    """Return the message that asks for records of type *kind* under *name*; *number* is its id."""
    # RFC 6840 §5.7: the AD bit in a question says that we want to know whether the answer is validated.
    header = _HEADER.pack(number, RECURSION_DESIRED | AUTHENTIC, 1, 0, 0, int(edns))
    labels = b"".join(bytes((len(label),)) + label for label in name)
    opt = b"\0" + _RECORD.pack(OPT, PAYLOAD_OCTETS, 0, 0) if edns else b""
    return header + labels + b"\0" + _QUESTION.pack(kind, INTERNET) + opt
