"""One try: a question to one server, over UDP, and over TCP where the answer is too long for that."""

from collections.abc import Callable

import dns.flags
from dns.rcode import Rcode
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorFDSet, IReactorTCP, IReactorTime

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.answers import belongs
from mailsuite.transport.dns.datagram import ask_by_udp
from mailsuite.transport.dns.records import Question
from mailsuite.transport.dns.servers import Server
from mailsuite.transport.dns.stream import ask_by_tcp
from mailsuite.transport.dns.wire import Malformed, Message, query, read

# How many ids there are (RFC 1035 §4.1.1).
IDS = 65_536


class DnsReactor(IReactorTime, IReactorFDSet, IReactorTCP):
    """What asking needs of a reactor."""


class Exchange:
    """Asks one server once.

    A try takes *timeout* seconds at most. *below* returns a random number below its argument, which nobody can guess.
    """

    def __init__(self, reactor: DnsReactor, timeout: float, below: Callable[[int], int]) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._below = below

    async def ask(self, server: Server, question: Question[object]) -> Message:
        """Return the message that answers *question*, whatever it says.

        Raises `DnsTrouble`, with the server's name, where there is none in time, or none that can be read.
        """
        asking = Deferred.fromCoroutine(self._ask(server, question))
        try:
            return await asking.addTimeout(self._timeout, self._reactor)
        except TimeoutError:
            raise DnsTrouble(f"{server} did not answer in {self._timeout:g} seconds") from None

    async def _ask(self, server: Server, question: Question[object]) -> Message:
        message = await self._send(server, question, edns=True)
        # RFC 6891 §7: the answer of a server that does not know EDNS; older ones say NOTIMP.
        if message.rcode in (Rcode.FORMERR, Rcode.NOTIMP):
            message = await self._send(server, question, edns=False)
        return message

    async def _send(self, server: Server, question: Question[object], edns: bool) -> Message:
        # RFC 5452 §9.2: each with an id and a port of its own, by chance.
        number = self._below(IDS)
        octets = query(number, question.name, question.type.number, edns)

        def accept(data: bytes) -> Message | None:
            return _accepted(data, number, server, question)

        message = await ask_by_udp(self._reactor, server, octets, accept)
        # RFC 2181 §9: a truncated answer is not used.
        if message is None or message.flags & dns.flags.TC:
            message = await ask_by_tcp(self._reactor, server, octets, accept)
            if message.flags & dns.flags.TC:
                raise DnsTrouble(f"{server} cut its answer short for {question}, also over TCP")
        return message


def _accepted(data: bytes, number: int, server: Server, question: Question[object]) -> Message | None:
    """Return the message in *data*, ``None`` where it belongs to another question. Raises `DnsTrouble`."""
    # Before anything else is looked at: who guesses ids shall not give us work.
    if data[:2] != number.to_bytes(2, "big"):
        return None
    try:
        message = read(data)
    except Malformed as error:
        raise DnsTrouble(f"{server} answered nonsense for {question}: {error}") from None
    return message if belongs(message, number, question) else None
