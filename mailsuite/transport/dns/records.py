"""The types of records that we ask for, and what their data says."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, TypeVar

from mailsuite.dns import MX, TLSA
from mailsuite.transport.dns.names import Name, shown
from mailsuite.transport.dns.wire import Malformed, Octets, Record

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class RecordType(Generic[T_co]):
    """A type of records. *read* makes a value of a record's data, or raises `Malformed`."""

    number: int
    text: str
    read: Callable[[Octets, Record], T_co]


@dataclass(frozen=True, slots=True)
class Question(Generic[T_co]):
    """Which records of a name are asked for."""

    name: Name
    type: RecordType[T_co]

    def __str__(self) -> str:
        return f"{shown(self.name)} {self.type.text}"


_MX = struct.Struct("!H")
_TLSA = struct.Struct("!3B")


def _data(octets: Octets, record: Record) -> bytes:
    return octets.take(record.start, record.end)


def _address_v4(octets: Octets, record: Record) -> str:
    return str(IPv4Address(_exactly(4, octets, record)))


def _address_v6(octets: Octets, record: Record) -> str:
    return str(IPv6Address(_exactly(16, octets, record)))


def _exactly(size: int, octets: Octets, record: Record) -> bytes:
    data = _data(octets, record)
    if len(data) != size:
        raise Malformed("an address has a wrong length")
    return data


def name_in(octets: Octets, record: Record, skip: int = 0) -> Name:
    """Return the name that is all of a record's data but the first *skip* octets."""
    name, after = octets.name(record.start + skip)
    if after != record.end:
        raise Malformed("a name does not fill its record")
    return name


def _host(octets: Octets, record: Record) -> str:
    return shown(name_in(octets, record))


def _mx(octets: Octets, record: Record) -> MX:
    (preference,) = octets.numbers(_MX, record.start)
    # RFC 7505 §3: the root as host is the null MX; as text it is empty.
    return MX(preference, shown(name_in(octets, record, _MX.size)))


def _txt(octets: Octets, record: Record) -> str:
    """Join the strings; what is not UTF-8 is replaced, since nothing that we read from TXT goes beyond ASCII."""
    data, strings, at = _data(octets, record), [], 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise Malformed("a text is longer than its record")
        strings.append(data[at + 1 : end])
        at = end
    return b"".join(strings).decode("utf-8", "replace")


def _tlsa(octets: Octets, record: Record) -> TLSA:
    data = _data(octets, record)
    if len(data) < _TLSA.size:
        raise Malformed("a TLSA record is too short")
    usage, selector, matching = _TLSA.unpack_from(data)
    return TLSA(usage, selector, matching, data[_TLSA.size :])


# RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 6698 §7.1
A_RECORDS = RecordType(1, "A", _address_v4)
AAAA_RECORDS = RecordType(28, "AAAA", _address_v6)
MX_RECORDS = RecordType(15, "MX", _mx)
TXT_RECORDS = RecordType(16, "TXT", _txt)
TLSA_RECORDS = RecordType(52, "TLSA", _tlsa)
PTR_RECORDS = RecordType(12, "PTR", _host)
