"""What a command does that may have to wait for other servers: the reactor runs so long, and no longer."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute

from mailsuite.maybe import step

T = TypeVar("T")


def settled(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of *coroutine*; where it has to wait for others, the reactor runs so long."""
    result = step(coroutine)
    if not hasattr(result, "__await__"):
        return result
    done: list[T | BaseException] = []

    async def wait() -> None:
        try:
            done.append(await result)
        except Exception as error:
            done.append(error)
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(wait()))
    reactor.run()
    if not done:
        raise click.Abort
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


def run_here(work: Callable[[], T]) -> "Deferred[T]":
    """Do *work* at once: a command has nothing else to do meanwhile, so it needs no thread."""
    return execute(work)
