"""Questions and responses for the tests of what is made of them."""

from typing import Any, TypeVar, overload

import dns.message

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
    asking = dns.message.make_query(shown(asked.name), asked.type.text)
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
