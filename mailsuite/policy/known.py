"""From where each login was used well before: those places are never locked out for what others do.

A place is `Peer.network`. What was not used for `KNOWN_SECONDS` is forgotten, and beyond a number of pairs the one
that was used longest ago.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

DAY = 86_400.0
KNOWN_SECONDS = 90 * DAY
# Some 300 octets each.
PAIRS = 200_000


@dataclass(frozen=True, slots=True)
class Use:
    """The login *account* (key form) was used from *place* at the time *at* (POSIX seconds)."""

    account: str
    place: str
    at: float


class KnownPlaces:
    """Pairs of logins and places. *now* gives POSIX seconds. Answers at once."""

    def __init__(self, now: Callable[[], float], pairs: int = PAIRS) -> None:
        self._now = now
        self._most = pairs
        # When each pair was noted last; the oldest first.
        self._pairs: OrderedDict[tuple[str, str], float] = OrderedDict()
        # How many pairs each place has.
        self._places: dict[str, int] = {}
        self._fresh: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def has(self, account: str, place: str) -> bool:
        """Say whether *account* was used from *place*."""
        at = self._pairs.get((account, place))
        return at is not None and self._now() < at + KNOWN_SECONDS

    def anybody_at(self, place: str) -> bool:
        """Say whether some login was used from *place*."""
        return place in self._places

    def note(self, account: str, place: str) -> None:
        """*account* was used from *place*. Costs something once a day."""
        now = self._now()
        # A clock that was set back must not keep a pair from being noted.
        if abs(now - self._pairs.get((account, place), float("-inf"))) >= DAY:
            self._put(account, place, now)
            self._fresh[account, place] = now

    def fresh(self) -> list[Use]:
        """Return what was noted and is still to be written."""
        return [Use(*pair, at) for pair, at in self._fresh.items()]

    def written(self, uses: Iterable[Use]) -> None:
        """Hear that *uses* are written."""
        for use in uses:
            if self._fresh.get((use.account, use.place)) == use.at:
                del self._fresh[use.account, use.place]

    def learn(self, uses: Iterable[Use]) -> None:
        """Take what was written by others or before, the oldest first."""
        for use in uses:
            if use.at > self._pairs.get((use.account, use.place), float("-inf")):
                self._put(use.account, use.place, use.at)

    def _put(self, account: str, place: str, at: float) -> None:
        pair = (account, place)
        if pair not in self._pairs:
            self._places[place] = self._places.get(place, 0) + 1
        self._pairs[pair] = at
        self._pairs.move_to_end(pair)
        while len(self._pairs) > self._most or next(iter(self._pairs.values())) <= at - KNOWN_SECONDS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        pair, _ = self._pairs.popitem(last=False)
        self._fresh.pop(pair, None)
        left = self._places[pair[1]] - 1
        if left:
            self._places[pair[1]] = left
        else:
            del self._places[pair[1]]
