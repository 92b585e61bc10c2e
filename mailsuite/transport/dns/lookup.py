"""From a question to its answer: the cache, who asks the same already, and one server after the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, cast

from dns.rcode import Rcode
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.answers import Answer, interpret
from mailsuite.transport.dns.cache import Cache
from mailsuite.transport.dns.records import Question
from mailsuite.transport.dns.servers import Server, TrustAD
from mailsuite.transport.dns.wire import Message

T = TypeVar("T")

# How many questions are asked at a time; others wait. Each has a socket.
QUESTIONS = 256
# How long we wait, in seconds, before every server is asked once more: at first, and twice as long each time.
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
STOPPED = "name servers are not asked any more: the service stops"


class Ask(Protocol):
    """Asks one server once."""

    async def __call__(self, server: Server, question: Question[object]) -> Message:
        """Return what the server answers. Raises `DnsTrouble`."""


class Lookup:
    """Finds answers.

    *ask* asks a server, *servers* gives those that may be asked, best first. A question is asked *tries* times in all,
    the servers in turn. *trust_ad* says whose AD bit counts.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        servers: Callable[[], Sequence[Server]],
        cache: Cache,
        reactor: IReactorTime,
        tries: int,
        trust_ad: TrustAD,
    ) -> None:
        self._ask = ask
        self._servers = servers
        self._cache = cache
        self._reactor = reactor
        self._tries = tries
        self._trust_ad = trust_ad
        self._room = DeferredSemaphore(QUESTIONS)
        self._asked: dict[Question[Any], Deferred[None]] = {}
        self._waiting: dict[Question[Any], list[Deferred[Answer[Any] | DnsTrouble]]] = {}
        self._stopped = False

    async def find(self, question: Question[T]) -> Answer[T]:
        """Return the answer to *question*. Raises `DnsTrouble`, which names the servers and what they said."""
        kept = self._cache.get(question)
        if kept is not None:
            return kept
        result = await self._result(question)
        if isinstance(result, DnsTrouble):
            # Each who waited gets an exception of his own.
            raise DnsTrouble(str(result))
        return cast(Answer[T], result)

    def stop(self) -> None:
        """Ask nobody any more; who waits for an answer gets `DnsTrouble`."""
        self._stopped = True
        for asked in list(self._asked.values()):
            asked.cancel()

    def _result(self, question: Question[Any]) -> "Deferred[Answer[Any] | DnsTrouble]":
        """Wait with whoever waits for the same; the first has it asked."""
        waiting = self._waiting.get(question)
        result: Deferred[Answer[Any] | DnsTrouble] = Deferred()
        if waiting is not None:
            waiting.append(result)
            return result
        self._waiting[question] = [result]
        asked = Deferred.fromCoroutine(self._settle(question))
        if question in self._waiting:
            self._asked[question] = asked
        return result

    async def _settle(self, question: Question[Any]) -> None:
        """Ask, and tell all who wait."""
        result: Answer[Any] | DnsTrouble
        try:
            result = await self._limited(question)
            self._cache.put(question, result)
        except DnsTrouble as trouble:
            result = trouble
        except CancelledError:
            result = DnsTrouble(STOPPED)
        except Exception as error:
            self._log.failure("Asking for {question} failed", question=str(question))
            result = DnsTrouble(f"asking for {question} failed: {error!r}")
        self._asked.pop(question, None)
        for waiter in self._waiting.pop(question):
            waiter.callback(result)

    async def _limited(self, question: Question[T]) -> Answer[T]:
        await self._room.acquire()
        try:
            if self._stopped:
                raise DnsTrouble(STOPPED)
            return await self._ask_in_turn(question)
        finally:
            self._room.release()

    async def _ask_in_turn(self, question: Question[T]) -> Answer[T]:
        servers, said = list(self._servers()), dict[str, None]()
        for server, pause in turns(servers, self._tries):
            if pause:
                await deferLater(self._reactor, pause)
            trusted = server.trusted(self._trust_ad)
            message = None
            try:
                message = await self._ask(server, question)
                return interpret(message, question, trusted)
            except DnsTrouble as trouble:
                said[f"{server} {trouble}" if message is not None else str(trouble)] = None
            if trusted and message is not None and message.rcode == Rcode.SERVFAIL:
                # RFC 4035 §5.5: SERVFAIL may mean that the data are forged. One that does not validate would hand
                # them on.
                servers[:] = [each for each in servers if each.trusted(self._trust_ad)]
        raise DnsTrouble("; ".join(said) or "there is no name server to ask")


def turns(servers: Sequence[Server], tries: int) -> Iterator[tuple[Server, float]]:
    """Yield whom to ask and how many seconds to wait before, *tries* times: each server in turn, then all once more.

    Who is taken out of *servers* meanwhile is not asked any more.
    """
    pause, next_pause = 0.0, PAUSE_SECONDS
    while servers:
        for server in tuple(servers):
            if server not in servers:
                continue
            if not tries:
                return
            yield server, pause
            tries -= 1
            pause = 0.0
        pause, next_pause = next_pause, min(2 * next_pause, LONGEST_PAUSE_SECONDS)
