"""`ISharedState` for one process: counters and locks in memory, all of them bounded."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator

from zope.interface import implementer

from mailsuite.interfaces import ISharedState

# Beyond so many counters the one that was raised longest ago is forgotten: some 50 MiB at worst.
COUNTERS = 100_000
# A counter keeps its past in this many slices of the window, so that its size does not grow with what it counts.
SLICES = 16


class Counter:
    """What was added in the last seconds; amounts close in time share the time of the latest."""

    __slots__ = ("_added", "_total", "_window")

    def __init__(self, window: float) -> None:
        self._window = window
        # What all slices together come to: the sum of the widest window needs no adding up.
        self._total = 0
        # Pairs of the first and the latest time of a slice, and what was added in it.
        self._added: deque[tuple[float, float, int]] = deque()

    def add(self, now: float, amount: int, window: float) -> int:
        """Add *amount* at *now*, and drop what is older than the widest window asked for so far; return the sum."""
        added = self._added
        if window > self._window:
            self._window = window
        while added and added[0][1] <= now - self._window:
            self._total -= added.popleft()[2]
        self._total += amount
        if added and now - added[-1][0] < self._window / SLICES:
            first, _, before = added[-1]
            added[-1] = (first, now, before + amount)
        else:
            added.append((now, now, amount))
        return self._total if window == self._window else self.sum(now, window)

    def sum(self, now: float, window: float) -> int:
        """Return what was added in the last *window* seconds, at most a slice more."""
        return sum(amount for _, latest, amount in self._added if latest > now - window)

    @property
    def window(self) -> float:
        """The widest window that was asked for, in seconds."""
        return self._window

    def slices(self) -> Iterator[tuple[float, int]]:
        """Yield what was added, the oldest first: the time, and how much."""
        for _, latest, amount in self._added:
            yield latest, amount

    def is_over(self, now: float) -> bool:
        """Say whether nothing counts any more."""
        return not self._added or self._added[-1][1] <= now - self._window


@implementer(ISharedState)
class MemoryState:
    """Forgets a counter once its window has passed. *seconds* tells the time and never goes back."""

    def __init__(self, seconds: Callable[[], float], counters: int = COUNTERS) -> None:
        self._seconds = seconds
        self._most = counters
        self._counters: OrderedDict[str, Counter] = OrderedDict()
        # Of what is held there is no bound here: it is as much as whoever holds it lets in. What is 0 is not in it.
        self._held: dict[str, int] = {}
        self._locks: dict[str, str] = {}

    def add(self, counter: str, amount: int, window: float) -> int:
        """See `ISharedState.add`."""
        return self.add_late(counter, amount, window, 0.0)

    def add_late(self, counter: str, amount: int, window: float, age: float) -> int:
        """Add what came *age* seconds ago, and nothing that is older came to this counter later."""
        now = self._seconds()
        found = self._counters.get(counter)
        if found is None:
            found = self._counters[counter] = Counter(window)
            total = found.add(now - age, amount, window)
            self._forget_oldest(now)
            return total
        self._counters.move_to_end(counter)
        return found.add(now - age, amount, window)

    def read(self, counter: str, window: float) -> int:
        """See `ISharedState.read`."""
        found = self._counters.get(counter)
        return 0 if found is None else found.sum(self._seconds(), window)

    def forget(self, counter: str) -> None:
        """See `ISharedState.forget`."""
        self._counters.pop(counter, None)

    def added(self) -> Iterator[tuple[str, int, float, float]]:
        """Yield all that counts still, in the order for `add_late`: counter, amount, window, age."""
        now = self._seconds()
        for name, counter in self._counters.items():
            for when, amount in counter.slices():
                yield name, amount, counter.window, now - when

    def hold(self, counter: str, amount: int) -> int:
        """See `ISharedState.hold`."""
        held = self._held.get(counter, 0) + amount
        if held:
            self._held[counter] = held
        else:
            self._held.pop(counter, None)
        return held

    def holdings(self) -> Iterable[tuple[str, int]]:
        """Return all that is held: counter and amount."""
        return self._held.items()

    def acquire(self, lock: str, owner: str) -> bool:
        """See `ISharedState.acquire`; the same owner may take a lock again."""
        return self._locks.setdefault(lock, owner) == owner

    def release(self, lock: str, owner: str) -> None:
        """See `ISharedState.release`; once is enough, however often it was taken."""
        if self._locks.get(lock) == owner:
            del self._locks[lock]

    def _forget_oldest(self, now: float) -> None:
        """Drop what is over at the old end; and one more where there are too many."""
        while self._counters and next(iter(self._counters.values())).is_over(now):
            self._counters.popitem(last=False)
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
