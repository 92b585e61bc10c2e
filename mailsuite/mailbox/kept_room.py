"""Room in mailboxes that is kept for messages on their way, beside what lies there already."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from mailsuite.interfaces import ISharedState

# For so long, in seconds, room is kept for a message that does not come: whoever says that a large one is coming, and
# then nothing more, keeps nobody else out for longer.
HOLD_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Hold:
    """What a message takes of one limit: *amount*, where *used* of *most* is taken, beside what is held."""

    counter: str
    used: int
    amount: int
    most: int


class _Kept(NamedTuple):
    """Room that is kept *since* then."""

    since: float
    holds: Sequence[Hold]


class KeptRoom:
    """Counts in *state*, which processes share, what is held. *seconds* is a monotonic clock."""

    def __init__(self, state: ISharedState, seconds: Callable[[], float]) -> None:
        self._state = state
        self._seconds = seconds
        # The oldest first.
        self._kept: dict[int, _Kept] = {}
        self._last = 0

    def fits(self, hold: Hold) -> bool:
        """Say whether there is room for *hold* beside what is held."""
        return hold.used + self._state.hold(hold.counter, 0) + hold.amount <= hold.most

    def keep(self, holds: Sequence[Hold]) -> Callable[[], None]:
        """Keep all of *holds*; return what gives them back, once, however often it is called."""
        for hold in holds:
            self._state.hold(hold.counter, hold.amount)
        self._last += 1
        self._kept[self._last] = _Kept(self._seconds(), holds)
        return partial(self._release, self._last)

    def give_back_old(self) -> None:
        """Give back what has been kept for `HOLD_SECONDS`."""
        now = self._seconds()
        while self._kept:
            number, oldest = next(iter(self._kept.items()))
            if now - oldest.since < HOLD_SECONDS:
                return
            self._release(number)

    def _release(self, number: int) -> None:
        kept = self._kept.pop(number, None)
        if kept is not None:
            for hold in kept.holds:
                self._state.hold(hold.counter, -hold.amount)
