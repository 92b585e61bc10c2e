"""The real reactor, turned by the tests: sockets on loopback, and nothing left over."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

T = TypeVar("T")
# No one interface names all that is used of it.
reactor: Any = the_reactor
# A test that waits for longer has failed.
PATIENCE = 10.0


def until(done: Callable[[], object]) -> None:
    """Turn the reactor until *done* says so."""
    end = reactor.seconds() + PATIENCE
    while not done():
        assert reactor.seconds() < end, "it did not happen"
        reactor.iterate(0.02)


def finish(awaitable: Awaitable[T]) -> T:
    """Turn the reactor until *awaitable* has ended; return or raise what came of it."""
    results: list[Any] = []
    waited = awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(cast(Any, awaitable))
    waited.addBoth(results.append)
    until(lambda: results)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return cast(T, result)


class Each(Factory):
    """A protocol of *build*'s for each connection."""

    noisy = False

    def __init__(self, build: Callable[[], Protocol]) -> None:
        self._build = build

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._build()


class Loopback:
    """Servers for one test; `close` sees to it that the test has left nothing behind."""

    def __init__(self) -> None:
        self._ports: list[IListeningPort] = []
        self._readers = set(reactor.getReaders())
        self._calls = set(reactor.getDelayedCalls())

    def listen(self, build: Callable[[], Protocol], interface: str = "127.0.0.1") -> int:
        """Serve what *build* makes on a free port of *interface*; return the port."""
        port = reactor.listenTCP(0, Each(build), interface=interface)
        self._ports.append(port)
        return int(port.getHost().port)

    def listen_unix(self, path: str, build: Callable[[], Protocol]) -> None:
        """Serve what *build* makes on the UNIX socket *path*."""
        self._ports.append(reactor.listenUNIX(path, Each(build)))

    def close(self) -> None:
        """Close the ports; wait for the connections to be gone, and fail where they or a timer stay."""
        for port in self._ports:
            finish(cast("Deferred[None]", port.stopListening()))
        until(lambda: set(reactor.getReaders()) <= self._readers)
        until(lambda: set(reactor.getDelayedCalls()) <= self._calls)
