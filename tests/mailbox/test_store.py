"""The mail store as the services see it: room, drafts, durable folders."""

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IMaildrop, IMailStore, MaildropInUse, NoSuchFolder
from mailsuite.mailbox.barrier import Barrier, CommitReactor
from mailsuite.mailbox.draft import MEMORY_OCTETS, Draft
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.store import ROOM_SECONDS, Clocks, MaildirStore
from mailsuite.mailbox.sync import FSync
from mailsuite.outcome import DELIVERED
from tests.doubles_pop3 import in_thread, settled
from tests.mailbox.files import ALICE, NOW, MailRoot

FLOOR = 1_000_000


class World:
    """A store on a real folder; *free* is what its volume says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mail = MailRoot(folder)
        self.free = SimpleNamespace(f_bavail=1000, f_frsize=4096, f_favail=10, f_files=100)
        self.looks = 0
        self.now = NOW
        monkeypatch.setattr(os, "statvfs", self.statvfs)
        clock = Clock()
        self.clock = clock
        self.listings = Listings(1 << 20, lambda: self.now)
        self.locks = Locks(f"{folder}/.locks")
        barrier = Barrier(FSync(), cast(CommitReactor, clock), lambda: True, clock.seconds)
        self.store = MaildirStore(
            self.mail.writer,
            self.mail.names,
            barrier,
            self.listings,
            self.locks,
            in_thread,
            FLOOR,
            Clocks(lambda: self.now, clock.seconds),
        )

    def open(self) -> IMaildrop:
        """Open Alice's mailbox."""
        return cast(IMaildrop, settled(self.store.open(ALICE, "alice@b.example")))

    def rest(self) -> None:
        """Let no folder of Alice's have changed lately."""
        for folder in ("new", "cur"):
            os.utime(self.mail.root / ALICE.path / folder, (NOW - 1000, NOW - 1000.5))

    def deliver(self, content: bytes) -> None:
        """Deliver a message to Alice."""
        draft = self.store.draft()
        draft.write(content)
        self.store.deliver(draft, [ALICE])

    def statvfs(self, path: str) -> SimpleNamespace:
        """Answer for the volume."""
        self.looks += 1
        return self.free


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty store."""
    return World(tmp_path, monkeypatch)


def test_interface(world: World) -> None:
    """It is what the services ask for."""
    assert verifyObject(IMailStore, world.store)


def test_room_at_the_floor_and_one_past(world: World) -> None:
    """A message may fill the volume down to the floor, and not an octet more."""
    spare = 1000 * 4096 - FLOOR

    assert world.store.has_room(spare)
    assert not world.store.has_room(spare + 1)


def test_no_inodes_are_no_room(world: World) -> None:
    """Where no file can be made there is no room; a file system that counts none has some."""
    world.free.f_favail = 0
    assert not world.store.has_room(0)
    world.clock.advance(ROOM_SECONDS)
    world.free.f_files = 0
    assert world.store.has_room(0)


def test_free_space_is_looked_up_once_a_second(world: World) -> None:
    """Not for each message."""
    for _ in range(100):
        world.store.has_room(0)
    assert world.looks == 1
    world.clock.advance(ROOM_SECONDS)
    world.store.has_room(0)

    assert world.looks == 2


def test_a_large_draft_lies_where_it_can_be_linked_from(world: World) -> None:
    """On the mail file system, outside all mailboxes."""
    draft = cast(Draft, world.store.draft())
    draft.write(b"x" * (MEMORY_OCTETS + 1))

    assert draft.path is not None
    assert os.path.dirname(draft.path) == str(world.mail.root / ".incoming")
    receipt = world.store.deliver(draft, [ALICE])
    assert receipt.outcomes == (DELIVERED,)


def test_new_folders_are_durable_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No later barrier looks at them: each folder in which one was made is synced here."""
    synced: set[str] = set()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.add(os.readlink(f"/proc/self/fd/{fd}")))
    world.store.create(ALICE)
    root = world.mail.root

    assert synced == {str(root), str(root / "b.example"), str(root / "b.example/alice")}


class TestOpening:
    """A locked snapshot (RFC 1939 §4)."""

    def test_second_session_is_refused(self, world: World) -> None:
        """It gets `MaildropInUse`, and the first keeps its lock until it closes, once."""
        first = world.open()
        with pytest.raises(MaildropInUse):
            world.open()
        first.close()
        second = world.open()
        first.close()
        with pytest.raises(MaildropInUse):
            world.open()
        second.close()

    def test_lock_is_free_after_trouble(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mailbox that cannot be listed, or whose folders cannot be looked at, is not left locked."""

        def failing(*arguments: object) -> None:
            raise OSError("as a test wants it")

        for part in ("take", "current"):
            with monkeypatch.context() as patch:
                patch.setattr(world.listings, part, failing)
                with pytest.raises(OSError, match="as a test"):
                    world.open()
        world.open()

    def test_dead_deliveries_are_removed(self, world: World) -> None:
        """What lies in tmp/ for days goes; what is young stays."""
        world.store.create(ALICE)
        old, young = (world.mail.root / ALICE.path / "tmp" / name for name in ("old", "young"))
        for path, age in ((old, 48), (young, 1)):
            path.touch()
            os.utime(path, (NOW - age * 3600, NOW - age * 3600))
        world.open()

        assert (old.exists(), young.exists()) == (False, True)

    def test_delivery_to_a_kept_listing(self, world: World) -> None:
        """A message of ours shows at the next login, which waits for no thread."""
        world.deliver(b"one\r\n")
        world.rest()
        world.open().close()
        world.deliver(b"three\r\n")
        maildrop = world.store.open(ALICE, "alice@b.example")

        assert IMaildrop.providedBy(maildrop)
        assert list(maildrop.listing().sizes) == [5, 7]

    def test_session_is_a_snapshot(self, world: World) -> None:
        """What comes during a session is not part of it, also where the listing is shared."""
        world.deliver(b"one\r\n")
        world.rest()
        maildrop = world.open()
        world.deliver(b"three\r\n")
        listing = maildrop.listing()

        assert (list(listing.sizes), listing.octets) == ([5], 5)
        maildrop.close()
        assert list(world.open().listing().sizes) == [5, 7]

    def test_removal_from_a_kept_listing(self, world: World) -> None:
        """What a session has removed is not there at the next login, which waits for no thread."""
        for content in (b"one\r\n", b"three\r\n", b"seven..\r\n"):
            world.deliver(content)
        world.rest()
        maildrop = world.open()
        assert settled(maildrop.remove([1])) == []
        maildrop.close()
        again = world.store.open(ALICE, "alice@b.example")

        assert IMaildrop.providedBy(again)
        assert list(again.listing().sizes) == [5, 9]

    def test_withdrawn_message(self, world: World) -> None:
        """A message that is taken back shows no more."""
        world.deliver(b"one\r\n")
        world.rest()
        world.open().close()
        draft = world.store.draft()
        draft.write(b"three\r\n")
        receipt = world.store.deliver(draft, [ALICE])
        os.utime(world.mail.root / ALICE.path / "new", (NOW, NOW + 0.5))
        receipt.withdraw()

        assert list(world.open().listing().sizes) == [5]

    def test_folder(self, world: World) -> None:
        """It is a maildrop of its own, locked for itself, and nothing is made for one that is not there."""
        folder = dataclasses.replace(ALICE, folder="Archive")
        inbox = world.open()
        with pytest.raises(NoSuchFolder):
            settled(world.store.open(folder, "alice@b.example"))
        path = world.mail.root / ALICE.path / ".Archive"
        assert not path.exists()
        for part in ("tmp", "new", "cur"):
            (path / part).mkdir(parents=True)
        (path / "cur" / "1.a:2,S").write_bytes(b"a\r\n")
        maildrop = cast(IMaildrop, settled(world.store.open(folder, "alice@b.example")))

        assert list(maildrop.listing().unique_ids) == ["1.a"]
        with pytest.raises(MaildropInUse):
            settled(world.store.open(folder, "alice@b.example"))
        maildrop.close()
        inbox.close()
