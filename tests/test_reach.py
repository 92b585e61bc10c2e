"""What is absent is told from what we are kept out of."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.reach import closed_folder, present
from tests.kept_out import kept_out, open_folder


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder with a file in it, of a name that a shell would take apart, that everybody could get to."""
    with open_folder() as folder:
        (folder / "in here").mkdir()
        (folder / "in here" / "file").write_text("x")
        yield folder / "in here"


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    """A file, one below a missing folder, and one below what is no folder."""
    (tmp_path / "file").write_text("x")

    assert present(str(tmp_path / "file"))
    assert not any(present(str(tmp_path / name)) for name in ("other", "folder/file", "file/file"))
    assert closed_folder(str(tmp_path / "folder" / "file")) is None


def test_what_we_are_kept_out_of_is_not_called_absent(closed: Path) -> None:
    """The error says who may not pass which folder, whose that is, and how to mend it."""
    with kept_out(closed) as who, pytest.raises(PermissionError) as told:
        present(str(closed / "file"))

    text = told.value.strerror or ""
    assert text.startswith(f"the user {who} may not pass the folder {closed}, which belongs to ")
    assert " has the mode 0000; to mend it: chmod " in text
    assert text.endswith(f"+x {shlex.quote(str(closed))}")
    assert told.value.filename == str(closed / "file")


def test_the_folder_itself_can_be_named(closed: Path) -> None:
    """We are kept out of it, not from it."""
    with kept_out(closed):
        assert present(str(closed))
        assert closed_folder(str(closed)) is None
        assert closed_folder(str(closed / "not" / "there")) is not None


def test_the_way_is_the_real_one(closed: Path) -> None:
    """What a link leads to may lie in a folder that its own path does not name."""
    link = closed.parent / "link"
    link.symlink_to(closed / "file")
    with kept_out(closed):
        found = closed_folder(str(link / "x"))

    assert found is not None
    assert f"the folder {closed}," in found.what


@pytest.mark.parametrize(
    ("owner", "group", "by"), [(True, True, "u"), (True, False, "u"), (False, True, "g"), (False, False, "o")]
)
def test_the_remedy_is_for_us(
    closed: Path, monkeypatch: pytest.MonkeyPatch, owner: bool, group: bool, by: str
) -> None:
    """An owner is judged by the owner's permissions alone, a member of the group by the group's."""
    status = os.stat(closed)
    with kept_out(closed), monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: status.st_uid + (not owner))
        patched.setattr(os, "getegid", lambda: status.st_gid + 1)
        patched.setattr(os, "getgroups", lambda: [status.st_gid] if group else [])
        found = closed_folder(str(closed / "file"))

    assert found is not None
    assert found.mend == f"chmod {by}+x {shlex.quote(str(closed))}"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")
def test_what_a_user_has_closed_is_not_opened_to_all(closed: Path) -> None:
    """A stranger is told whom to be; a folder of root's is opened."""
    closed.chmod(0o700)
    os.chown(closed, 54321, 54321)
    os.seteuid(54322)
    try:
        with pytest.raises(PermissionError) as told:
            present(str(closed / "file"))
        found = closed_folder(str(closed / "file"))
    finally:
        os.seteuid(0)

    assert (told.value.strerror or "").endswith("; to mend it: run this as number 54321, or as root")
    assert found is not None and found.mend == f"chmod o+x {shlex.quote(str(closed))}"


def test_somebody_without_a_name_is_a_number(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where numbers need no names."""
    with kept_out(closed), monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: 54321)
        found = closed_folder(str(closed / "file"))

    assert found is not None
    assert "the user number 54321 may not pass" in found.what
