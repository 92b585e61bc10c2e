"""Answers that are kept: how long they hold, and what holds while nobody can be asked."""

from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.errors import Away
from mailsuite.directory.remembered import NO_SECONDS, PAUSE_SECONDS, Remembered, Source, Terms
from mailsuite.maybe import Maybe, value_of
from mailsuite.meaning import CannotJudge

CASE = SynchronousTestCase()
TTL, STALE = 60.0, 1000.0


class World:
    """A back end that knows ``yes`` and counts what it is asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.generation = 1
        self.trouble: Exception | None = None
        self.waiting: Deferred[str] | None = None
        self.asked: list[str] = []
        self.source = Source(lambda: self.generation, self.clock.seconds, Terms(TTL, STALE))
        self.kept: Remembered[str, str] = Remembered(3, self.source, lambda answer: answer == "yes")

    def get(self, key: str) -> Maybe[str]:
        """Ask for *key*."""
        return self.kept.get(key, lambda: self.answer(key))

    def answer(self, key: str) -> Maybe[str]:
        """Answer as the back end."""
        self.asked.append(key)
        if self.trouble is not None:
            raise self.trouble
        return self.waiting if self.waiting is not None else ("yes" if key.startswith("y") else "no")


@pytest.fixture
def world() -> Iterator[World]:
    """A world, and no word of it in the log of the tests."""
    with capturedLogs():
        yield World()


@pytest.mark.parametrize(("key", "term"), [("y", TTL), ("n", NO_SECONDS)])
def test_an_answer_holds_for_its_term(world: World, key: str, term: float) -> None:
    """Within it nobody is asked, at its end somebody is: soon where the answer was no."""
    first = world.get(key)
    world.clock.advance(term - 0.5)
    assert world.get(key) == first
    assert world.asked == [key]
    world.clock.advance(0.5)
    world.get(key)
    assert world.asked == [key, key]


def test_a_change_ends_the_term(world: World) -> None:
    """Also one that happens while the answer is on its way."""
    world.get("y")
    world.generation += 1
    world.get("y")
    assert world.asked == ["y", "y"]
    world.waiting = Deferred()
    asked = Deferred.fromCoroutine(value_of(world.get("n")))
    world.generation += 1
    world.waiting.callback("no")
    assert CASE.successResultOf(asked) == "no"
    world.waiting = None
    world.get("n")
    assert world.asked[-2:] == ["n", "n"]


def test_who_was_known_is_served_while_the_back_end_is_away(world: World) -> None:
    """Up to the set age; nobody is told no by what was known before, however fresh a change is."""
    for key in ("y", "n"):
        world.get(key)
    world.generation += 1
    world.trouble = Away("the plug is pulled")
    assert world.get("y") == "yes"
    with pytest.raises(Away, match="plug"):
        world.get("n")
    with pytest.raises(Away, match="plug"):
        world.get("y2")
    world.clock.advance(STALE - 0.5)
    assert world.get("y") == "yes"
    world.clock.advance(0.5)
    with pytest.raises(Away):
        world.get("y")


def test_one_that_is_away_is_left_alone_for_a_moment(world: World) -> None:
    """Who has to wait for a time-out should be few; afterwards the first answer ends it."""
    world.trouble = Away("away")
    for key in ("a", "b", "c"):
        with pytest.raises(Away):
            world.get(key)
    assert world.asked == ["a"]
    assert world.source.is_away
    # Who is told so meanwhile, however often, does not make it longer.
    for _ in range(4):
        world.clock.advance(PAUSE_SECONDS / 4)
        with pytest.raises(Away):
            world.get("b")
    assert world.asked == ["a", "b"]
    world.clock.advance(PAUSE_SECONDS)
    world.trouble = None
    assert [world.get(key) for key in ("a", "b")] == ["no", "no"]
    assert not world.source.is_away


def test_while_it_is_away_one_at_a_time_finds_out(world: World) -> None:
    """The others are answered at once by what is known, or told to come again, however long that takes."""
    world.get("y")
    world.generation += 1
    world.trouble = Away("it says nothing")
    with pytest.raises(Away):
        world.get("a")
    world.trouble, world.waiting = None, Deferred()
    world.clock.advance(PAUSE_SECONDS)
    asked = Deferred.fromCoroutine(value_of(world.get("b")))
    assert world.get("y") == "yes"
    with pytest.raises(Away):
        world.get("c")
    assert world.asked == ["y", "a", "b"]
    world.waiting.callback("no")
    assert CASE.successResultOf(asked) == "no"


def test_it_is_told_once_and_for_all(world: World) -> None:
    """One line when it goes and one when it is back, whatever is asked meanwhile."""
    with capturedLogs() as told:
        world.trouble = Away("away")
        for _ in range(5):
            with pytest.raises(Away):
                world.get("a")
            world.clock.advance(PAUSE_SECONDS)
        world.trouble = None
        world.get("a")
    assert [event["log_level"] for event in told] == [LogLevel.error, LogLevel.info]


def test_a_failure_of_another_kind_stops_nobody_else(world: World) -> None:
    """It is told with its traceback, and the next question is asked at once."""
    world.get("y")
    world.clock.advance(TTL)
    world.trouble = KeyError("a fault in a back end")
    assert world.get("y") == "yes"
    with pytest.raises(CannotJudge):
        world.get("n")
    world.trouble = None
    assert world.get("n") == "no"


def test_an_answer_that_fails_on_its_way(world: World) -> None:
    """Then, too, what is kept is given."""
    world.get("y")
    world.clock.advance(TTL)
    for key, expected in (("y", "yes"), ("y2", None)):
        world.waiting = Deferred()
        asked = Deferred.fromCoroutine(value_of(world.get(key)))
        world.waiting.errback(Away("away"))
        if expected is None:
            CASE.failureResultOf(asked, Away)
        else:
            assert CASE.successResultOf(asked) == expected
        world.clock.advance(PAUSE_SECONDS)


def test_it_is_bounded_and_forgets_what_it_is_told_to(world: World) -> None:
    """What was not asked for longest leaves first."""
    for key in "abcde":
        world.get(key)
    assert len(world.kept) == 3
    world.kept.forget("e")
    world.get("e")
    assert world.asked[-1] == "e" and world.asked.count("e") == 2


def test_what_is_to_be_asked_anew_serves_while_nobody_answers(world: World) -> None:
    """To forget is not to know less than before."""
    world.get("y")
    world.kept.forget("y")
    world.kept.forget("never asked")
    world.trouble = Away("away")
    assert world.get("y") == "yes"
    world.trouble = None
    world.clock.advance(PAUSE_SECONDS)
    world.get("y")
    assert world.asked == ["y", "y", "y"]
