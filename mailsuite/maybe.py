"""Values that are here now or later: the plain path makes no Deferred (architecture: "ask, is it a value?")."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeAlias, TypeVar, cast

T = TypeVar("T")
U = TypeVar("U")
Maybe: TypeAlias = T | Awaitable[T]


def then(value: Maybe[T], go_on: Callable[[T], Maybe[U]]) -> Maybe[U]:
    """Return what *go_on* makes of *value*: at once where it is here, else an awaitable of it."""
    if hasattr(value, "__await__"):
        return _later(cast(Awaitable[T], value), go_on)
    return go_on(value)


async def value_of(value: Maybe[T]) -> T:
    """Return *value*, waiting for it only where it is not here yet."""
    if hasattr(value, "__await__"):
        return await cast(Awaitable[T], value)
    return value


def step(coroutine: Coroutine[Any, Any, T]) -> Maybe[T]:
    """Run *coroutine* as far as it goes without waiting: return its result, else a coroutine of the rest.

    So one coroutine serves both those who have their answers at hand and those who wait for Deferreds. Raises what it
    raises.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    return _rest(coroutine)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of *coroutine*, which nothing that it asks lets wait. Raises `RuntimeError` where it must."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    coroutine.close()
    raise RuntimeError("a coroutine that should have its answers at hand had to wait")


class _Rest(Generic[T]):
    """The rest of a coroutine that has begun and waits for a Deferred. To be awaited once."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        # What it waits for is asked again: a Deferred that has fired meanwhile gives its result, another one itself.
        return self._coroutine.__await__()


async def _rest(coroutine: Coroutine[Any, Any, T]) -> T:
    return await _Rest(coroutine)


async def _later(value: Awaitable[T], go_on: Callable[[T], Maybe[U]]) -> U:
    made = go_on(await value)
    if hasattr(made, "__await__"):
        return await cast(Awaitable[U], made)
    return made
