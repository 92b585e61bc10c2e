"""Group commit (lesson 27): one sync for all that wait, a failure for all that it was for, nothing told too early."""

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, current_thread, main_thread
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred

from mailsuite.mailbox.barrier import IN_PLACE_SECONDS, TURNS, Barrier, CommitReactor
from mailsuite.mailbox.maildir import Receipt
from tests.turning_clock import TurningClock

# A test that would hang fails after so many seconds.
PATIENCE = 10.0


class ThreadClock(TurningClock):
    """A clock whose calls from threads wait until the test runs them."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., object], *arguments: Any) -> None:
        self._calls.put(lambda: function(*arguments))

    def run_one(self) -> None:
        """Wait for one call and make it."""
        self._calls.get(timeout=PATIENCE)()

    @property
    def idle(self) -> bool:
        """Whether no call waits."""
        return self._calls.empty()


class HeldSync:
    """A disk: each sync begins, waits until it is let go, and fails if it was told to."""

    def __init__(self) -> None:
        self.began: SimpleQueue[list[Receipt]] = SimpleQueue()
        self.go = Event()
        self.trouble: Exception | None = None
        self.synced: list[list[Receipt]] = []
        self.in_place = 0
        self.closed = False

    def sync(self, receipts: Sequence[Receipt]) -> None:
        if current_thread() is main_thread():
            self.in_place += 1
        else:
            self.began.put(list(receipts))
            assert self.go.wait(PATIENCE)
        if self.trouble is not None:
            raise self.trouble
        self.synced.append(list(receipts))

    def close(self) -> None:
        self.closed = True


class World:
    """A barrier with a held disk."""

    def __init__(self) -> None:
        self.reactor = ThreadClock()
        self.sync = HeldSync()
        self.alone = True
        self.takes = 0.0
        self.now = 0.0
        self.marks = 0
        self.barrier = Barrier(
            self.sync, cast(CommitReactor, self.reactor), lambda: self.alone, self.seconds, self.mark
        )
        self.results: list[object] = []

    def seconds(self) -> float:
        """Each look at the clock finds that *takes* have passed."""
        self.now += self.takes
        return self.now

    def mark(self) -> None:
        """A sync has succeeded."""
        self.marks += 1

    def commit(self, *receipts: Receipt) -> bool:
        """Commit; say whether it was done in place. Later results are collected."""
        done = self.barrier.commit(receipts)
        if done is None:
            return True
        done.addBoth(self.results.append)
        return False

    def turn(self) -> None:
        """End the reactor's turn."""
        self.reactor.advance(0)

    def warm_up(self) -> None:
        """Let one sync go by, so that the disk's speed is known."""
        self.sync.go.set()
        assert not self.commit(Receipt())
        self.turn()
        self.reactor.run_one()
        self.sync.go.clear()
        self.results.clear()
        self.sync.synced.clear()
        while not self.sync.began.empty():
            self.sync.began.get()


@pytest.fixture
def world() -> Iterator[World]:
    """A started barrier."""
    made = World()
    made.barrier.start()
    yield made
    made.sync.go.set()
    made.barrier.stop()


def test_nothing_is_told_before_the_sync_has_ended(world: World) -> None:
    """A commit waits for its disk."""
    one = Receipt()
    assert not world.commit(one)
    world.turn()
    assert world.sync.began.get(timeout=PATIENCE) == [one]
    assert world.results == []
    assert world.reactor.idle
    world.sync.go.set()
    world.reactor.run_one()

    assert world.results == [None]
    assert world.marks == 1


def test_what_one_turn_brings_is_one_batch(world: World) -> None:
    """Commits of the same turn of the reactor share a sync."""
    receipts = [Receipt() for _ in range(5)]
    for receipt in receipts:
        world.commit(receipt)
    assert world.sync.began.empty()
    world.turn()

    assert world.sync.began.get(timeout=PATIENCE) == receipts


def test_in_company_some_turns_are_one_batch(world: World) -> None:
    """With other sessions open theirs go along."""
    world.alone = False
    receipts = [Receipt() for _ in range(TURNS)]
    for receipt in receipts:
        world.commit(receipt)
        world.reactor.turn()
    world.reactor.turn()

    assert world.sync.began.get(timeout=PATIENCE) == receipts


def test_in_company_so_is_what_comes_after_a_sync(world: World) -> None:
    """A batch that has formed while a sync ran waits for others, too."""
    world.alone = False
    first, second, third = Receipt(), Receipt(), Receipt()
    world.commit(first)
    world.turn()
    assert world.sync.began.get(timeout=PATIENCE) == [first]
    world.commit(second)
    world.sync.go.set()
    world.reactor.run_one()
    world.reactor.turn()
    world.commit(third)
    world.turn()

    assert world.sync.began.get(timeout=PATIENCE) == [second, third]


def test_a_batch_forms_while_the_sync_before_it_runs(world: World) -> None:
    """What comes meanwhile waits together, and is not part of the sync that runs."""
    first, second, third = Receipt(), Receipt(), Receipt()
    world.commit(first)
    world.turn()
    assert world.sync.began.get(timeout=PATIENCE) == [first]
    world.commit(second)
    world.turn()
    world.commit(third)
    world.turn()
    assert world.sync.began.empty()
    world.sync.go.set()
    world.reactor.run_one()
    assert world.results == [None]
    world.turn()
    assert world.sync.began.get(timeout=PATIENCE) == [second, third]
    world.reactor.run_one()

    assert world.results == [None] * 3
    assert world.sync.synced == [[first], [second, third]]


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), RuntimeError("a bug")])
def test_a_failing_sync_fails_its_batch_and_no_other(world: World, trouble: Exception) -> None:
    """Each of the batch gets an OSError; the sync is not tried again; the next batch has its own luck."""
    world.sync.trouble = trouble
    world.commit(Receipt())
    world.commit(Receipt())
    world.turn()
    world.sync.began.get(timeout=PATIENCE)
    world.commit(Receipt())
    world.sync.go.set()
    world.reactor.run_one()
    failures = [cast(Any, result).value for result in world.results]
    assert [isinstance(failure, OSError) for failure in failures] == [True, True]
    world.sync.trouble = None
    world.turn()
    world.reactor.run_one()

    assert len(world.results) == 3
    assert len(world.sync.synced) == 1
    assert world.marks == 1


class TestInPlace:
    """A lone message need not pay for a thread."""

    def test_the_first_is_never_in_place(self, world: World) -> None:
        """Nothing is known of the disk's speed yet."""
        assert not world.commit(Receipt())

    def test_lone_and_quick(self, world: World) -> None:
        """With one session and a quick disk the caller goes on at once."""
        world.warm_up()
        receipt = Receipt()

        assert world.commit(receipt)
        assert world.sync.synced == [[receipt]]

    def test_not_lone(self, world: World) -> None:
        """With other sessions open the reactor must not wait."""
        world.warm_up()
        world.alone = False

        assert not world.commit(Receipt())
        assert world.sync.in_place == 0

    @pytest.mark.parametrize(("takes", "in_place"), [(IN_PLACE_SECONDS / 2, True), (IN_PLACE_SECONDS, False)])
    def test_not_quick(self, world: World, takes: float, in_place: bool) -> None:
        """A slow disk never stops the reactor; the limit is where it begins."""
        world.takes = takes
        world.warm_up()

        assert world.commit(Receipt()) is in_place

    def test_a_disk_that_becomes_slow_is_left_to_the_thread(self, world: World) -> None:
        """The median of the last syncs decides, so that one slow sync does not, and many do."""
        world.warm_up()
        for _ in range(20):
            assert world.commit(Receipt())
        world.takes = 1.0
        done = [world.commit(Receipt()) for _ in range(20)]

        assert done[0] is True
        assert done[-1] is False

    def test_not_while_a_batch_is_under_way(self, world: World) -> None:
        """Two threads never sync at a time."""
        world.warm_up()
        world.alone = False
        world.commit(Receipt())
        world.alone = True
        assert not world.commit(Receipt())
        world.turn()
        world.sync.began.get(timeout=PATIENCE)
        assert not world.commit(Receipt())

        assert world.sync.in_place == 0

    def test_a_failing_sync_is_raised(self, world: World) -> None:
        """The caller learns it where it stands."""
        world.warm_up()
        marks = world.marks
        world.sync.trouble = OSError(5, "Input/output error")
        with pytest.raises(OSError, match="Input/output"):
            world.commit(Receipt())

        assert world.marks == marks


class TestStop:
    """The end of the service."""

    def test_what_waits_is_committed(self, world: World) -> None:
        """What was asked for before is durable when `stop` returns, also what no turn has handed over yet."""
        first, second = Receipt(), Receipt()
        world.commit(first)
        world.turn()
        world.sync.began.get(timeout=PATIENCE)
        world.commit(second)
        world.sync.go.set()
        world.barrier.stop()

        assert world.sync.synced == [[first], [second]]
        assert world.sync.closed

    def test_in_the_same_turn(self, world: World) -> None:
        """A commit of this very turn is not forgotten, and the turn's end does no harm afterwards."""
        receipt = Receipt()
        world.commit(receipt)
        world.sync.go.set()
        world.barrier.stop()
        world.turn()
        world.reactor.run_one()

        assert world.sync.synced == [[receipt]]
        assert world.results == [None]

    def test_while_others_are_waited_for(self, world: World) -> None:
        """It is committed once, and the turns that come later do no harm."""
        world.alone = False
        receipt = Receipt()
        world.commit(receipt)
        world.reactor.turn()
        world.sync.go.set()
        world.barrier.stop()
        for _ in range(TURNS + 1):
            world.reactor.turn()
        world.reactor.run_one()

        assert world.sync.synced == [[receipt]]
        assert world.results == [None]

    def test_without_a_start(self) -> None:
        """A service that failed to start can be stopped."""
        made = World()
        made.barrier.stop()

        assert made.sync.closed


def test_deferreds_are_the_callers(world: World) -> None:
    """Each commit has a Deferred of its own."""
    one, two = world.barrier.commit([]), world.barrier.commit([])

    assert isinstance(one, Deferred)
    assert isinstance(two, Deferred)
    assert one is not two
