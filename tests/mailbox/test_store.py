"""The mail store as the services see it: room, drafts, durable folders."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IMailStore
from mailsuite.mailbox.barrier import Barrier, CommitReactor
from mailsuite.mailbox.draft import MEMORY_OCTETS, Draft
from mailsuite.mailbox.store import ROOM_SECONDS, Clocks, MaildirStore
from mailsuite.mailbox.sync import FSync
from mailsuite.outcome import DELIVERED
from tests.doubles_pop3 import MemoryLocks, in_thread
from tests.mailbox.files import ALICE, NOW, MailRoot

FLOOR = 1_000_000


class World:
    """A store on a real folder; *free* is what its volume says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mail = MailRoot(folder)
        self.free = SimpleNamespace(f_bavail=1000, f_frsize=4096, f_favail=10, f_files=100)
        self.looks = 0
        monkeypatch.setattr(os, "statvfs", self.statvfs)
        clock = Clock()
        self.clock = clock
        barrier = Barrier(FSync(), cast(CommitReactor, clock), lambda: True, clock.seconds)
        self.store = MaildirStore(
            self.mail.writer,
            self.mail.names,
            barrier,
            MemoryLocks(),
            in_thread,
            FLOOR,
            Clocks(lambda: NOW, clock.seconds),
        )

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
