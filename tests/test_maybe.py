"""Coroutines that are stepped by hand: at once where nothing has to wait, and whole where something has."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.maybe import Maybe, at_once, step, value_of

CASE = SynchronousTestCase()


async def added(*values: Maybe[int]) -> int:
    """Add up *values*, those that come later too; one that fails counts as 100."""
    total = 0
    for value in values:
        try:
            total += await value_of(value)
        except LookupError:
            total += 100
    return total


def test_what_is_at_hand_is_answered_at_once() -> None:
    """No Deferred, no coroutine: a value; a Deferred that has fired is no reason to wait."""
    assert step(added(1, 2)) == 3
    assert step(added(1, succeed(2))) == 3
    assert at_once(added()) == 0


def test_what_waits_goes_on_where_it_stood() -> None:
    """Several waits, one of which fails, and one that is over before anybody asks for the result."""
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    third: Deferred[int] = Deferred()
    rest: Maybe[int] = step(added(1, first, second, third, succeed(8)))

    first.callback(2)
    result: Deferred[int] = Deferred.fromCoroutine(value_of(rest))
    CASE.assertNoResult(result)
    second.errback(LookupError())
    third.callback(4)

    assert CASE.successResultOf(result) == 115


def test_what_waits_is_a_coroutine() -> None:
    """So that a session can wait for it as for any other answer."""
    later: Deferred[int] = Deferred()
    rest: Any = step(added(1, later))

    result: Deferred[int] = Deferred.fromCoroutine(rest)
    CASE.assertNoResult(result)
    later.callback(2)

    assert CASE.successResultOf(result) == 3


def test_what_is_raised_comes_through() -> None:
    """Before the first wait from `step`, later from the awaitable."""

    async def failing(wait: Maybe[int]) -> int:
        await value_of(wait)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        step(failing(1))
    later: Deferred[int] = Deferred()
    rest: Maybe[int] = step(failing(later))
    result: Deferred[int] = Deferred.fromCoroutine(value_of(rest))
    later.callback(1)
    CASE.failureResultOf(result, OSError)


def test_who_must_not_wait_is_told() -> None:
    """Where every answer should be at hand a wait is a fault of ours; the coroutine is closed."""
    closed: list[bool] = []

    async def waiting() -> None:
        try:
            await Deferred()
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="had to wait"):
        at_once(waiting())
    assert closed == [True]
