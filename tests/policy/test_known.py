"""From where logins were used: bounded, with an age, written once a day."""

import pytest
from twisted.internet.task import Clock

from mailsuite.policy.known import DAY, KNOWN_SECONDS, KnownPlaces, Use

ALICE, BOB = "alice@b.example", "bob@b.example"
HOME, WORK = "192.0.2.1", "198.51.100.1"


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def known(clock: Clock) -> KnownPlaces:
    """Room for three pairs."""
    return KnownPlaces(clock.seconds, pairs=3)


def test_a_pair_is_known_by_its_use(known: KnownPlaces) -> None:
    """That login from that place, and no other."""
    known.note(ALICE, HOME)

    assert known.has(ALICE, HOME)
    assert not known.has(ALICE, WORK)
    assert not known.has(BOB, HOME)
    assert known.anybody_at(HOME)
    assert not known.anybody_at(WORK)


def test_a_pair_is_forgotten_by_its_age(known: KnownPlaces, clock: Clock) -> None:
    """Each use begins it anew, to the precision of a day."""
    known.note(ALICE, HOME)
    clock.advance(DAY)
    known.note(ALICE, HOME)
    clock.advance(KNOWN_SECONDS - 1)
    assert known.has(ALICE, HOME)
    clock.advance(1)
    assert not known.has(ALICE, HOME)
    known.note(BOB, WORK)
    assert len(known) == 1
    assert not known.anybody_at(HOME)


def test_the_pair_of_oldest_use_makes_room(known: KnownPlaces, clock: Clock) -> None:
    """Three may stay."""
    for number in range(3):
        known.note(f"u{number}", HOME)
        clock.advance(DAY)
    known.note("u0", HOME)
    known.note("u3", WORK)

    assert [known.has(f"u{number}", HOME) for number in range(3)] == [True, False, True]
    assert len(known) == 3
    # What is forgotten is not to be written either.
    assert {use.account for use in known.fresh()} == {"u0", "u2", "u3"}


def test_what_is_written_is_not_written_again(known: KnownPlaces, clock: Clock) -> None:
    """A pair is fresh once a day, however often it logs in."""
    known.note(ALICE, HOME)
    fresh = known.fresh()
    assert fresh == [Use(ALICE, HOME, 0.0)]
    known.written(fresh)
    clock.advance(DAY - 1)
    known.note(ALICE, HOME)
    assert known.fresh() == []
    clock.advance(1)
    known.note(ALICE, HOME)
    # Noted again while the old use was being written.
    known.written(fresh)
    assert known.fresh() == [Use(ALICE, HOME, DAY)]


def test_what_others_have_written_is_learned(known: KnownPlaces, clock: Clock) -> None:
    """The newest use counts; nothing of it is fresh here."""
    clock.advance(10 * DAY)
    known.note(ALICE, HOME)
    known.written(known.fresh())
    known.learn([Use(ALICE, HOME, DAY), Use(BOB, WORK, DAY)])

    assert known.has(BOB, WORK)
    assert known.fresh() == []
    known.note(ALICE, HOME)
    assert known.fresh() == []


def test_a_clock_that_is_set_back(known: KnownPlaces, clock: Clock) -> None:
    """A pair is noted all the same."""
    clock.advance(10 * DAY)
    known.note(ALICE, HOME)
    known.written(known.fresh())
    clock.rightNow = DAY
    known.note(ALICE, HOME)

    assert known.fresh() == [Use(ALICE, HOME, DAY)]
    assert known.has(ALICE, HOME)
