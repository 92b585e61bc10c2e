"""Mail past its term: removed for good, by the time that its name says, never from under a session."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IExpiry
from mailsuite.mailbox import expiry
from mailsuite.mailbox.expiry import Expiry
from mailsuite.mailbox.locks import Locks
from tests.doubles_pop3 import in_thread, settled
from tests.mailbox.files import ALICE, BOB, NOW


class World:
    """Alice's Maildir."""

    def __init__(self, root: Path) -> None:
        self.path = root / ALICE.path
        self.locks = Locks(f"{root}/.locks")
        self.expiry = Expiry(str(root), self.locks, in_thread)
        for folder in ("new", "cur", "tmp"):
            (self.path / folder).mkdir(parents=True)

    def put(self, place: str, modified: float = NOW) -> None:
        """Put a message there, which was changed last at *modified*."""
        (self.path / place).write_bytes(b"A: b\r\n\r\n")
        os.utime(self.path / place, (modified, modified))

    def left(self) -> list[str]:
        """Return all files that there are."""
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file())

    def remove(self, before: float) -> Sequence[str]:
        """Remove from Alice's mailbox what came before *before*."""
        removed: Sequence[str] = settled(self.expiry.remove_older(ALICE, before))
        return sorted(removed)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A mailbox of one's own."""
    return World(tmp_path)


def test_interface(world: World) -> None:
    """The class has what the interface asks for."""
    verifyObject(IExpiry, world.expiry)


def test_folders(world: World) -> None:
    """They are left alone where only IMAP gets at them; else each is looked through, under a lock of its own."""
    for folder in (".Archive", ".Archive.2024"):
        (world.path / folder / "cur").mkdir(parents=True)
        world.put(f"{folder}/cur/1600000000.M1P1Q{len(folder)}:2,S")
    (world.path / ".link").symlink_to("/etc")
    assert world.remove(1_700_000_000) == []
    world.expiry = Expiry(str(world.path.parents[1]), world.locks, in_thread, folders=True)
    assert world.locks.acquire(str(world.path / ".Archive"))

    assert world.remove(1_700_000_000) == ["1600000000.M1P1Q13"]
    world.locks.release(str(world.path / ".Archive"))
    assert world.remove(1_700_000_000) == ["1600000000.M1P1Q8"]


def test_old_mail_is_removed(world: World) -> None:
    """In new/ and cur/, whatever flags it has; the second itself is not yet past its term."""
    world.put("new/1700000000.M1P1Q1,S=8,W=8")
    world.put("cur/1699999999.M1P1Q2,S=8,W=8:2,FS")
    world.put("cur/1600000000.M1P1Q3,S=8,W=8:2,")

    assert world.remove(1_700_000_000) == ["1600000000.M1P1Q3", "1699999999.M1P1Q2"]
    assert world.left() == ["new/1700000000.M1P1Q1,S=8,W=8"]


@pytest.mark.parametrize("name", ["message", "123.x", "12345678901.x", "1" * 30, ",S=8", "2024-01-01.x"])
def test_names_that_say_no_time(world: World, name: str) -> None:
    """Then the file's own time counts."""
    world.put(f"cur/{name}", 1_700_000_000)
    assert world.remove(1_700_000_000) == []

    assert len(world.remove(1_700_000_001)) == 1
    assert world.left() == []


def test_what_is_no_message(world: World) -> None:
    """Files with a leading dot, what lies in tmp/, folders, links and files of ours stay."""
    for place in ("cur/.1600000000.x", "tmp/1600000000.x", "1600000000.x"):
        world.put(place, 0)
    (world.path / "cur" / "1600000000.folder").mkdir()
    (world.path / "cur" / "1600000001.link").symlink_to(world.path / "1600000000.x")

    assert world.remove(NOW) == []
    assert len(world.left()) == 4
    assert (world.path / "cur" / "1600000001.link").is_symlink()


def test_mailbox_that_a_session_has(world: World) -> None:
    """Nothing is taken from under it; the next time it is."""
    world.put("new/1600000000.x")
    world.locks.acquire(str(world.path))
    assert world.remove(NOW) == []
    world.locks.release(str(world.path))

    assert world.remove(NOW) == ["1600000000.x"]
    assert world.locks.acquire(str(world.path))


def test_mailbox_without_old_mail_is_not_locked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login at that time is not told that the mailbox is in use."""
    world.put(f"new/{int(NOW)}.x")
    monkeypatch.setattr(world.locks, "acquire", None)

    assert world.remove(NOW - 1) == []


@pytest.mark.parametrize("folders", [False, True])
def test_mailbox_that_was_never_made(world: World, folders: bool) -> None:
    """There is nothing in it, and it is not made."""
    world.expiry = Expiry(str(world.path.parents[1]), world.locks, in_thread, folders)

    assert settled(world.expiry.remove_older(BOB, NOW)) == []
    assert not (world.path.parent / "bob").exists()


def test_removal_is_durable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are synced in which something was removed, and no other."""
    synced: list[str] = []
    monkeypatch.setattr(expiry, "fsync_path", synced.append)
    world.put("cur/1600000000.x")
    world.put(f"new/{int(NOW)}.x")
    world.remove(NOW - 1)

    assert synced == [str(world.path / "cur")]


def test_message_that_goes_away_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program was faster: that is no trouble, and nothing that we have done."""
    world.put("cur/1600000000.x")
    found = list(expiry._older(os.fsencode(world.path), NOW))
    (world.path / "cur" / "1600000000.x").unlink()
    monkeypatch.setattr(expiry, "_older", lambda root, before: iter(found))

    assert world.remove(NOW) == []


def test_file_that_goes_away_before_its_time_is_read(world: World) -> None:
    """It counts as one that never came."""
    world.put("cur/message", 0)
    (entry,) = os.scandir(os.fsencode(world.path / "cur"))
    (world.path / "cur" / "message").unlink()

    assert expiry._came(entry) == float("inf")


def test_lock_is_given_back_after_trouble(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails shuts nobody out."""
    world.put("cur/1600000000.x")

    def fail(path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(expiry, "fsync_path", fail)
    with pytest.raises(OSError, match="Input/output"):
        world.remove(NOW)

    assert world.locks.acquire(str(world.path))
