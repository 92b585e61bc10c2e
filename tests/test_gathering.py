"""When a batch begins: in company once it has had some turns of the reactor to form, else at the end of the turn."""

import pytest

from mailsuite.gathering import MOST_SECONDS, Gathering
from tests.turning_clock import TurningClock

TURNS = 6


class World:
    """A gathering, and in which turns its batches began."""

    def __init__(self) -> None:
        self.clock = TurningClock()
        self.company = True
        self.turns = 0
        self.begun: list[int] = []
        self.gathering = Gathering(
            self.clock, TURNS, lambda: self.company, lambda: self.begun.append(self.turns)
        )

    def turn(self, count: int = 1, seconds: float = 0.0) -> None:
        """Let so many turns of the reactor end, each of which takes so long."""
        for _ in range(count):
            self.turns += 1
            self.clock.rightNow += seconds
            self.clock.turn()


@pytest.fixture
def world() -> World:
    """A gathering that has begun nothing."""
    return World()


def test_alone(world: World) -> None:
    """Nobody is waited for, but what the turn itself brings goes along."""
    world.company = False
    world.gathering.start()
    assert world.begun == []
    world.turn(2 * TURNS)

    assert world.begun == [1]


def test_in_company(world: World) -> None:
    """So many turns more, and once."""
    world.gathering.start()
    world.turn(3 * TURNS)

    assert world.begun == [1 + TURNS]


def test_the_others_leave(world: World) -> None:
    """Then there is nobody left to wait for."""
    world.gathering.start()
    world.turn(3)
    world.company = False
    world.turn(TURNS)

    assert world.begun == [4]


def test_again(world: World) -> None:
    """Each batch has its own time."""
    world.gathering.start()
    world.turn(1 + TURNS)
    world.gathering.start()
    world.turn(1 + TURNS)

    assert world.begun == [1 + TURNS, 2 + 2 * TURNS]


@pytest.mark.parametrize(("seconds", "turns"), [(MOST_SECONDS / 2, 2), (MOST_SECONDS / 2 - 0.001, 3), (1.0, 1)])
def test_long_turns(world: World, seconds: float, turns: int) -> None:
    """A reactor that is busy with much else lets nobody wait for long."""
    world.gathering.start()
    world.turn(TURNS, seconds)

    assert world.begun == [turns]


def test_no_time_passes(world: World) -> None:
    """Turns are counted, not seconds: an idle reactor's are over at once."""
    world.gathering.start()
    world.turn(1 + TURNS)

    assert world.begun
    assert world.clock.seconds() == 0
