"""Values that are here now or later: the plain path makes no coroutine (architecture: "ask, is it a value?")."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar, cast

T = TypeVar("T")
U = TypeVar("U")
Maybe: TypeAlias = T | Awaitable[T]


def then(value: Maybe[T], go_on: Callable[[T], Maybe[U]]) -> Maybe[U]:
    """Return what *go_on* makes of *value*: at once where it is here, else an awaitable of it."""
    if hasattr(value, "__await__"):
        return _later(cast(Awaitable[T], value), go_on)
    return go_on(value)


async def _later(value: Awaitable[T], go_on: Callable[[T], Maybe[U]]) -> U:
    made = go_on(await value)
    if hasattr(made, "__await__"):
        return await cast(Awaitable[U], made)
    return made
