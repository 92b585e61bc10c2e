"""The resolver: mail's questions to the domain name system."""

import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.dns import MX, TLSA, DnsTrouble, Found, NoSuchDomain
from mailsuite.interfaces import IResolver
from mailsuite.transport.dns.answers import Answer
from mailsuite.transport.dns.cache import Cache
from mailsuite.transport.dns.exchange import DnsReactor, Exchange
from mailsuite.transport.dns.lookup import Lookup
from mailsuite.transport.dns.names import name_of, reverse_name
from mailsuite.transport.dns.records import (
    A_RECORDS,
    AAAA_RECORDS,
    MX_RECORDS,
    PTR_RECORDS,
    TLSA_RECORDS,
    TXT_RECORDS,
    Question,
)
from mailsuite.transport.dns.servers import Server, SystemServers, TrustAD

T = TypeVar("T")


@implementer(IResolver)
class Resolver:
    """Asks name servers, and keeps what they say for as long as it is good.

    *servers* are addresses and ports; without any, the system's. A server may take *timeout* seconds, a question is
    asked *tries* times in all. *cache_size* answers are kept. *trust_ad* says whose word counts that an answer is
    validated: of servers at a loopback address, of all, of none. *seconds* is a monotonic clock, without which it is
    the reactor's; *below* returns a random number below its argument, which nobody can guess.

    What every method says of a name holds for what is at the end of its aliases (CNAME, DNAME).
    """

    def __init__(
        self,
        reactor: DnsReactor,
        servers: Sequence[tuple[str, int]] = (),
        *,
        timeout: float = 3.0,
        tries: int = 4,
        cache_size: int = 10_000,
        trust_ad: TrustAD = "loopback",
        seconds: Callable[[], float] | None = None,
        below: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        seconds = seconds or reactor.seconds
        named = tuple(Server(address, port) for address, port in servers)
        self._lookup = Lookup(
            ask=Exchange(reactor, timeout, below).ask,
            servers=(lambda: named) if named else SystemServers(seconds),
            cache=Cache(cache_size, seconds),
            reactor=reactor,
            tries=tries,
            trust_ad=trust_ad,
        )

    async def mx(self, domain: str) -> Found[MX]:
        """Return the MX records; a null MX (RFC 7505) has an empty host."""
        return await self._find(Question(name_of(domain), MX_RECORDS))

    async def addresses(self, host: str) -> Found[str]:
        """Return the IPv6 addresses, then the IPv4 addresses.

        Both are asked for at once. Where one question fails and the other has addresses, these are returned; they are
        secure where every question that was answered is.
        """
        name = name_of(host)
        asked = [
            Deferred.fromCoroutine(self._attempt(Question(name, kind))) for kind in (AAAA_RECORDS, A_RECORDS)
        ]
        return _merged([await each for each in asked])

    async def txt(self, name: str) -> Found[str]:
        """Return the TXT records; octets that are not UTF-8 are replaced."""
        return await self._find(Question(name_of(name), TXT_RECORDS))

    async def tlsa(self, name: str) -> Found[TLSA]:
        """Return the TLSA records; the caller decides what an answer that is not secure is worth."""
        return await self._find(Question(name_of(name), TLSA_RECORDS))

    async def ptr(self, address: str) -> Found[str]:
        """Return the names of *address*; what is no IP address has none (`NoSuchDomain`)."""
        return await self._find(Question(reverse_name(address), PTR_RECORDS))

    def stop(self) -> None:
        """Ask nobody any more; who waits for an answer gets `DnsTrouble`."""
        self._lookup.stop()

    async def _find(self, question: Question[T]) -> Found[T]:
        return _found(await self._lookup.find(question))

    async def _attempt(self, question: Question[T]) -> Answer[T] | DnsTrouble:
        try:
            return await self._lookup.find(question)
        except DnsTrouble as trouble:
            return trouble


def _found(answer: Answer[T]) -> Found[T]:
    if not answer.exists:
        raise NoSuchDomain(answer.name, answer.secure)
    return Found(answer.records, answer.secure, answer.name)


def _merged(attempts: Sequence[Answer[str] | DnsTrouble]) -> Found[str]:
    """Return the addresses of both families, or raise what stands in their way."""
    answers = [each for each in attempts if isinstance(each, Answer)]
    records = tuple(record for answer in answers for record in answer.records)
    troubles = [str(each) for each in attempts if isinstance(each, DnsTrouble)]
    if troubles and not records:
        # That there are none in one family says nothing about the other.
        raise DnsTrouble("; ".join(dict.fromkeys(troubles)))
    secure = all(answer.secure for answer in answers)
    # Servers exist that deny a name for the family that it does not have: the other counts.
    named = [answer for answer in answers if answer.records] or [answer for answer in answers if answer.exists]
    if not named:
        raise NoSuchDomain(answers[0].name, secure)
    return Found(records, secure, named[0].name)
