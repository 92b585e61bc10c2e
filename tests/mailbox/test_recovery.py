"""After an unclean stop: what is damaged is set aside, what is whole stays, and nothing stops the start."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox.layout import create_maildir
from mailsuite.mailbox.recovery import DOUBT_SECONDS, JUST_SECONDS, STALE_SECONDS, forget_process, remove_stale, sweep
from mailsuite.meaning import Mailbox

ALICE = Mailbox(1, "example.test/alice")
CRASH = 1_700_000_000.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mail root with one mailbox."""
    create_maildir(str(tmp_path), ALICE)
    return tmp_path


def put(root: Path, folder: str, name: str, octets: bytes, when: float) -> Path:
    """Write a file of that time."""
    path = root / ALICE.path / folder / name
    path.write_bytes(octets)
    os.utime(path, (when, when))
    return path


def test_a_short_file_is_set_aside(root: Path) -> None:
    """In new/ and in cur/; a whole one stays."""
    short = put(root, "new", f"{CRASH:.0f}.M1P1Q1,S=10,W=10", b"123", CRASH)
    empty = put(root, "cur", f"{CRASH:.0f}.M1P1Q2,S=10,W=10:2,S", b"", CRASH)
    whole = put(root, "new", f"{CRASH:.0f}.M1P1Q3,S=3,W=3", b"123", CRASH)

    swept = sweep(str(root), CRASH, CRASH)

    assert not short.exists() and not empty.exists() and whole.exists()
    assert sorted(swept.damaged) == sorted(
        str(root / ALICE.path / "damaged" / path.name) for path in (short, empty)
    )


@pytest.mark.parametrize(("age", "doubted"), [(DOUBT_SECONDS, True), (DOUBT_SECONDS + 2, False)])
def test_only_what_is_young_enough_is_doubted(root: Path, age: float, doubted: bool) -> None:
    """A file from before the last barrier, less a minute, was durable then; what happened to it since is not ours."""
    when = CRASH - age
    put(root, "new", f"{when:.0f}.M1P1Q1,S=10,W=10", b"123", when)

    assert bool(sweep(str(root), CRASH, CRASH).damaged) is doubted


@pytest.mark.parametrize("changed", ["new", "cur", "maildirsize"])
@pytest.mark.parametrize(("age", "counted"), [(DOUBT_SECONDS, True), (DOUBT_SECONDS + 2, False)])
def test_what_has_changed_is_counted_anew(root: Path, changed: str, age: float, counted: bool) -> None:
    """Its sum may lack a message, or have one that is not there; that of a mailbox that was at rest is true."""
    total = put(root, "", "maildirsize", b"1000S\n0 0\n", CRASH - 1000)
    for name in ("new", "cur"):
        os.utime(root / ALICE.path / name, (CRASH - 1000, CRASH - 1000))
    os.utime(root / ALICE.path / changed, (CRASH - age, CRASH - age))

    sweep(str(root), CRASH, CRASH)

    assert total.exists() is not counted


def test_stale_files_of_tmp_are_removed(root: Path) -> None:
    """Those that are younger may belong to another program's delivery."""
    old = put(root, "tmp", "old", b"x", CRASH - STALE_SECONDS - 1)
    young = put(root, "tmp", "young", b"x", CRASH - STALE_SECONDS + 1)

    sweep(str(root), CRASH, CRASH)

    assert not old.exists() and young.exists()


def test_a_folder_that_cannot_be_read_is_skipped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost+found under the mail root, or one bad mailbox, never keeps the service from starting."""
    (root / "lost+found").mkdir()
    short = put(root, "new", f"{CRASH:.0f}.M1P1Q1,S=10,W=10", b"123", CRASH)
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    swept = sweep(str(root), CRASH, CRASH)

    assert not short.exists()
    assert [error.filename for error in swept.skipped] == [str(root / "lost+found")]


def test_a_delivery_that_ends_meanwhile_is_no_trouble(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of tmp/ may be gone between being listed and being looked at."""
    going = put(root, "tmp", "going", b"x", CRASH - STALE_SECONDS - 1)
    scandir = os.scandir

    def late(path: str) -> list[os.DirEntry[str]]:
        entries = list(scandir(path))
        going.unlink(missing_ok=True)
        return entries

    monkeypatch.setattr(os, "scandir", late)

    remove_stale(str(root / ALICE.path), CRASH)


@pytest.mark.parametrize(("age", "counted"), [(JUST_SECONDS, True), (JUST_SECONDS + 1, False)])
def test_what_a_dead_process_may_have_changed_is_counted_anew(root: Path, age: float, counted: bool) -> None:
    """Whoever else delivers there meanwhile: a sum that is gone is nowhere wrong."""
    total = put(root, "", "maildirsize", b"1000S\n0 0\n", CRASH - age)
    for name in ("new", "cur"):
        os.utime(root / ALICE.path / name, (CRASH - 1000, CRASH - 1000))

    forget_process(str(root), "7", CRASH)

    assert total.exists() is not counted


def test_what_a_dead_process_was_taking_in_is_removed(tmp_path: Path) -> None:
    """Its drafts, and nobody else's, whatever their numbers have in common."""
    folder = tmp_path / ".incoming"
    folder.mkdir()
    for process in ("71", "7", "17"):
        (folder / f"1700000000.M000001P{process}Q1").touch()

    forget_process(str(tmp_path), "7", CRASH)

    assert {path.name[-5:] for path in folder.iterdir()} == {"P71Q1", "P17Q1"}
