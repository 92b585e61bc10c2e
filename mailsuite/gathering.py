"""When a batch begins that shares one sync, or one transaction: once it has had time to form.

That time is told in turns of the reactor, not in seconds. The turns of an idle reactor are over at once, so nobody
waits where nobody else comes; those of a busy one bring what its peers have sent meanwhile. A batch costs fights for
the interpreter's lock, and twice as much in a batch is half as many of them (docs/performance.rst has the figures).
"""

from collections.abc import Callable

# From the first that waits to the beginning of its batch; from 5 to 16 make no difference that can be seen.
TURNS = 8


class Gathering:
    """Calls *begin* some turns of the reactor after `start`. *call_later* is the reactor's.

    *company* says whether others may come; as soon as it does not, *begin* is called at the end of the turn.
    """

    def __init__(
        self, call_later: Callable[..., object], company: Callable[[], bool], begin: Callable[[], None]
    ) -> None:
        self._call_later = call_later
        self._company = company
        self._begin = begin

    def start(self) -> None:
        """Something waits. To be called once a batch."""
        self._call_later(0, self._turn, TURNS)

    def _turn(self, left: int) -> None:
        if left and self._company():
            self._call_later(0, self._turn, left - 1)
        else:
            self._begin()
