"""From a server's message to an answer: whether it belongs to the question, and what it says."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.names import NAME_OCTETS, Name, octets_of, shown
from mailsuite.transport.dns.records import Question, name_in
from mailsuite.transport.dns.wire import (
    AUTHENTIC,
    INTERNET,
    OPCODE,
    RECURSION_AVAILABLE,
    RESPONSE,
    Malformed,
    Message,
    Record,
)

T_co = TypeVar("T_co", covariant=True)

# How many aliases may stand between the name that is asked for and the records.
ALIASES = 16
# The longest that an answer is kept, in seconds, whatever its TTL says; and one that there is nothing (RFC 2308 §5).
KEPT_SECONDS = 86_400
NOTHING_KEPT_SECONDS = 3_600

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
RCODES = {
    FORMERR: "FORMERR",
    SERVFAIL: "SERVFAIL",
    NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    6: "YXDOMAIN",
    9: "NOTAUTH",
    16: "BADVERS",
}
_NS, _CNAME, _SOA, _DNAME = 2, 5, 6, 39
_SOA_NUMBERS = struct.Struct("!5I")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T_co]):
    """What a question came to.

    *exists* is false for NXDOMAIN. *records* may be empty. *secure*: it is validated, aliases and all. *name* is the
    one at the end of the aliases. It is good for *seconds*, which may be 0.
    """

    exists: bool
    records: tuple[T_co, ...]
    secure: bool
    name: str
    seconds: int


def belongs(message: Message, number: int, question: Question[object]) -> bool:
    """Say whether *message* answers *question*, which was sent with the id *number* (RFC 5452 §9.1)."""
    if message.id != number or not message.flags & RESPONSE or message.flags & OPCODE:
        return False
    if message.question is None:
        # Who has not understood a question does not always repeat it.
        return message.rcode in (FORMERR, SERVFAIL, NOTIMP, REFUSED)
    return message.question == (question.name, question.type.number, INTERNET)


def interpret(message: Message, question: Question[T_co], trusted: bool) -> Answer[T_co]:
    """Return what *message* says. Raises `DnsTrouble`, with a text that goes on after the server's name.

    *trusted*: the server's word that the answer is validated counts.
    """
    if message.rcode not in (NOERROR, NXDOMAIN):
        raise DnsTrouble(f"answered {RCODES.get(message.rcode, f'RCODE {message.rcode}')} for {question}")
    try:
        return _interpret(message, question, trusted)
    except Malformed as error:
        raise DnsTrouble(f"answered nonsense for {question}: {error}") from None


def _interpret(message: Message, question: Question[T_co], trusted: bool) -> Answer[T_co]:
    name, aliases = _follow(message, question)
    found = [record for record in message.answer if record.type == question.type.number and record.name == name]
    # RFC 4035 §3.2.3: AD is set only where every record of the answer and of the authority section is authentic.
    secure = trusted and bool(message.flags & AUTHENTIC)
    if not found:
        seconds = min((_seconds_of_nothing(message, bool(aliases)), *(alias.seconds for alias in aliases)))
        return Answer(message.rcode == NOERROR, (), secure, shown(name), seconds)
    if message.rcode == NXDOMAIN:
        raise Malformed("it denies the name of its own records")
    records = tuple(dict.fromkeys(question.type.read(message.octets, record) for record in found))
    seconds = min(KEPT_SECONDS, *(record.seconds for record in (*found, *aliases)))
    return Answer(True, records, secure, shown(name), seconds)


def _follow(message: Message, question: Question[object]) -> tuple[Name, Sequence[Record]]:
    """Return the name at the end of the aliases that begin at the question's, and the aliases. Others are ignored."""
    name = question.name
    way: list[Record] = []
    while (record := _alias(message.answer, name)) is not None:
        if len(way) == ALIASES:
            raise Malformed("there are too many aliases")
        way.append(record)
        target = name_in(message.octets, record)
        # RFC 6672 §2.2: below the owner of a DNAME the end of the name is replaced.
        name = target if record.type == _CNAME else (*name[: len(name) - len(record.name)], *target)
        if octets_of(name) > NAME_OCTETS:
            raise Malformed("an alias leads to a name that is too long")
    return name, way


def _alias(answer: Sequence[Record], name: Name) -> Record | None:
    """Return the record that makes *name* an alias; a CNAME comes before a DNAME, from which it may be made."""
    return next(_aliases(answer, name, _CNAME), None) or next(_aliases(answer, name, _DNAME), None)


def _aliases(answer: Sequence[Record], name: Name, kind: int) -> Iterator[Record]:
    for record in answer:
        # A CNAME is about its own name, a DNAME about all that is below its own.
        above = len(name) - len(record.name)
        if record.type == kind and (above == 0) == (kind == _CNAME) and name[max(above, 0) :] == record.name:
            yield record


def _seconds_of_nothing(message: Message, aliased: bool) -> int:
    """Return for how long it may be believed that there is nothing. Raises `Malformed` where that was not said."""
    soa = next((record for record in message.authority if record.type == _SOA), None)
    if soa is not None:
        # RFC 2308 §5: the smaller of the SOA's own TTL and its last number.
        return min(NOTHING_KEPT_SECONDS, soa.seconds, _minimum(message, soa))
    if message.rcode == NOERROR:
        # RFC 2308 §2.2: name servers without SOA are a referral. We ask servers that find the answer themselves.
        if any(record.type == _NS for record in message.authority):
            raise Malformed("it refers us to other servers")
        if aliased and not message.flags & RECURSION_AVAILABLE:
            raise Malformed("it does not follow the alias")
    # RFC 2308 §5: without SOA it is not cached.
    return 0


def _minimum(message: Message, soa: Record) -> int:
    _, at = message.octets.name(soa.start)
    _, at = message.octets.name(at)
    return message.octets.numbers(_SOA_NUMBERS, at)[4]
