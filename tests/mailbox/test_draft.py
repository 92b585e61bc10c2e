"""A message on its way in: in memory while it is small, in a file of mode 0600 when it has grown."""

import os
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IDraft
from mailsuite.mailbox import draft as draft_module
from mailsuite.mailbox.draft import MEMORY_OCTETS, Draft, create, write_all
from tests.mailbox.files import mode


def test_interface(tmp_path: Path) -> None:
    """It is what the services ask for."""
    assert verifyObject(IDraft, Draft(lambda: str(tmp_path / "x")))


def test_small_ones_stay_in_memory(tmp_path: Path) -> None:
    """At the cap there is no file."""
    draft = Draft(lambda: str(tmp_path / "x"))
    draft.write(b"x" * (MEMORY_OCTETS - 1))
    draft.write(b"y")

    assert draft.path is None
    assert draft.size == MEMORY_OCTETS
    assert list(tmp_path.iterdir()) == []


def test_lesson_13_large_ones_go_to_a_file(tmp_path: Path) -> None:
    """One octet past the cap, and all later ones, are in the file, in order; nothing stays in memory."""
    draft = Draft(lambda: str(tmp_path / "x"))
    draft.write(b"a" * MEMORY_OCTETS)
    draft.write(b"b")
    draft.write(b"c")
    draft.close()

    assert (tmp_path / "x").read_bytes() == b"a" * MEMORY_OCTETS + b"bc"
    assert mode(tmp_path / "x") == 0o600
    assert draft.chunks == []
    assert draft.size == MEMORY_OCTETS + 2


def test_discarding(tmp_path: Path) -> None:
    """Memory and file are freed; it may be done twice."""
    draft = Draft(lambda: str(tmp_path / "x"))
    draft.write(b"x" * (MEMORY_OCTETS + 1))
    draft.discard()
    draft.discard()

    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    """A name that is taken, by a link too, is an error and not followed (lesson 31)."""
    (tmp_path / "taken").write_bytes(b"other")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("taken", "link"):
        with pytest.raises(FileExistsError):
            create(str(tmp_path / name))

    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error reaches the caller, and discarding leaves nothing."""

    def full(fd: int, chunks: list[bytes]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(draft_module, "write_all", full)
    draft = Draft(lambda: str(tmp_path / "x"))
    with pytest.raises(OSError, match="No space"):
        draft.write(b"x" * (MEMORY_OCTETS + 1))
    draft.discard()

    assert list(tmp_path.iterdir()) == []


def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system takes only a part, the rest follows."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:3])))
    fd = create(str(tmp_path / "x"))
    write_all(fd, [b"one ", b"two ", b"three"])
    os.close(fd)

    assert (tmp_path / "x").read_bytes() == b"one two three"
