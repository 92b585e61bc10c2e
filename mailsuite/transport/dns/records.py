"""The types of records that we ask for, and what their data says."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Generic, TypeVar

import dns.name
import dns.rdata
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
from dns.rdatatype import RdataType

from mailsuite.dns import MX, TLSA
from mailsuite.transport.dns.names import shown
from mailsuite.transport.dns.wire import Malformed

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class RecordType(Generic[T_co]):
    """A type of records. *read* makes a value of a record's data, of that type, or raises `Malformed`."""

    number: RdataType
    read: Callable[[Any], T_co]


@dataclass(frozen=True, slots=True)
class Question(Generic[T_co]):
    """Which records of a name are asked for."""

    name: dns.name.Name
    type: RecordType[T_co]

    def __str__(self) -> str:
        return f"{shown(self.name)} {self.type.number.name}"


def _address(data: dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA) -> str:
    return str(ip_address(data.address))


def _mx(data: dns.rdtypes.ANY.MX.MX) -> MX:
    # RFC 7505 §3: the root as host is the null MX; as text it is empty.
    return MX(data.preference, shown(data.exchange))


def _txt(data: dns.rdtypes.ANY.TXT.TXT) -> str:
    """Join the strings; what is not UTF-8 is replaced, since nothing that we read from TXT goes beyond ASCII."""
    return b"".join(data.strings).decode("utf-8", "replace")


def _tlsa(data: dns.rdata.GenericRdata) -> TLSA:
    octets = data.data
    if len(octets) < 3:
        raise Malformed("a TLSA record is too short")
    return TLSA(octets[0], octets[1], octets[2], octets[3:])


def _host(data: dns.rdtypes.ANY.PTR.PTR) -> str:
    return shown(data.target)


# RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 6698 §7.1
A_RECORDS = RecordType(RdataType.A, _address)
AAAA_RECORDS = RecordType(RdataType.AAAA, _address)
MX_RECORDS = RecordType(RdataType.MX, _mx)
TXT_RECORDS = RecordType(RdataType.TXT, _txt)
TLSA_RECORDS = RecordType(RdataType.TLSA, _tlsa)
PTR_RECORDS = RecordType(RdataType.PTR, _host)
