"""``mailsuite backup``, ``restore``, ``verify`` and ``export``, as an operator uses them."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from mailsuite.cli import backup as backup_module
from mailsuite.cli.snapshot import settle_queue
from mailsuite.mailbox.layout import make_folders
from mailsuite.mailbox.mirror import Mirror
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.mailbox.taking import take_listing
from tests.cli.test_accounts import CONFIG, Site, site
from tests.queue.queues import Queues

__all__ = ["site"]

ALICE = "alice@example.com"
TEXT = b"A: 1\r\n\r\nFrom me\r\n>From x"


@pytest.fixture
def box(site: Site) -> Path:
    """Alice's mailbox, with a message, an unread one, and one in a folder; a queue, and what else a site has."""
    site.done("user", "add", ALICE, "--password-stdin", typed="open sesame")
    box = site.folder / "mail" / "example.com" / "alice"
    make_folders(str(box / ".Sent"))
    make_folders(str(box.parent / "postmaster"))
    (box / "cur" / "1700000001.M1P7Q1,S=24,W=24:2,RS").write_bytes(TEXT)
    (box / "new" / "1700000002.M1P7Q1").write_bytes(b"Return-Path: <bob@b.example>\n\nx\n")
    (box / ".Sent" / "cur" / "1700000003.M1P7Q1:2,S").write_bytes(b"\nsent")
    os.utime(box / "new" / "1700000002.M1P7Q1", (1_767_225_601, 1_767_225_601))
    queues = Queues(site.folder / "queue")
    queue = queues.open(inline_size=100)
    queues.accept(queue, "bob@b.example", id="small")
    queues.accept(queue, "bob@b.example", id="large", body=b"x" * 200)
    queues.stop()
    (site.folder / "srs-secrets").write_text("secret")
    (site.folder / "running").touch()
    return box


def ids(box: Path) -> list[str]:
    """The unique ids that a session sees."""
    return list(take_listing(str(box))[0].unique_ids)


def files(folder: Path) -> dict[str, bytes]:
    """All files below *folder*."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Killed(BaseException):
    """What nothing catches stands for the end of the process."""


def interrupt(patched: pytest.MonkeyPatch, place: str) -> None:
    """Let a restore end in the middle of *place*."""

    def killed(*args: object) -> None:
        raise Killed

    name = {
        "srs": "restore._restore_state", "accounts": "restore._restore_accounts", "queue": "restore._restore_queue",
        "end": "restore.os.sync",
    }.get(place)  # fmt: skip
    if name is not None:
        patched.setattr(f"mailsuite.cli.{name}", killed)
        return
    mailbox = Mirror.mailbox

    def half(self: Mirror, source: bytes, target: bytes) -> None:
        mailbox(self, source, target)
        if source.endswith(b"alice"):
            raise Killed

    patched.setattr(Mirror, "mailbox", half)


def interrupt_backup(patched: pytest.MonkeyPatch, place: str) -> None:
    """Let a backup end at *place*."""

    def killed(*args: object) -> None:
        raise Killed

    if place == "mail":
        interrupt(patched, place)
    elif place == "drop_gone":
        patched.setattr(Mirror, "drop_gone", killed)
    elif place.endswith(".sqlite"):
        take_place = backup_module._take_place
        patched.setattr(
            backup_module, "_take_place", lambda path: killed() if path.endswith(place) else take_place(path)
        )
    else:
        patched.setattr(f"mailsuite.cli.backup.{place}", killed)


class TestBackup:
    """``backup`` and ``restore``."""

    def test_there_and_back(self, site: Site, box: Path, tmp_path: Path) -> None:
        """A new site is what the old one was; the backup is one's own, and does not change by it."""
        backup, other = tmp_path / "backup", tmp_path / "other"
        site.done("backup", str(backup))
        before = files(backup)
        other.mkdir()
        shutil.copy(backup / "mailsuite.toml", other)
        restored = Site(other)
        restored.done("restore", str(backup))

        assert "All is as it should be" in restored.done("verify")
        assert restored.fits(ALICE, "open sesame")
        assert files(other / "mail") == files(site.folder / "mail")
        assert files(other / "queue" / "content") == files(site.folder / "queue" / "content")
        for identity in ("small", "large"):
            assert restored.done("queue", "show", identity, "--content") == site.done(
                "queue", "show", identity, "--content"
            )
        assert (other / "srs-secrets").read_text() == "secret"
        assert not (other / "running").exists()
        (other / "mail/example.com/alice/cur/1700000001.M1P7Q1,S=24,W=24:2,RS").write_bytes(b"changed")
        assert files(backup) == before
        assert backup.stat().st_mode & 0o777 == 0o700

    def test_a_second_run(self, site: Site, box: Path, tmp_path: Path) -> None:
        """It brings the backup up to date: users, flags, mailboxes, and content of the queue that is gone."""
        words = ("backup", str(tmp_path / "backup"))
        site.done(*words)
        (box / "new" / "1700000002.M1P7Q1").rename(box / "cur" / "1700000002.M1P7Q1:2,S")
        site.done("user", "add", "bob@example.com", "--no-password")
        site.done("queue", "remove", "large", "--yes")
        for path in (site.folder / "queue" / "content").iterdir():
            path.unlink()
        shutil.rmtree(site.folder / "mail" / "example.com" / "postmaster", ignore_errors=True)

        assert "0 files came new" in site.done(*words)
        assert not list((tmp_path / "backup" / "queue" / "content").iterdir())
        assert files(tmp_path / "backup" / "mail") == files(site.folder / "mail")
        assert os.listdir(tmp_path / "backup" / "mail" / "example.com") == os.listdir(site.folder / "mail/example.com")

    @pytest.mark.parametrize(
        "place", ["_state", "_queue", "mail", "os.sync", "accounts.sqlite", "queue.sqlite", "_mark", "drop_gone"]
    )
    def test_a_run_that_is_interrupted(
        self, site: Site, box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        """What the last complete one had can be restored, whatever came beside it; and the next run is complete."""
        backup, other = tmp_path / "backup", tmp_path / "other"
        site.done("backup", str(backup))
        before = files(backup / "mail")
        # Of two that waited one is delivered; of the mail one is fetched, one read, and one comes.
        site.done("queue", "remove", "small", "--yes")
        (box / "new" / "1700000008.small").write_bytes(b"it was in the queue")
        (box / ".Sent" / "cur" / "1700000003.M1P7Q1:2,S").unlink()
        (box / "new" / "1700000002.M1P7Q1").rename(box / "cur" / "1700000002.M1P7Q1:2,S")
        (box / "new" / "1700000009.new").write_bytes(b"new")
        site.done("user", "add", "bob@example.com", "--no-password")
        with monkeypatch.context() as patched, pytest.raises(Killed):
            interrupt_backup(patched, place)
            site.done("backup", str(backup))
        other.mkdir()
        shutil.copy(backup / "mailsuite.toml", other)
        restored = Site(other)
        restored.done("restore", str(backup))

        found = list(files(other / "mail").values())
        assert all(content in found for content in before.values())
        waits = restored.run("queue", "show", "small").exit_code == 0
        assert waits or b"it was in the queue" in found
        assert restored.done("queue", "show", "large", "--content")
        assert restored.fits(ALICE, "open sesame")
        kinds = {each["kind"] for each in json.loads(restored.run("verify", "--read", "--json").stdout)}
        assert kinds <= {"orphaned-folder", "missing-folder"}
        assert "written over" in restored.refused("restore", str(backup))
        site.done("backup", str(backup))
        assert files(backup / "mail") == files(site.folder / "mail")
        assert sorted(os.listdir(backup)) == [
            "accounts.sqlite", "mail", "mailsuite-backup.json", "mailsuite.toml", "queue", "state",
        ]  # fmt: skip

    def test_what_an_interrupted_run_left_waiting_is_not_taken(self, site: Site, box: Path, tmp_path: Path) -> None:
        """Where there is no queue any more the one that waits is of another time."""
        site.done("backup", str(tmp_path / "backup"))
        (tmp_path / "backup" / "queue" / "queue.sqlite.next").write_bytes(b"of another time")
        shutil.rmtree(site.folder / "queue")
        site.done("backup", str(tmp_path / "backup"))

        assert sorted(os.listdir(tmp_path / "backup" / "queue")) == ["content", "queue.sqlite"]
        assert (tmp_path / "backup" / "queue" / "queue.sqlite").read_bytes() != b"of another time"

    def test_content_that_left_the_queue_meanwhile(self, site: Site, box: Path, tmp_path: Path) -> None:
        """Its message is in no copy of the queue; the others are."""
        path = tmp_path / "copy.sqlite"
        shutil.copy(site.folder / "queue" / "queue.sqlite", path)
        assert settle_queue(str(path), {"other"}) == set()

        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT id FROM messages").fetchall() == [("small",)]
            assert connection.execute("SELECT count(*) FROM recipients").fetchone() == (1,)

    def test_what_is_refused(self, site: Site, box: Path, tmp_path: Path) -> None:
        """Nothing of anybody's is written over, and no half backup is taken for a whole one."""
        assert "lies within" in site.refused("backup", str(site.folder / "mail" / "b"))
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "file").touch()
        assert "has other files" in site.refused("backup", str(tmp_path / "other"))
        assert "no backup" in site.refused("restore", str(tmp_path / "other"))
        backup = tmp_path / "backup"
        site.done("backup", str(backup))
        assert "written over" in site.refused("restore", str(backup))
        mark = RunMark(str(site.folder), lambda: 0.0)
        mark.take()
        assert "another mailsuite" in site.refused("restore", str(backup))
        mark.release()
        (backup / "mailsuite-backup.json").write_text('{"format": 1}')
        assert "not finished" in site.refused("restore", str(backup))
        (backup / "mailsuite-backup.json").write_text('{"format": 2}')
        assert "another kind" in site.refused("restore", str(backup))

    @pytest.mark.parametrize("place", ["srs", "accounts", "queue", "mail", "end"])
    def test_a_restore_that_is_interrupted(
        self, site: Site, box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        """It is known, nothing is backed up from there, another restore is refused, and the same one goes on."""
        backup, other = tmp_path / "backup", tmp_path / "other"
        site.done("backup", str(backup))
        other.mkdir()
        shutil.copy(backup / "mailsuite.toml", other)
        half = Site(other)
        with monkeypatch.context() as patched:
            interrupt(patched, place)
            with pytest.raises(Killed):
                half.run("restore", str(backup))
        again = f"run 'mailsuite restore {backup}' again"
        assert again in half.refused("backup", str(tmp_path / "second"))
        assert not (tmp_path / "second").exists()
        assert again in half.run("check").output
        assert "another restore" in half.refused("restore", str(backup), "--no-queue")
        # As after a power cut: it has a name, and not all of its octets.
        for path in other.glob("mail/example.com/alice/cur/*"):
            path.write_bytes(b"")
        (other / "mailsuite.toml").write_text(CONFIG + "# of our own")

        half.done("restore", str(backup))
        assert "All is as it should be" in half.done("verify")
        assert files(other / "mail") == files(site.folder / "mail")
        assert files(other / "queue" / "content") == files(site.folder / "queue" / "content")
        assert half.fits(ALICE, "open sesame")
        assert (other / "srs-secrets").read_text() == "secret"
        assert (other / "mailsuite.toml").read_text().endswith("# of our own")
        assert not (other / "restoring").exists()
        assert "written over" in half.refused("restore", str(backup))

    @pytest.mark.parametrize("database", ["accounts.sqlite", "queue/queue.sqlite"])
    def test_what_is_damaged_takes_no_place(self, site: Site, box: Path, tmp_path: Path, database: str) -> None:
        """The backup of before is whole still, and can be restored."""
        backup = tmp_path / "backup"
        site.done("backup", str(backup))
        before = files(backup)
        content = (site.folder / database).read_bytes()
        (site.folder / database).write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

        assert f"{site.folder}/{database} is damaged (" in site.refused("backup", str(backup))
        assert files(backup) == before
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "mailsuite.toml").write_text(CONFIG)
        Site(tmp_path / "other").done("restore", str(backup))

    def test_a_backup_within_the_site(self, site: Site, box: Path) -> None:
        """It does not hold itself."""
        (site.folder / "backups").mkdir()
        for _ in range(2):
            site.done("backup", str(site.folder / "backups" / "today"))

        assert not (site.folder / "backups" / "today" / "state" / "backups").exists()

    def test_without_the_queue(self, site: Site, box: Path, tmp_path: Path) -> None:
        """What was delivered since does not go out again."""
        site.done("backup", str(tmp_path / "backup"))
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "mailsuite.toml").write_text(CONFIG)
        Site(tmp_path / "other").done("restore", str(tmp_path / "backup"), "--no-queue")

        assert not (tmp_path / "other" / "queue").exists()


class TestVerify:
    """``verify``."""

    def test_found_and_mended(self, site: Site, box: Path) -> None:
        """Each is told with its place; what can be mended is, and what cannot stays in the exit code."""
        site.done("user", "add", "bob@example.com", "--no-password")
        shutil.rmtree(site.folder / "mail" / "example.com" / "bob")
        make_folders(str(site.folder / "mail" / "example.com" / "nobody"))
        (box / "new" / "1700000009.empty").touch()
        for path in (site.folder / "queue" / "content").iterdir():
            path.unlink()
        result = site.run("verify", "--json")
        assert result.exit_code == 1
        assert {each["kind"] for each in json.loads(result.stdout)} == {
            "missing-folder", "orphaned-folder", "empty", "queue-content",
        }  # fmt: skip
        assert "4 things are not as they should be; --repair can mend 2 of them" in result.stderr

        assert "2 things are" in site.refused("verify", "--repair")
        assert "2 things are" in site.refused("verify", "--read")
        assert (box / "damaged" / "1700000009.empty").exists()

    def test_quotas(self, site: Site, box: Path) -> None:
        """A sum that is not what lies there is told, and counted anew."""
        site.done("quota", "recalculate")
        assert "All is as it should be" in site.done("verify")
        (box / "new" / "1700000009.more").write_bytes(b"x")
        assert "are 62 octets in 4 messages" in site.refused("verify") + site.run("verify").stdout
        site.done("verify", "--repair")
        assert "All is as it should be" in site.done("verify")

    def test_accounts(self, site: Site) -> None:
        """A file that is none is told, too."""
        (site.folder / "accounts.sqlite").write_bytes(b"no database" * 100)

        assert "accounts-file" in site.run("verify").stdout


class TestExport:
    """``export``."""

    def test_mbox_and_back(self, site: Site, box: Path, tmp_path: Path) -> None:
        """Into another mailbox: flags, dates, unique ids and texts are what they were."""
        site.done("user", "add", "bob@example.com", "--no-password")
        site.done("export", "mbox", ALICE, str(tmp_path / "out"))
        text = (tmp_path / "out" / "INBOX.mbox").read_bytes()
        assert b"From bob@b.example Thu Jan 01 00:00:01 2026\n" in text
        assert b"\n>From me\n>>From x\n" in text
        bob = site.folder / "mail" / "example.com" / "bob"
        site.done("import", "mbox", "bob@example.com", str(tmp_path / "out" / "INBOX.mbox"))
        site.done("import", "mbox", "bob@example.com", str(tmp_path / "out" / "Sent.mbox"), "--folder", "Sent")

        assert sorted(ids(bob)) == sorted(ids(box))
        assert ids(bob / ".Sent") == ids(box / ".Sent")
        (read,) = (bob / "cur").iterdir()
        assert read.name.endswith(":2,RS")
        assert read.read_bytes() == TEXT + b"\r\n"
        (unread,) = (bob / "new").iterdir()
        assert unread.stat().st_mtime == 1_767_225_601

    def test_a_folder_that_is_called_inbox(self, site: Site, box: Path, tmp_path: Path) -> None:
        """It is not written over the inbox."""
        make_folders(str(box / ".INBOX"))
        (box / ".INBOX" / "cur" / "1700000009.M1P7Q1:2,S").write_bytes(b"In: folder\r\n\r\nx\r\n")
        site.done("export", "mbox", ALICE, str(tmp_path / "out"))

        assert b"In: folder" not in (tmp_path / "out" / "INBOX.mbox").read_bytes()
        assert b"In: folder" in (tmp_path / "out" / "INBOX.folder.mbox").read_bytes()

    def test_maildir(self, site: Site, box: Path, tmp_path: Path) -> None:
        """A second run copies what is new, and has other flags."""
        words = ("export", "maildir", ALICE, str(tmp_path / "out"))
        assert "3 files came new" in site.done(*words)
        (box / "new" / "1700000002.M1P7Q1").rename(box / "cur" / "1700000002.M1P7Q1:2,S")
        assert "0 files came new, 1 has other flags" in site.done(*words)

        assert files(tmp_path / "out") == {
            name: data for name, data in files(box).items() if not name.startswith("tmp")
        }

    def test_what_is_refused(self, site: Site, tmp_path: Path) -> None:
        """Nobody, and whose mailbox is not there."""
        assert "no user" in site.refused("export", "mbox", ALICE, str(tmp_path / "out"))
        site.done("user", "add", ALICE, "--no-password")
        shutil.rmtree(site.folder / "mail" / "example.com" / "alice")
        assert "no mail yet" in site.refused("export", "maildir", ALICE, str(tmp_path / "out"))
