"""Copies of mailboxes: what has changed is copied, and nothing else; what is in use is copied whole."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox.layout import make_folders
from mailsuite.mailbox.mirror import Mirror, Mirrored


class World:
    """A mailbox, and its copy."""

    def __init__(self, folder: Path) -> None:
        self.box = folder / "box"
        self.copy = folder / "copy"
        for path in (self.box, self.box / ".Sent"):
            make_folders(str(path))
        (self.box / "cur" / "1.a,S=1:2,S").write_bytes(b"a")
        (self.box / "new" / "2.b,S=1").write_bytes(b"b")
        (self.box / ".Sent" / "cur" / "3.c:2,").write_bytes(b"c")
        (self.box / "tmp" / "4.d").write_bytes(b"half")
        (self.box / "mailsuite-imported-ids").write_bytes(b"ids")
        (self.box / "mailsuite-shared").mkdir()
        (self.box / "mailsuite-shared" / "reader-x").write_bytes(b"")
        (self.box / "cur" / "link").symlink_to("/etc/passwd")

    def mirror(self, link: bool = True, keep: bool = False) -> Mirrored:
        """Bring the copy up to date; return what there was to do."""
        mirror = Mirror(link, keep)
        before = self.names()
        mirror.mailbox(os.fsencode(self.box), os.fsencode(self.copy))
        assert len(self.names()) >= len(before)
        mirror.drop_gone()
        return mirror.done

    def names(self) -> set[str]:
        """All files of the copy."""
        return {str(path.relative_to(self.copy)) for path in self.copy.rglob("*") if path.is_file()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A mailbox with a bit of everything."""
    return World(tmp_path)


ALL = {
    "cur/1.a,S=1:2,S", "new/2.b,S=1", ".Sent/cur/3.c:2,", "mailsuite-imported-ids", "mailsuite-shared/reader-x",
}  # fmt: skip


@pytest.mark.parametrize("link", [True, False])
def test_a_copy_and_a_second_one(world: World, link: bool) -> None:
    """Everything that belongs to the mailbox, with its times; the second time there is nothing to do."""
    os.utime(world.box / "cur" / "1.a,S=1:2,S", (5, 5))

    assert world.mirror(link).new == 5
    assert world.names() == ALL
    copied = (world.copy / "cur" / "1.a,S=1:2,S").stat()
    assert copied.st_mtime == 5
    assert (copied.st_nlink > 1) is link
    assert (world.copy / "mailsuite-imported-ids").stat().st_nlink == 1
    assert world.mirror(link) == Mirrored()


@pytest.mark.parametrize("link", [True, False])
def test_changes(world: World, link: bool) -> None:
    """A message with other flags is renamed in the copy, one that is gone goes, what was written anew is copied."""
    world.mirror(link)
    (world.box / "new" / "2.b,S=1").rename(world.box / "cur" / "2.b,S=1:2,S")
    (world.box / "cur" / "1.a,S=1:2,S").unlink()
    (world.box / ".Sent" / "new" / "5.e").write_bytes(b"e")
    (world.box / "mailsuite-imported-ids").write_bytes(b"more ids")
    (world.box / "mailsuite-shared" / "reader-x").unlink()
    (world.box / "mailsuite-shared").rmdir()

    assert world.mirror(link) == Mirrored(new=2, renamed=1, removed=2)
    assert world.names() == {"cur/2.b,S=1:2,S", ".Sent/cur/3.c:2,", ".Sent/new/5.e", "mailsuite-imported-ids"}
    assert (world.copy / "mailsuite-imported-ids").read_bytes() == b"more ids"


def test_keeping(world: World) -> None:
    """What is gone stays in the copy where that is wanted."""
    world.mirror()
    (world.box / "cur" / "1.a,S=1:2,S").unlink()

    assert world.mirror(keep=True) == Mirrored()
    assert world.names() == ALL


def test_where_links_cannot_be_had(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are copied."""
    def refused(*arguments: object, **options: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    world.mirror()

    assert world.names() == ALL


def test_a_message_that_moves_under_the_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the copy all the same, under its name of now."""
    link = os.link

    def moving(source: bytes, target: bytes, **options: bool) -> None:
        old = world.box / "new" / "2.b,S=1"
        if old.exists():
            old.rename(world.box / "cur" / "2.b,S=1:2,S")
        link(source, target, **options)

    monkeypatch.setattr(os, "link", moving)
    world.mirror()

    assert world.names() == ALL - {"new/2.b,S=1"} | {"cur/2.b,S=1:2,S"}


def test_two_of_one_base_name(world: World) -> None:
    """Both are copied, once."""
    (world.box / "new" / "1.a,S=2").write_bytes(b"aa")
    world.mirror()
    world.mirror()

    assert world.names() == ALL | {"new/1.a,S=2"}
