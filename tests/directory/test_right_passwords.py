"""Right passwords, remembered: for a time, for one stored form, and never in clear."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from mailsuite.directory.records import Credential
from mailsuite.directory.right_passwords import RightPasswords

ALICE, BOB = "alice@example.com", "bob@example.com"
OWN = Credential(1, "", "$argon2id$of-alice")
SECRET = b"correct horse"


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def right(clock: Clock) -> RightPasswords:
    """Three of them, for a minute."""
    right = RightPasswords(clock.seconds, 60, most=3)
    right.keep(ALICE, OWN, SECRET)
    return right


def test_what_was_right_is_right(right: RightPasswords) -> None:
    """For the same login, credential, stored form and password, and nothing else."""
    assert right.holds(ALICE, OWN, SECRET)
    assert not right.holds(ALICE, OWN, b"wrong")
    assert not right.holds(BOB, OWN, SECRET)
    assert not right.holds(ALICE, Credential(2, "", OWN.stored), SECRET)
    assert not right.holds(ALICE, replace(OWN, stored="$argon2id$changed"), SECRET)
    # A wrong try forgets nothing.
    assert right.holds(ALICE, OWN, SECRET)


def test_it_is_forgotten_after_its_time(right: RightPasswords, clock: Clock) -> None:
    """However often it was used; and what is past its time leaves the memory when others come."""
    clock.advance(59)
    assert right.holds(ALICE, OWN, SECRET)
    clock.advance(1)
    assert not right.holds(ALICE, OWN, SECRET)
    right.keep(BOB, OWN, SECRET)
    assert len(right) == 1


def test_it_begins_anew_when_it_was_checked_again(right: RightPasswords, clock: Clock) -> None:
    """That takes no second place."""
    clock.advance(50)
    right.keep(ALICE, OWN, b"another")
    clock.advance(50)
    assert right.holds(ALICE, OWN, b"another")
    assert not right.holds(ALICE, OWN, SECRET)
    assert len(right) == 1


def test_the_oldest_makes_room(right: RightPasswords) -> None:
    """Three are remembered."""
    for number in range(2, 5):
        right.keep(ALICE, Credential(number, "", "x"), SECRET)

    assert len(right) == 3
    assert not right.holds(ALICE, OWN, SECRET)


def test_without_a_time_nothing_is_remembered(clock: Clock) -> None:
    """0 switches it off."""
    right = RightPasswords(clock.seconds, 0)
    right.keep(ALICE, OWN, SECRET)

    assert len(right) == 0
    assert not right.holds(ALICE, OWN, SECRET)


def test_a_clock_that_is_set_back_forgets(right: RightPasswords, clock: Clock) -> None:
    """It lengthens nothing."""
    clock.rightNow = -10.0
    assert not right.holds(ALICE, OWN, SECRET)


def test_nothing_of_the_password_is_kept(right: RightPasswords) -> None:
    """What lies in memory is a keyed hash, of another key in each process."""
    kept = repr(vars(right))
    other = RightPasswords(lambda: 0.0, 60)
    other.keep(ALICE, OWN, SECRET)

    assert SECRET.decode() not in kept
    assert ALICE in kept
    assert list(other._kept.values()) != list(right._kept.values())


PARTS = st.tuples(st.text(max_size=8), st.integers(0, 99), st.text(max_size=8), st.binary(max_size=8))


@given(PARTS, PARTS)
def test_different_parts_are_different(one: tuple[str, int, str, bytes], two: tuple[str, int, str, bytes]) -> None:
    """No part can be read as the end of the one before it."""
    right = RightPasswords(lambda: 0.0, 60)
    (name, number, stored, octets), (name2, number2, stored2, octets2) = one, two
    first = right._digest(name, Credential(number, "", stored), octets)

    assert (first == right._digest(name2, Credential(number2, "", stored2), octets2)) == (one == two)
