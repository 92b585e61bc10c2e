"""Listings that are kept between sessions: when they are true, what we tell of our own changes, what they may take."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox import listings as module
from mailsuite.mailbox.listing import Listing
from mailsuite.mailbox.listings import LOOK_SECONDS, TOLD_SECONDS, UNSETTLED, Listings
from mailsuite.mailbox.scan import folder_times
from tests.mailbox.files import NOW

# The folders' times, long before NOW and told finely.
EARLIER = int((NOW - 1000) * 1e9) + 1
NAME = "17%08d.M000000P2Q1,S=%d,W=%d"


class World:
    """One mailbox and the listings of a process; time stands still unless a test moves it."""

    def __init__(self, folder: Path, shared: bool = False) -> None:
        self.now = NOW
        self.box = folder / "alice"
        self.path = str(self.box)
        for part in ("tmp", "new", "cur"):
            (self.box / part).mkdir(parents=True)
        self.listings = Listings(1 << 20, lambda: self.now, shared)
        self.tick = EARLIER

    def put(self, number: int, folder: str = "new") -> str:
        """Write message *number*, of as many octets, and return its name."""
        name = NAME % (number, number, number)
        (self.box / folder / name).write_bytes(b"x" * number)
        self.settle(folder)
        return name

    def settle(self, folder: str, time: int | None = None) -> None:
        """Give *folder* a time of its own, a while ago."""
        self.tick += 1_000_003
        os.utime(self.box / folder, ns=(1, self.tick if time is None else time))

    def open(self) -> Listing:
        """Do what a login does."""
        listing = self.listings.current(self.path)
        if listing is None:
            taken = self.listings.take(self.path)
            self.listings.keep(self.path, *taken)
            return taken[0]
        return listing

    def kept(self) -> Listing | None:
        """The listing that a login finds."""
        return self.listings.current(self.path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A mailbox with two messages, none of them just come."""
    world = World(tmp_path)
    for folder in ("new", "cur"):
        world.settle(folder)
    world.put(1)
    world.put(2)
    return world


class TestTruth:
    """A listing is used again only while it is true."""

    def test_second_login_finds_it(self, world: World) -> None:
        """Nothing has changed: the very same listing."""
        assert world.open() is world.open()

    @pytest.mark.parametrize("folder", ["new", "cur"])
    def test_change_by_another_program(self, world: World, folder: str) -> None:
        """A new time of either folder is enough."""
        world.open()
        world.put(3, folder)

        assert world.kept() is None
        assert len(world.open()) == 3

    @pytest.mark.parametrize(("age", "trusted"), [(UNSETTLED - 1, False), (UNSETTLED, True)])
    def test_taken_too_soon_after_a_change(self, world: World, age: int, trusted: bool) -> None:
        """What changes within one instant of the folder's clock does not show in its time."""
        world.now = 1_767_225_600.0
        world.settle("new", 1_767_225_600_000_000_000 - age)
        first = world.open()

        assert (world.kept() is first) is trusted

    def test_mailbox_that_never_rests(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A listing without times is not kept."""
        listing, _, looked = world.listings.take(world.path)
        world.listings.keep(world.path, listing, (), looked)

        assert world.kept() is None

    def test_it_is_looked_at_again(self, world: World) -> None:
        """After its term, whatever the times say."""
        world.open()
        world.now += LOOK_SECONDS
        assert world.kept() is not None
        world.now += 1

        assert world.kept() is None

    def test_folder_that_is_gone(self, world: World) -> None:
        """A mailbox whose folders were removed is empty, and no error."""
        world.open()
        for path in [*(world.box / "new").iterdir(), world.box / "new"]:
            path.unlink() if path.is_file() else path.rmdir()

        assert len(world.open()) == 0


def test_a_shared_mailbox_is_listed_anew_after_our_own_changes(tmp_path: Path) -> None:
    """Another process of ours may have delivered within the same instant of the folder's clock."""
    world = World(tmp_path, shared=True)
    for folder in ("new", "cur"):
        world.settle(folder)
    world.put(1)
    assert world.open() is world.open()

    assert world.listings.before(world.path) is None
    assert world.kept() is None


class TestOwnChanges:
    """What we did is known without a look."""

    def deliver(self, world: World, number: int) -> None:
        """Deliver as the store does."""
        before = world.listings.before(world.path)
        assert before is not None
        name = world.put(number)
        world.listings.delivered(world.path, before, name)

    def test_delivery(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next login sees the message, and nobody has read the folder."""
        world.open()
        monkeypatch.setattr(module, "take_listing", None)
        self.deliver(world, 7)
        self.deliver(world, 8)

        found = world.kept()
        assert found is not None
        assert list(found.sizes) == [1, 2, 7, 8]
        assert found.path(3) == b"new/" + os.fsencode(NAME % (8, 8, 8))

    def test_message_without_a_last_line_end(self, world: World) -> None:
        """The CRLF that POP3 adds to it is counted."""
        world.open()
        before = world.listings.before(world.path)
        assert before is not None
        name = "1700000007.M000000P2Q1o,S=7,W=7"
        (world.box / "new" / name).write_bytes(b"x" * 7)
        world.settle("new")
        world.listings.delivered(world.path, before, name)

        found = world.kept()
        assert found is not None
        assert list(found.sizes) == [1, 2, 9]

    def test_nothing_is_kept(self, world: World) -> None:
        """Of a mailbox that nobody has opened there is nothing to be told."""
        assert world.listings.before(world.path) is None

    def test_another_change_before_ours(self, world: World) -> None:
        """It shows in the times, and the listing is forgotten."""
        world.open()
        world.put(5)

        assert world.listings.before(world.path) is None
        assert len(world.open()) == 3

    def test_another_change_beside_ours(self, world: World) -> None:
        """What has moved to cur/ meanwhile shows in its time."""
        world.open()
        before = world.listings.before(world.path)
        assert before is not None
        world.put(6, "cur")
        world.listings.delivered(world.path, before, world.put(7))

        assert world.kept() is None
        assert sorted(world.open().sizes) == [1, 2, 6, 7]

    def test_two_changes_at_once(self, world: World) -> None:
        """Of two that began together only the first can be told; then the listing is forgotten."""
        world.open()
        before = world.listings.before(world.path)
        assert before is not None
        world.listings.delivered(world.path, before, world.put(7))
        world.listings.delivered(world.path, before, world.put(8))

        assert world.kept() is None

    def test_message_that_is_not_the_last(self, world: World) -> None:
        """A clock that was set back makes such names; numbers must not shift."""
        world.put(9)
        world.open()
        self.deliver(world, 4)

        assert world.kept() is None
        assert list(world.open().sizes) == [1, 2, 4, 9]

    def test_coarse_times(self, world: World) -> None:
        """A file system that tells seconds alone hides too much."""
        for folder in ("new", "cur"):
            world.settle(folder, EARLIER // 1_000_000_000 * 1_000_000_000)
        world.open()
        before = world.listings.before(world.path)
        assert before is not None
        name = world.put(7)
        world.settle("new", (EARLIER // 1_000_000_000 + 1) * 1_000_000_000)
        world.listings.delivered(world.path, before, name)

        assert world.kept() is None

    def test_term_of_what_was_told(self, world: World) -> None:
        """After a while the disk is looked at, however many changes were told."""
        world.open()
        self.deliver(world, 7)
        world.now += TOLD_SECONDS
        self.deliver(world, 8)
        assert world.kept() is not None
        world.now += 1

        assert world.kept() is None

    def test_removal(self, world: World) -> None:
        """The next login sees the others, numbered anew."""
        listing = world.open()
        before = world.listings.before(world.path)
        assert before is not None
        (world.box / "new" / (NAME % (1, 1, 1))).unlink()
        world.settle("new")
        after = folder_times(os.fsencode(world.path))
        world.listings.removed(world.path, before, after, listing, listing.without([0]))

        found = world.kept()
        assert found is not None
        assert found.id_rows(0, 1) == b"1 1700000002.M000000P2Q1\r\n"

    def test_removal_that_is_not_sure(self, world: World) -> None:
        """Where a file was not where it should be, or a message came meanwhile, the listing is forgotten."""
        for doubtful in (True, False):
            listing = world.open()
            before = world.listings.before(world.path)
            assert before is not None
            if not doubtful:
                self.deliver(world, 7)
            after = folder_times(os.fsencode(world.path))
            world.listings.removed(world.path, before, after, listing, None if doubtful else listing)

            assert world.kept() is None


class TestMemory:
    """The listings together have a bound."""

    def mailboxes(self, folder: Path, octets: int) -> tuple[Listings, list[World]]:
        """Three mailboxes, opened in turn, with one store of listings of *octets*."""
        listings = Listings(octets, lambda: NOW)
        worlds = []
        for name in "abc":
            world = World(folder / name)
            world.listings = listings
            world.settle("new")
            world.settle("cur")
            world.put(1)
            world.open()
            worlds.append(world)
        return listings, worlds

    def test_at_the_limit_and_one_past(self, tmp_path: Path) -> None:
        """What was used longest ago goes; what fits stays."""
        listings, worlds = self.mailboxes(tmp_path / "all", 1 << 20)
        need = listings.memory
        assert all(world.kept() for world in worlds)

        listings, worlds = self.mailboxes(tmp_path / "exact", need)
        assert all(world.kept() for world in worlds)

        listings, worlds = self.mailboxes(tmp_path / "past", need - 1)
        assert [world.kept() is not None for world in worlds] == [False, True, True]
        assert listings.memory < need

    def test_what_is_used_stays(self, tmp_path: Path) -> None:
        """A login makes a listing young again."""
        listings, worlds = self.mailboxes(tmp_path, 1 << 20)
        listings._most = listings.memory
        assert worlds[0].kept() is not None
        worlds[2].put(2)
        worlds[2].open()

        assert [world.kept() is not None for world in worlds] == [True, False, True]

    def test_none_is_kept(self, tmp_path: Path) -> None:
        """With no memory at all every login looks at the disk."""
        listings, worlds = self.mailboxes(tmp_path, 0)

        assert not any(world.kept() for world in worlds)
        assert listings.memory == 0

    def test_growth_is_counted(self, world: World) -> None:
        """A listing that has grown by deliveries is taken off as it was put on."""
        world.open()
        for number in range(3, 200):
            TestOwnChanges().deliver(world, number)
        assert world.listings.memory > 2048 + 100 * 60
        world.put(1000)
        world.kept()

        assert world.listings.memory == 0
