"""Small files that are there whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from mailsuite.durable import drafted, fsync_path, make_file, read_file, replace_file


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the old one, and no draft."""
    path = str(tmp_path / "file")
    replace_file(path, b"old", 0o644)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new", 0o644)

    assert os.listdir(tmp_path) == ["file"]
    assert Path(path).read_bytes() == b"old"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644


def test_the_folder_may_be_a_link(tmp_path: Path) -> None:
    """As a web server's current version, say."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "current").symlink_to("v1")
    replace_file(str(tmp_path / "current" / "file"), b"new")

    assert os.listdir(tmp_path / "v1") == ["file"]


def test_a_file_is_made_once(tmp_path: Path) -> None:
    """What another process has written meanwhile counts, and no draft stays beside it."""
    path = str(tmp_path / "file")

    make_file(path, b"first")
    make_file(path, b"second")

    assert os.listdir(tmp_path) == ["file"]
    assert Path(path).read_bytes() == b"first"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_draft_that_nobody_names_is_gone(tmp_path: Path) -> None:
    """Whoever gives it no name, or fails before, leaves nothing."""
    with drafted(os.fsencode(tmp_path / "file"), iter([b"a", b"b"]), 0o640) as draft:
        assert Path(draft).read_bytes() == b"ab"
        assert stat.S_IMODE(os.stat(draft).st_mode) == 0o640

    assert os.listdir(tmp_path) == []


def test_what_is_read_has_a_limit(tmp_path: Path) -> None:
    """A file that is larger, is none, or lies behind a link is empty."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "open-pipe")
    writer = os.open(tmp_path / "open-pipe", os.O_RDWR)

    assert read_file(str(path), 5) == b"12345"
    assert read_file(os.fsencode(path), 4) == b""
    for name in ("link", "pipe", "open-pipe", "none", "."):
        assert read_file(str(tmp_path / name), 5) == b"", name
    os.close(writer)


def test_a_sync_follows_no_link(tmp_path: Path) -> None:
    """Lesson 31: a link in a user's folder leads nowhere. What is gone is not there, and no error."""
    (tmp_path / "link").symlink_to(tmp_path)

    assert fsync_path(str(tmp_path)) is True
    assert fsync_path(str(tmp_path / "none")) is False
    with pytest.raises(OSError, match="symbolic links"):
        fsync_path(str(tmp_path / "link"))
