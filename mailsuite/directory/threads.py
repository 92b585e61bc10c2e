"""Threads for what would hold the reactor up, such as hashing: few, with a bounded queue before them."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from mailsuite.meaning import CannotJudge

T = TypeVar("T")

# Beyond this many waiting checks (some two seconds' worth on two cores) a login is told to come back.
WAITING = 200


class TooBusy(CannotJudge):
    """More waits to be done than we let wait: a temporary trouble, and no word about a password."""


class Run(Protocol):
    """Runs work in another thread: `BoundedThreads.run`."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Return what *work* returns, later. May raise `TooBusy` at once."""


class BoundedThreads:
    """Runs work in *threads* threads; *waiting* pieces of what *name* says may wait. To be started and stopped."""

    def __init__(
        self, reactor: IReactorFromThreads, threads: int, waiting: int = WAITING, name: str = "passwords"
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._pool = ThreadPool(0, threads, name)
        self._most = threads + waiting
        self._at_hand = 0

    def start(self) -> None:
        """Begin to work; after the process has forked."""
        self._pool.start()

    def stop(self) -> None:
        """Finish what is under way and end the threads."""
        self._pool.stop()

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Return what *work* returns, later. Raises `TooBusy` at once."""
        if self._at_hand >= self._most:
            raise TooBusy(f"{self._at_hand} {self._name} wait for their turn")
        self._at_hand += 1
        done: Deferred[T] = deferToThreadPool(self._reactor, self._pool, work)
        return done.addBoth(self._finished)

    def _finished(self, result: T) -> T:
        self._at_hand -= 1
        return result
