"""Shared state in memory: sums over a window, locks, and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.interfaces import ISharedState
from mailsuite.policy.state import SLICES, Counter, MemoryState


@pytest.fixture
def clock() -> Clock:
    """The time, as the state is told it."""
    return Clock()


@pytest.fixture
def state(clock: Clock) -> MemoryState:
    """State that keeps three counters at most."""
    return MemoryState(clock.seconds, counters=3)


def test_it_is_shared_state(state: MemoryState) -> None:
    """Class and object provide the interface."""
    assert verifyClass(ISharedState, MemoryState)
    assert verifyObject(ISharedState, state)


def test_a_counter_sums_up_its_window(state: MemoryState, clock: Clock) -> None:
    """What was added counts for the window and no longer."""
    assert state.add("a", 2, 60) == 2
    clock.advance(30)
    assert state.add("a", 3, 60) == 5
    assert state.read("b", 60) == 0
    clock.advance(30)
    assert state.read("a", 60) == 3
    clock.advance(30)
    assert state.read("a", 60) == 0
    assert state.add("a", 1, 60) == 1


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 5)), max_size=60))
def test_nothing_is_forgotten_early_and_little_kept_late(steps: list[tuple[float, int]]) -> None:
    """Against every single addition: never less than the true sum, at most one slice of the window more."""
    clock, window = Clock(), 60.0
    state = MemoryState(clock.seconds)
    added: list[tuple[float, int]] = []
    for pause, amount in steps:
        clock.advance(pause)
        added.append((clock.seconds(), amount))
        total = state.add("a", amount, window)
        now = clock.seconds()
        least = sum(one for when, one in added if when > now - window)
        most = sum(one for when, one in added if when > now - window - window / SLICES)
        assert least <= total <= most


def test_a_busy_counter_does_not_grow() -> None:
    """However often it is raised, a counter keeps its past in a few slices."""
    counter = Counter(60)
    for tick in range(100_000):
        counter.add(tick / 100, 1, 60)

    assert len(counter._added) <= SLICES + 2


def test_counters_of_old_are_forgotten(state: MemoryState, clock: Clock) -> None:
    """Past their window they free their place; where all are fresh the oldest goes."""
    for name in ("a", "b", "c"):
        state.add(name, 1, 60)
        clock.advance(1)
    state.add("a", 1, 60)
    state.add("d", 1, 60)

    assert [state.read(name, 60) for name in ("a", "b", "c", "d")] == [2, 0, 1, 1]

    clock.advance(61)
    state.add("e", 1, 60)

    assert len(state._counters) == 1


def test_a_counter_can_begin_anew(state: MemoryState) -> None:
    """Whatever it had counted; one that nobody knows is no harm."""
    state.add("a", 5, 60)
    state.forget("a")
    state.forget("b")

    assert state.read("a", 60) == 0
    assert state.add("a", 1, 60) == 1

def test_what_is_held(state: MemoryState, clock: Clock) -> None:
    """It is held until it is given back, however long; of what is not held nothing is kept."""
    assert state.hold("open", 2) == 2
    clock.advance(1e6)
    assert state.hold("open", -1) == state.hold("open", 0) == 1
    assert state.hold("open", -1) == state.hold("open", 0) == 0
    assert vars(state)["_held"] == {}


def test_a_lock_has_one_owner(state: MemoryState) -> None:
    """Another owner waits until it is released by the one who has it."""
    assert state.acquire("box", "one")
    assert state.acquire("box", "one")
    assert not state.acquire("box", "two")
    state.release("box", "two")
    assert not state.acquire("box", "two")
    state.release("box", "one")
    state.release("box", "one")
    assert state.acquire("box", "two")
    assert state.acquire("other", "one")
