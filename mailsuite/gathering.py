"""When a batch begins that shares one sync, or one transaction: once it has had time to form.

That time is told in turns of the reactor; seconds are no more than their limit. The turns of an idle reactor are over
at once, so nobody waits where nobody else comes; those of a busy one bring what its peers have sent meanwhile. A
batch costs fights for the interpreter's lock, and twice as much in a batch is half as many of them
(docs/performance.rst has the figures).
"""

from collections.abc import Callable
from typing import Protocol

# No further turn when so many seconds have passed: a reactor may be busy with much else.
MOST_SECONDS = 0.02


class Turning(Protocol):
    """What is needed of a reactor."""

    def seconds(self) -> float:
        """Return what time it is."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> object:
        """Call *callable* in a later turn."""


class Gathering:
    """Calls *begin* *turns* turns of the reactor after the one that called `start`.

    *company* says whether others may come; as soon as it does not, *begin* is called at the end of that turn. What
    waited may be gone by then, as after a stop: *begin* has to bear that.
    """

    def __init__(
        self, reactor: Turning, turns: int, company: Callable[[], bool], begin: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._turns = turns
        self._company = company
        self._begin = begin

    def start(self) -> None:
        """Something waits. To be called once a batch."""
        self._reactor.callLater(0, self._turn, self._turns, self._reactor.seconds() + MOST_SECONDS)

    def _turn(self, left: int, until: float) -> None:
        if left and self._company() and self._reactor.seconds() < until:
            self._reactor.callLater(0, self._turn, left - 1, until)
        else:
            self._begin()
