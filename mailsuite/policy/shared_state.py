"""`ISharedState` for several processes: each has all of it in memory, and tells the others by way of one what it adds.

So an answer comes at once. It lacks what others have added within the last milliseconds (`TELL_SECONDS`, and the way):
a limit can be exceeded by what they let in within these. While that one is away each process counts by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, cast

import msgspec
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailsuite.interfaces import ISharedState
from mailsuite.policy.state import MemoryState

# What is added within so many seconds is told together.
TELL_SECONDS = 0.005
# In place of a window: the counter begins anew.
ANEW = -1.0
# Of what was before somebody joined, so many changes are told at a time.
TOLD_AT_ONCE = 10_000


class Change(msgspec.Struct, frozen=True, array_like=True):
    """*amount* more of *counter* in *state*: held where *window* is 0, else counted, *age* seconds ago.

    With the window `ANEW`, *counter* begins again at nothing.
    """

    state: str
    counter: str
    amount: int
    window: float
    age: float = 0.0


Tell = Callable[[Sequence[Change]], None]


class KernelLocks(Protocol):
    """Locks that shut out all other processes, and end with theirs."""

    def acquire(self, name: str) -> bool:
        """Take the lock *name*. Raises `OSError`."""

    def release(self, name: str) -> None:
        """Give it back."""


class States:
    """The states of a site, by name; each has bounds of its own. *seconds* never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._states: dict[str, MemoryState] = {}

    def named(self, name: str) -> MemoryState:
        """Return the state *name*."""
        found = self._states.get(name)
        if found is None:
            found = self._states[name] = MemoryState(self._seconds)
        return found

    def apply(self, changes: Iterable[Change]) -> None:
        """Add *changes*."""
        for change in changes:
            state = self.named(change.state)
            if change.window > 0:
                state.add_late(change.counter, change.amount, change.window, change.age)
            elif change.window == ANEW:
                state.forget(change.counter)
            else:
                state.hold(change.counter, change.amount)

    def past(self) -> Iterator[Change]:
        """Yield what makes all of it, in an order for `apply`."""
        for name, state in self._states.items():
            for counter, amount, window, age in state.added():
                yield Change(name, counter, amount, window, age)
            for counter, amount in state.holdings():
                yield Change(name, counter, amount, 0.0)


class Exchange:
    """What one process has of the shared states. *tell* is given what it has added; *seconds* never goes back."""

    def __init__(self, seconds: Callable[[], float], clock: IReactorTime, locks: KernelLocks, tell: Tell) -> None:
        self._clock = clock
        self._locks = locks
        self._tell = tell
        self._states = States(seconds)
        # What is not told yet, by state, counter and window.
        self._untold: dict[tuple[str, str, float], int] = {}

    def state(self, name: str) -> ISharedState:
        """Return the shared state *name*."""
        return cast(ISharedState, _Shared(name, self._states.named(name), self._locks, self._change))

    def received(self, changes: Iterable[Change]) -> None:
        """Others have added something."""
        self._states.apply(changes)

    def _change(self, state: str, counter: str, amount: int, window: float) -> None:
        if window == ANEW:
            # What was added before comes before it, what is added later behind it.
            self._tell_all()
            self._tell([Change(state, counter, amount, window)])
            return
        if not self._untold:
            self._clock.callLater(TELL_SECONDS, self._tell_all)
        key = (state, counter, window)
        self._untold[key] = self._untold.get(key, 0) + amount

    def _tell_all(self) -> None:
        untold, self._untold = self._untold, {}
        changes = [Change(state, counter, amount, window) for (state, counter, window), amount in untold.items()]
        # What came and went meanwhile is nobody's business.
        self._tell([change for change in changes if change.amount])


@implementer(ISharedState)
class _Shared:
    """One state of an `Exchange`."""

    def __init__(
        self,
        name: str,
        memory: MemoryState,
        locks: KernelLocks,
        change: Callable[[str, str, int, float], None],
    ) -> None:
        self._name = name
        self._memory = memory
        self._locks = locks
        self._change = change
        # Who has which lock in this process: the kernel knows processes alone.
        self._owners: dict[str, str] = {}

    def add(self, counter: str, amount: int, window: float) -> int:
        """See `ISharedState.add`."""
        self._change(self._name, counter, amount, window)
        return self._memory.add(counter, amount, window)

    def read(self, counter: str, window: float) -> int:
        """See `ISharedState.read`."""
        return self._memory.read(counter, window)

    def forget(self, counter: str) -> None:
        """See `ISharedState.forget`."""
        self._memory.forget(counter)
        self._change(self._name, counter, 0, ANEW)

    def hold(self, counter: str, amount: int) -> int:
        """See `ISharedState.hold`."""
        self._change(self._name, counter, amount, 0.0)
        return self._memory.hold(counter, amount)

    def acquire(self, lock: str, owner: str) -> bool:
        """See `ISharedState.acquire`."""
        if lock not in self._owners:
            try:
                if not self._locks.acquire(f"{self._name} {lock}"):
                    return False
            except OSError:
                return False
            self._owners[lock] = owner
        return self._owners[lock] == owner

    def release(self, lock: str, owner: str) -> None:
        """See `ISharedState.release`."""
        if self._owners.get(lock) == owner:
            del self._owners[lock]
            self._locks.release(f"{self._name} {lock}")


class Hub:
    """Passes on what processes add, and knows all of it for those that join. *seconds* never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._states = States(seconds)
        # What each member holds, by state and counter.
        self._members: dict[Tell, dict[tuple[str, str], int]] = {}

    def joined(self, member: Tell) -> None:
        """Tell *member* all that was before, and what comes."""
        self._members[member] = {}
        past = list(self._states.past())
        for at in range(0, len(past), TOLD_AT_ONCE):
            member(past[at : at + TOLD_AT_ONCE])

    def received(self, member: Tell, changes: Sequence[Change]) -> None:
        """*member* has added something."""
        holdings = self._members[member]
        for change in changes:
            if not change.window:
                key = (change.state, change.counter)
                holdings[key] = holdings.get(key, 0) + change.amount
                if not holdings[key]:
                    del holdings[key]
        self._pass_on(member, changes)

    def left(self, member: Tell) -> None:
        """*member* is gone, and with it what it held."""
        holdings = self._members.pop(member)
        gone = [Change(state, counter, -amount, 0.0) for (state, counter), amount in holdings.items()]
        if gone:
            self._pass_on(member, gone)

    def _pass_on(self, member: Tell, changes: Sequence[Change]) -> None:
        self._states.apply(changes)
        for other in list(self._members):
            if other != member:
                other(changes)
