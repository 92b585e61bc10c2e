"""Questions and responses for the tests of what is made of them."""

import struct
from typing import Any, TypeVar, overload

import dns.message
import dns.rdtypes.ANY.MX

from mailsuite.dns import MX
from mailsuite.transport.dns.answers import Answer, interpret
from mailsuite.transport.dns.names import name_of, shown
from mailsuite.transport.dns.records import MX_RECORDS, Question, RecordType
from mailsuite.transport.dns.wire import Message, query, read
from tests.transport.dns.world import reply

T = TypeVar("T")


@overload
def question(name: str = ...) -> Question[MX]: ...
@overload
def question(name: str = ..., *, kind: RecordType[T]) -> Question[T]: ...
def question(name: str = "example.org", *, kind: RecordType[Any] = MX_RECORDS) -> Question[Any]:
    """Return a question."""
    return Question(name_of(name), kind)


def message(
    asked: Question[T],
    *answer: str,
    authority: tuple[str, ...] = (),
    flags: str = "RD RA",
    rcode: str = "NOERROR",
) -> Message:
    """Return a response to *asked*, read."""
    asking = dns.message.make_query(asked.name, asked.type.number)
    return read(reply(asking, *answer, authority=authority, flags=flags, rcode=rcode).to_wire())


def answer(
    asked: Question[T],
    *lines: str,
    authority: tuple[str, ...] = (),
    flags: str = "RD RA",
    rcode: str = "NOERROR",
    trusted: bool = True,
) -> Answer[T]:
    """Return what a response to *asked* says."""
    return interpret(message(asked, *lines, authority=authority, flags=flags, rcode=rcode), asked, trusted)


def asking(asked: Question[T]) -> dns.message.Message:
    """Return the query for *asked*."""
    return dns.message.from_wire(query(7, asked.name, asked.type.number, edns=True))


def header(*counts: int, flags: int = 0x8180) -> bytes:
    """Return the header of a response with so many questions, answers, authorities and additional records."""
    return struct.pack("!6H", 7, flags, *counts)


def record(name: bytes, kind: int, data: bytes, of_class: int = 1, seconds: int = 60) -> bytes:
    """Return a record in octets."""
    return name + struct.pack("!2HIH", kind, of_class, seconds, len(data)) + data


def hosts(heard: Message) -> list[str]:
    """Return the exchangers in the answer section."""
    return [shown(each.data.exchange) for each in heard.answer if isinstance(each.data, dns.rdtypes.ANY.MX.MX)]
