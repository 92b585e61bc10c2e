"""From a server's message to an answer: whether it belongs to the question, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import dns.flags
import dns.name
import dns.opcode
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.DNAME
import dns.rdtypes.ANY.SOA
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.names import shown
from mailsuite.transport.dns.records import Question
from mailsuite.transport.dns.wire import INTERNET, Malformed, Message, Record

T_co = TypeVar("T_co", covariant=True)

# How many aliases may stand between the name that is asked for and the records.
ALIASES = 16
# The longest that an answer is kept, in seconds, whatever its TTL says; and one that there is nothing (RFC 2308 §5).
KEPT_SECONDS = 86_400
NOTHING_KEPT_SECONDS = 3_600


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
    if message.id != number or not message.flags & dns.flags.QR or dns.opcode.from_flags(message.flags):
        return False
    if message.question is None:
        # Who has not understood a question does not always repeat it.
        return message.rcode in (Rcode.FORMERR, Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED)
    return message.question == (question.name, question.type.number, INTERNET)


def interpret(message: Message, question: Question[T_co], trusted: bool) -> Answer[T_co]:
    """Return what *message* says. Raises `DnsTrouble`, with a text that goes on after the server's name.

    *trusted*: the server's word that the answer is validated counts.
    """
    if message.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        raise DnsTrouble(f"answered {message.rcode.name} for {question}")
    try:
        return _interpret(message, question, trusted)
    except Malformed as error:
        raise DnsTrouble(f"answered nonsense for {question}: {error}") from None


def _interpret(message: Message, question: Question[T_co], trusted: bool) -> Answer[T_co]:
    name, aliases = _follow(message, question)
    found = [each for each in message.answer if each.type == question.type.number and each.name.labels == name.labels]
    # RFC 4035 §3.2.3: AD is set only where every record of the answer and of the authority section is authentic.
    secure = trusted and bool(message.flags & dns.flags.AD)
    if not found:
        seconds = min((_seconds_of_nothing(message, bool(aliases)), *(alias.seconds for alias in aliases)))
        return Answer(message.rcode == Rcode.NOERROR, (), secure, shown(name), seconds)
    if message.rcode == Rcode.NXDOMAIN:
        raise Malformed("it denies the name of its own records")
    records = tuple(dict.fromkeys(question.type.read(record.data) for record in found))
    seconds = min(KEPT_SECONDS, *(record.seconds for record in (*found, *aliases)))
    return Answer(True, records, secure, shown(name), seconds)


def _follow(message: Message, question: Question[object]) -> tuple[dns.name.Name, Sequence[Record]]:
    """Return the name at the end of the aliases that begin at the question's, and the aliases. Others are ignored."""
    name = question.name
    way: list[Record] = []
    while (record := _alias(message.answer, name)) is not None:
        if len(way) == ALIASES:
            raise Malformed("there are too many aliases")
        way.append(record)
        name = _target(record, name)
    return name, way


def _alias(answer: Sequence[Record], name: dns.name.Name) -> Record | None:
    """Return the record that makes *name* an alias; a CNAME comes before a DNAME, from which it may be made."""
    cnames = (each for each in answer if each.type == RdataType.CNAME and each.name.labels == name.labels)
    dnames = (each for each in answer if each.type == RdataType.DNAME and _below(name, each.name))
    return next(cnames, None) or next(dnames, None)


def _below(name: dns.name.Name, above: dns.name.Name) -> bool:
    """Say whether *name* is below *above*; both are in lower case. (The library compares octet by octet: too long.)"""
    more = len(name.labels) - len(above.labels)
    return more > 0 and name.labels[more:] == above.labels


def _target(alias: Record, name: dns.name.Name) -> dns.name.Name:
    if alias.type == RdataType.CNAME:
        return cast(dns.rdtypes.ANY.CNAME.CNAME, alias.data).target.canonicalize()
    # RFC 6672 §2.2: below the owner of a DNAME the end of the name is replaced.
    end = cast(dns.rdtypes.ANY.DNAME.DNAME, alias.data).target.canonicalize()
    try:
        return name.relativize(alias.name).concatenate(end)
    except dns.name.NameTooLong:
        raise Malformed("an alias leads to a name that is too long") from None


def _seconds_of_nothing(message: Message, aliased: bool) -> int:
    """Return for how long it may be believed that there is nothing. Raises `Malformed` where that was not said."""
    soa = next((record for record in message.authority if record.type == RdataType.SOA), None)
    if soa is not None:
        # RFC 2308 §5: the smaller of the SOA's own TTL and its last number.
        return min(NOTHING_KEPT_SECONDS, soa.seconds, cast(dns.rdtypes.ANY.SOA.SOA, soa.data).minimum)
    if message.rcode == Rcode.NOERROR:
        # RFC 2308 §2.2: name servers without SOA are a referral. We ask servers that find the answer themselves.
        if any(record.type == RdataType.NS for record in message.authority):
            raise Malformed("it refers us to other servers")
        if aliased and not message.flags & dns.flags.RA:
            raise Malformed("it does not follow the alias")
    # RFC 2308 §5: without SOA it is not cached.
    return 0
