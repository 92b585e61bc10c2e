"""Small files that are there whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from mailsuite.policy.durable_files import make_file, replace_file


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


def test_a_file_is_made_once(tmp_path: Path) -> None:
    """What another process has written meanwhile counts, and no draft stays beside it."""
    path = str(tmp_path / "file")

    make_file(path, b"first")
    make_file(path, b"second")

    assert os.listdir(tmp_path) == ["file"]
    assert Path(path).read_bytes() == b"first"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
