"""When a crew starts, replaces and stops its workers."""

import signal
from signal import SIGHUP, SIGKILL, SIGTERM

import pytest
from twisted.internet.task import Clock

from mailsuite.workers.crew import DRAIN, LIVED_SECONDS, MERCY_SECONDS, PAUSES, START_SECONDS, Crew, Worker

DRAIN_SECONDS, GRACE = 100.0, 10.0


class Fake:
    """A process that does nothing by itself."""

    def __init__(self, number: int, pid: int) -> None:
        self.number = number
        self.pid = pid
        self.signals: list[signal.Signals] = []

    def signal(self, number: int) -> None:
        """See `Worker`."""
        self.signals.append(signal.Signals(number))


class World:
    """A crew of *count*, and every process that it has started, in order."""

    def __init__(self, count: int = 2) -> None:
        self.clock = Clock()
        self.started: list[Fake] = []
        self.died: list[Worker] = []
        self.failures = 0
        self.refuses = False
        self.crew = Crew(count, self._launch, self.clock, self.died.append, self._failed, DRAIN_SECONDS, GRACE)

    def _launch(self, number: int) -> Fake:
        if self.refuses:
            raise OSError("no more processes")
        self.started.append(Fake(number, 100 + len(self.started)))
        return self.started[-1]

    def _failed(self) -> None:
        self.failures += 1

    def serve(self) -> "World":
        """Start, and have all ready."""
        self.crew.start()
        for worker in self.started:
            self.crew.ready(worker)
        return self

    def die(self, worker: Fake) -> None:
        """Have *worker* killed."""
        self.crew.ended(worker, False, "was ended by SIGKILL")

    @property
    def numbers(self) -> list[int]:
        """The numbers of those that were started."""
        return [worker.number for worker in self.started]


def test_all_are_started_and_told_complete_once() -> None:
    """When the last one is ready, and not again."""
    world = World(3)
    complete: list[object] = []
    world.crew.complete.addCallback(complete.append)
    world.crew.start()
    assert world.numbers == [1, 2, 3]
    for worker in world.started[1:]:
        world.crew.ready(worker)
    assert not complete and world.crew.beginners == world.started[:1]
    world.crew.ready(world.started[0])
    assert len(complete) == 1 and world.crew.serving == world.started and not world.crew.beginners


def test_a_dead_worker_is_replaced() -> None:
    """At once the first time, later when it dies of its start again and again, at once again after a long life."""
    world = World().serve()
    for pause in [*PAUSES, PAUSES[-1]]:
        before = len(world.started)
        world.die(world.started[-1] if before > 2 else world.started[1])
        if pause:
            world.clock.advance(pause - 0.1)
            assert len(world.started) == before
        world.clock.advance(0.1)
        assert world.numbers[before:] == [2]
    world.clock.advance(LIVED_SECONDS)
    before = len(world.started)
    world.die(world.started[-1])
    world.clock.advance(0)

    assert world.numbers[before:] == [2]
    assert len(world.died) == len(PAUSES) + 2


def test_a_worker_that_cannot_be_started_is_tried_again() -> None:
    """The system may have no process left for a while."""
    world = World().serve()
    world.refuses = True
    world.die(world.started[0])
    world.clock.advance(PAUSES[0])
    assert len(world.started) == 2
    world.refuses = False
    world.clock.advance(PAUSES[1])

    assert world.numbers == [1, 2, 1]


def test_the_first_ones_must_start() -> None:
    """Where none of them ever served, that is no start."""
    world = World()
    world.crew.start()
    world.crew.ended(world.started[0], False, "has stopped with status 1")
    world.clock.advance(PAUSES[-1])

    assert world.failures == 1
    assert world.numbers == [1, 2]


def test_one_that_hangs_at_its_start_is_killed() -> None:
    """Its place is not lost; one that serves in time is left alone."""
    world = World().serve()
    world.die(world.started[0])
    world.clock.advance(PAUSES[0])
    hanging = world.started[-1]
    world.clock.advance(START_SECONDS - 1)
    assert hanging.signals == []
    world.clock.advance(1)
    assert hanging.signals == [SIGKILL]
    world.die(hanging)
    world.clock.advance(PAUSES[0])
    replaced = world.started[-1]
    world.crew.ready(replaced)
    world.clock.advance(START_SECONDS)
    assert (world.numbers, replaced.signals, world.started[1].signals) == ([1, 2, 1, 1], [], [])


def test_one_that_is_ready_too_late_is_killed_all_the_same() -> None:
    """It was told to stop before it served."""
    world = World(1)
    world.crew.start()
    world.crew.stop()
    world.crew.ready(world.started[0])
    world.clock.advance(GRACE + MERCY_SECONDS)

    assert world.started[0].signals == [SIGTERM, SIGKILL]


def test_one_that_is_ready_too_late_is_followed_by_nobody() -> None:
    """Where those of before were to be replaced one by one, and all are stopped."""
    world = World()
    former = [Fake(1, 1), Fake(2, 2)]
    world.crew.start(former)
    stopped: list[object] = []
    world.crew.stop().addCallback(stopped.append)
    world.crew.ready(world.started[0])
    for worker in (*former, *world.started):
        world.crew.ended(worker, True, "has stopped")

    assert world.numbers == [1] and len(stopped) == 1


def test_those_before_go_one_by_one() -> None:
    """Each when another one is ready in its place; one more than are wanted goes last."""
    world = World()
    former = [Fake(number, number) for number in (1, 2, 3)]
    going = Fake(1, 9)
    world.crew.start(former, [going])
    assert world.numbers == [1] and going.signals == [DRAIN]
    world.crew.ready(world.started[0])
    assert [each.signals for each in former] == [[DRAIN], [], []]
    assert world.numbers == [1, 2] and world.crew.serving == [*former[1:], world.started[0]]
    world.crew.ready(world.started[1])
    assert [each.signals for each in former] == [[DRAIN], [DRAIN], [DRAIN]]
    assert world.crew.serving == world.started
    for worker in (*former, going):
        world.crew.ended(worker, True, "has stopped")
    world.clock.advance(DRAIN_SECONDS + GRACE + MERCY_SECONDS)

    assert world.numbers == [1, 2] and not world.died
    assert going.signals == [DRAIN]


def test_there_may_have_been_fewer_before() -> None:
    """A place that is new has nobody to replace."""
    world = World(3)
    (former,) = [Fake(1, 1)]
    world.crew.start([former])
    for number in range(3):
        world.crew.ready(world.started[number])

    assert world.numbers == [1, 2, 3] and world.crew.serving == world.started


def test_beginners_can_be_stopped() -> None:
    """Those that serve are left alone, whether they were here before or not; a stopped one has another after it."""
    world = World()
    former = [Fake(1, 1), Fake(2, 2)]
    world.crew.start(former)
    world.crew.ready(world.started[0])
    assert world.crew.beginners == world.started[1:] and world.crew.serving == [former[1], world.started[0]]
    world.crew.stop_beginners()
    assert [each.signals for each in (*former, *world.started)] == [[DRAIN], [], [], [SIGTERM]]
    world.crew.ended(world.started[1], True, "was ended by SIGTERM")
    world.clock.advance(PAUSES[0])

    assert world.numbers == [1, 2, 2]


def test_those_before_serve_on_while_nobody_can_take_their_place() -> None:
    """A new one that does not start is started again."""
    world = World()
    former = [Fake(1, 1), Fake(2, 2)]
    world.crew.start(former)
    world.die(world.started[0])
    world.clock.advance(PAUSES[0])

    assert world.numbers == [1, 1] and not world.failures
    assert [each.signals for each in former] == [[], []]


def test_one_before_that_dies_is_not_replaced_twice() -> None:
    """Its place is taken in turn."""
    world = World()
    former = [Fake(1, 1), Fake(2, 2)]
    world.crew.start(former)
    world.die(former[1])
    world.crew.ready(world.started[0])
    world.clock.advance(0)

    assert world.numbers == [1, 2]


def test_a_worker_that_does_not_go_is_killed() -> None:
    """When its time is over, and some."""
    world = World(1)
    former = Fake(1, 1)
    world.crew.start([former])
    world.crew.ready(world.started[0])
    world.clock.advance(DRAIN_SECONDS + GRACE + MERCY_SECONDS - 1)
    assert former.signals == [DRAIN]
    world.clock.advance(1)

    assert former.signals == [DRAIN, SIGKILL]


def test_hanging_up_reaches_all() -> None:
    """Who is only starting hears of it when it can: a signal would end it before."""
    world = World()
    world.crew.start([Fake(2, 2)])
    (new,) = world.started
    world.crew.hang_up()
    assert new.signals == []
    world.crew.ready(new)
    assert new.signals == [SIGHUP]
    world.crew.hang_up()
    assert new.signals == [SIGHUP, SIGHUP]


@pytest.mark.parametrize("obedient", [True, False])
def test_stopping(obedient: bool) -> None:
    """All at once, those that go too; nobody is started again, and who does not end is killed."""
    world = World().serve()
    stopped: list[object] = []
    world.die(world.started[0])
    world.crew.stop().addCallback(stopped.append)
    (left,) = world.crew.placed
    assert left is world.started[1] and left.signals == [SIGTERM]
    if not obedient:
        world.clock.advance(GRACE + MERCY_SECONDS)
        assert left.signals == [SIGTERM, SIGKILL]
    world.crew.ended(left, obedient, "was ended")
    world.clock.advance(max(PAUSES))

    assert stopped == [None]
    assert world.numbers == [1, 2]
    assert not world.clock.getDelayedCalls()


def test_stopping_nobody() -> None:
    """That is soon done."""
    stopped: list[object] = []
    World().crew.stop().addCallback(stopped.append)
    assert stopped == [None]
