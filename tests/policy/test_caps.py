"""Caps on submission: at the cap and one past it, whom they are for, and who is told."""

from typing import cast

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailsuite.address import Address
from mailsuite.interfaces import ICaps, ISharedState
from mailsuite.meaning import Cap, Login
from mailsuite.policy.caps import DAY, HOUR, Caps
from mailsuite.policy.state import MemoryState

ALICE = Login(1, "alice@b.example", None)
BOB = Login(2, "bob@b.example", None)


class World:
    """Caps over a state; *told* is who is told of what."""

    def __init__(self, *defaults: Cap) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, str]] = []
        state = cast(ISharedState, MemoryState(self.clock.seconds))
        self.caps = Caps(defaults, state, lambda login, reason: self.told.append((login.name, reason)))

    def sends(self, login: Login, *recipients: str) -> bool:
        """Say whether a message goes out at once."""
        return not self.caps.judge(login, [Address(each, "else.example") for each in recipients or ("x",)])


def with_caps(login: Login, *caps: Cap) -> Login:
    """Return *login* as the accounts have it."""
    return Login(login.id, login.name, None, caps=caps)


def test_it_is_what_it_says() -> None:
    """The interface is verified on the object."""
    assert verifyObject(ICaps, World().caps)


def test_messages_at_the_cap_and_one_past() -> None:
    """Each login has its own; the window slides."""
    world = World(Cap("messages", HOUR, 2))
    assert [world.sends(ALICE) for _ in range(3)] == [True, True, False]
    assert world.sends(BOB)
    world.clock.advance(HOUR + 1)
    assert world.sends(ALICE)


def test_recipients_are_counted_once_a_day() -> None:
    """Who was written to is no new one; nor who stands twice in one message, however it is spelled."""
    world = World(Cap("recipients", HOUR, 3))
    assert world.sends(ALICE, "a", "b", "a")
    assert world.sends(ALICE, "b", "c")
    assert world.sends(ALICE, "a", "b", "c")
    assert not world.sends(ALICE, "a", "d")
    assert world.sends(BOB, "d")
    world.clock.advance(HOUR + 1)
    assert world.sends(ALICE, "d", "e", "f")
    assert not world.sends(ALICE, "g")
    # What was held does not make its recipients known.
    assert not world.sends(ALICE, "g")
    world.clock.advance(DAY + 1)
    assert world.sends(ALICE, "a", "b", "c")
    assert not world.sends(ALICE, "d")


def test_what_is_held_does_not_count() -> None:
    """A message to too many is held, and the next one goes."""
    world = World(Cap("recipients", HOUR, 2), Cap("messages", HOUR, 2))
    assert not world.sends(ALICE, "a", "b", "c")
    assert world.sends(ALICE, "a", "b")
    assert world.sends(ALICE, "a")


def test_caps_of_the_accounts_go_before_the_default() -> None:
    """One of another kind stands beside it; 0 takes it off."""
    world = World(Cap("messages", HOUR, 1), Cap("messages", DAY, 3))
    alice = with_caps(ALICE, Cap("messages", HOUR, 5))
    assert [world.sends(alice) for _ in range(4)] == [True, True, True, False]
    bob = with_caps(BOB, Cap("messages", HOUR, 0), Cap("messages", DAY, 0))
    assert all(world.sends(bob) for _ in range(10))


def test_a_domain_has_a_cap_for_all() -> None:
    """Beside those of each login."""
    both = Cap("messages", HOUR, 3, "b.example")
    world = World(Cap("messages", HOUR, 2))
    alice, bob = with_caps(ALICE, both), with_caps(BOB, both)
    assert [world.sends(alice) for _ in range(3)] == [True, True, False]
    assert [world.sends(bob) for _ in range(2)] == [True, False]
    assert "All users of b.example together" in world.told[-1][1]


def test_they_are_told_once() -> None:
    """Until nothing has been held for as long as the cap looks back."""
    world = World(Cap("messages", HOUR, 1))
    for _ in range(3):
        world.sends(ALICE)
    assert world.told == [("alice@b.example", "alice@b.example has come to the cap of 1 message in an hour")]
    world.clock.advance(HOUR - 1)
    world.sends(ALICE)
    world.clock.advance(2)
    assert world.sends(ALICE)
    world.sends(ALICE)
    assert len(world.told) == 1
    world.clock.advance(2 * HOUR)
    assert [world.sends(ALICE) for _ in range(2)] == [True, False]
    assert len(world.told) == 2
