"""The two ways to the disk: both reach every name and every folder, and no error is passed over (lesson 27)."""

import errno
import os
from pathlib import Path

import pytest

from mailsuite.mailbox import sync
from mailsuite.mailbox.maildir import Receipt
from mailsuite.mailbox.sync import FSync, SyncFS, choose, syncfs_is_good
from tests.mailbox.files import ALICE, BOB, MailRoot, small_volume

SMALL = b"Subject: x\r\n\r\nhello\r\n"


class Disk:
    """Notes what is fsynced, by its path; *trouble* is the part of a path that cannot be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, trouble: str = "") -> None:
        self.synced: set[str] = set()

        def fsync(fd: int) -> None:
            path = os.readlink(f"/proc/self/fd/{fd}")
            if trouble and trouble in path:
                raise OSError(errno.EIO, "Input/output error")
            self.synced.add(path)

        monkeypatch.setattr(os, "fsync", fsync)


@pytest.fixture
def mail(tmp_path: Path) -> MailRoot:
    """An empty mail root."""
    return MailRoot(tmp_path)


class TestFSync:
    """The portable way."""

    @pytest.mark.parametrize("count", [1, 5], ids=["here", "in-threads"])
    def test_every_file_and_folder(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        """Content, its name's folder, and every folder just made, few or many."""
        receipts = [mail.deliver(SMALL, ALICE, BOB) for _ in range(count)]
        disk = Disk(monkeypatch)
        way = FSync()
        way.sync(receipts)
        way.close()

        for receipt in receipts:
            assert disk.synced >= {*receipt.names, *receipt.folders}
        assert {str(mail.root), str(mail.root / "b.example"), str(mail.root / "b.example/alice/new")} <= disk.synced

    @pytest.mark.parametrize("count", [1, 5], ids=["here", "in-threads"])
    @pytest.mark.parametrize("trouble", ["/alice/new", ",S="])
    def test_an_error_is_told(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch, count: int, trouble: str) -> None:
        """EIO of any file or folder fails the whole."""
        receipts = [mail.deliver(SMALL, ALICE) for _ in range(count)]
        Disk(monkeypatch, trouble)
        way = FSync()
        with pytest.raises(OSError, match="Input/output"):
            way.sync(receipts)
        way.close()

    def test_a_message_that_was_removed(self, mail: MailRoot) -> None:
        """It was read and is gone: nothing is lost by it."""
        receipt = mail.deliver(SMALL, ALICE)
        mail.files(ALICE)[0].unlink()
        FSync().sync([receipt])

    def test_a_message_that_was_moved_to_cur(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mail program was quicker: the content is synced where it lies now, and its name there."""
        receipt = mail.deliver(SMALL, ALICE)
        (path,) = mail.files(ALICE)
        moved = path.parent.parent / "cur" / f"{path.name}:2,S"
        path.rename(moved)
        disk = Disk(monkeypatch)
        FSync().sync([receipt])

        assert {str(moved), str(moved.parent)} <= disk.synced


def needs_syncfs(path: Path) -> None:
    """Skip where the file system of *path* is none of those."""
    if not syncfs_is_good(str(path)):
        pytest.skip("needs a folder for temporary files on ext4, xfs or btrfs (Linux 5.8 or newer)")


class TestSyncFS:
    """One call for a whole file system."""

    def test_real_one(self, mail: MailRoot) -> None:
        """It goes well on a real disk."""
        needs_syncfs(mail.root)
        way = SyncFS(str(mail.root))
        way.sync([mail.deliver(SMALL, ALICE), mail.deliver(SMALL, BOB)])
        way.close()

    def test_one_call_for_each_file_system(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not one for each message; on the descriptor that was opened first, which is told of errors."""
        calls: list[int] = []
        monkeypatch.setattr(sync, "_syncfs", lambda: calls.append)
        way = SyncFS(str(mail.root))
        way.sync([mail.deliver(SMALL, ALICE), mail.deliver(SMALL, BOB)])
        way.sync([mail.deliver(SMALL, ALICE)])

        assert len(calls) == 2
        assert len(set(calls)) == 1
        assert os.fstat(calls[0]).st_dev == mail.root.stat().st_dev
        way.close()

    def test_another_file_system_is_fsynced(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        """A volume on which syncfs keeps no promise has its files and folders synced, each time."""
        calls: list[int] = []
        monkeypatch.setattr(sync, "_syncfs", lambda: calls.append)
        with small_volume(mail.root / "b.example", 1_000_000):
            way = SyncFS(str(mail.root))
            disk = Disk(monkeypatch)
            for _ in range(2):
                disk.synced.clear()
                receipt = mail.deliver(SMALL, ALICE)
                way.sync([receipt])
                assert disk.synced >= {*receipt.names, *receipt.folders}
            way.close()
        assert calls == []

    def test_a_good_file_system_met_later(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first message on it is fsynced too, since its errors may be older than our descriptor."""
        calls: list[int] = []
        monkeypatch.setattr(sync, "_syncfs", lambda: calls.append)
        monkeypatch.setattr(sync, "syncfs_is_good", lambda path: True)
        with small_volume(mail.root / "b.example", 1_000_000) as volume:
            way = SyncFS(str(mail.root))
            disk = Disk(monkeypatch)
            way.sync([mail.deliver(SMALL, ALICE)])
            assert (calls, len(disk.synced) > 0) == ([], True)
            disk.synced.clear()
            way.sync([mail.deliver(SMALL, ALICE)])
            assert [os.fstat(fd).st_dev for fd in calls] == [volume.stat().st_dev]
            assert disk.synced == set()
            way.close()

    def test_errors_are_raised(self) -> None:
        """The number that the system gives is the error's."""
        with pytest.raises(OSError) as caught:
            sync._syncfs()(-1)

        assert caught.value.errno == errno.EBADF


class TestChoice:
    """Which way is taken."""

    def test_wanted(self, tmp_path: Path) -> None:
        """A site may say it; ``auto`` looks at the file system."""
        assert isinstance(choose(str(tmp_path), "fsync"), FSync)
        ways = choose(str(tmp_path), "syncfs"), choose(str(tmp_path), "auto")
        assert isinstance(ways[0], SyncFS)
        assert isinstance(ways[1], SyncFS) == syncfs_is_good(str(tmp_path))
        for way in ways:
            way.close()

    @pytest.mark.parametrize(
        ("system", "release", "kind", "good"),
        [
            ("Linux", "5.8.0-1-amd64", 0xEF53, True),
            ("Linux", "6.18", 0x58465342, True),
            ("Linux", "6.18+", 0x9123683E, True),
            ("Linux", "5.7.19", 0xEF53, False),
            ("Linux", "6.1.0", 0x01021994, False),
            ("FreeBSD", "14.1-RELEASE", 0xEF53, False),
        ],
    )
    def test_where_syncfs_is_good(
        self, monkeypatch: pytest.MonkeyPatch, system: str, release: str, kind: int, good: bool
    ) -> None:
        """Linux since 5.8, and the three file systems whose journal carries names."""
        monkeypatch.setattr("platform.system", lambda: system)
        monkeypatch.setattr("platform.release", lambda: release)
        monkeypatch.setattr(sync, "_filesystem_type", lambda path: kind)

        assert syncfs_is_good("/") is good


def test_an_empty_receipt(tmp_path: Path) -> None:
    """Nothing to do is done."""
    way = choose(str(tmp_path), "auto")
    way.sync([Receipt()])
    way.close()
