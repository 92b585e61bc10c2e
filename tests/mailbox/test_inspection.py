"""What is wrong in a mailbox is found and, where that can be, mended."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox.inspection import inspect_mailbox
from mailsuite.mailbox.layout import make_folders

NOW = 1_700_000_000.0
OURS = "1700000001.M000001P7Q1"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A mailbox with a folder, and messages in order in both."""
    path = tmp_path / "box"
    for each in (path, path / ".Sent"):
        make_folders(str(each))
        (each / "cur" / f"{OURS},S=3,W=3:2,S").write_bytes(b"a\r\n")
        (each / "new" / "2.foreign,S=2,W=3").write_bytes(b"a\n")
        (each / "cur" / "3.plain:2,").write_bytes(b"a")
    return path


def found(box: Path, whole: bool = False) -> list[tuple[str, str]]:
    """The kinds and places of what is wrong."""
    return [(each.kind, os.path.relpath(each.path, box)) for each in inspect_mailbox(str(box), NOW, whole)]


def mend(box: Path, whole: bool = False) -> None:
    """Mend what can be."""
    for each in list(inspect_mailbox(str(box), NOW, whole)):
        if each.repair is not None:
            each.repair()


@pytest.mark.parametrize("whole", [False, True])
def test_all_is_well(box: Path, whole: bool) -> None:
    """Messages of ours and of others, with sizes in their names or without."""
    assert found(box, whole) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "it is no list"),
        (b"junk\n", "it is no list"),
        (b"mailsuite imported ids 1\nid-1 1.a\nnonsense\n 2.b\n", "2 lines cannot be read"),
        (b"mailsuite imported ids 1\nid-1 1.a\nid-2 1700", "1 line cannot be read"),
    ],
)
@pytest.mark.parametrize("folder", ["", ".Sent"])
def test_imported_unique_ids_that_are_lost(box: Path, folder: str, content: bytes, text: str) -> None:
    """Nothing else would tell before all clients fetch their mail again; there is nothing to mend them from."""
    path = box / folder / "mailsuite-imported-ids"
    path.write_bytes(b"mailsuite imported ids 1\nid-1 1.a\nid-2 2.b\n")
    assert found(box) == []
    path.write_bytes(content)

    (finding,) = inspect_mailbox(str(box), NOW, whole=False)
    assert (finding.kind, finding.path, finding.repair) == ("unique-ids", str(path), None)
    assert finding.text.startswith(text)


@pytest.mark.parametrize(
    ("name", "content", "kind", "after"),
    [
        (f"cur/{OURS[:-1]}2,S=9,W=9:2,S", b"cut", "wrong-size", f"damaged/{OURS[:-1]}2,S=9,W=9:2,S"),
        ("cur/4.edited,S=9,W=9:2,S", b"a\nb\n", "wrong-size", "cur/4.edited,S=4,W=6:2,S"),
        ("new/5.edited,S=9", b"", "wrong-size", "damaged/5.edited,S=9"),
        ("new/6.empty", b"", "empty", "damaged/6.empty"),
    ],
)
def test_damage(box: Path, name: str, content: bytes, kind: str, after: str) -> None:
    """What is not a message any more is set aside; what another program has changed gets the name of what it is."""
    (box / name).write_bytes(content)

    assert found(box) == [(kind, name)]
    mend(box)
    assert found(box) == []
    assert (box / after).read_bytes() == content


@pytest.mark.parametrize(
    ("first", "second", "after"),
    [
        ("cur/4.ed,S=9:2,S", "cur/4.ed,S=3,W=4:2,S", {"cur/4.ed,S=3,W=4:2,S", "cur/4.ed-2,S=3,W=4:2,S"}),
        (f"cur/{OURS},S=9,W=9", f"damaged/{OURS},S=9,W=9", {f"damaged/{OURS},S=9,W=9", f"damaged/{OURS},S=9,W=9-2"}),
        (f"cur/{OURS},S=9,W=9", f"new/{OURS},S=9,W=9", {f"damaged/{OURS},S=9,W=9", f"damaged/{OURS},S=9,W=9-2"}),
    ],
)
def test_none_is_written_over(tmp_path: Path, first: str, second: str, after: set[str]) -> None:
    """Where another file has the name that a damaged one would get, both stay."""
    make_folders(str(tmp_path))
    (tmp_path / "damaged").mkdir()
    (tmp_path / first).write_bytes(b"a1\n")
    (tmp_path / second).write_bytes(b"a2\n")
    mend(tmp_path)

    there = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path)) for path in there} == after
    assert {path.read_bytes() for path in there} == {b"a1\n", b"a2\n"}
    assert found(tmp_path) == []


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    """It is said, stays, and is not called mended."""
    (tmp_path / "cur").mkdir()
    (tmp_path / "new").write_bytes(b"what is this?")

    with pytest.raises(NotADirectoryError):
        next(inspect_mailbox(str(tmp_path), NOW, whole=False)).repair()  # type: ignore[misc]
    assert (tmp_path / "new").read_bytes() == b"what is this?"


def test_sizes_on_the_wire(box: Path) -> None:
    """Wrong ones are found when messages are read."""
    (box / "cur" / "7.wire,S=4,W=4:2,F").write_bytes(b"a\nb\n")

    assert found(box) == []
    assert found(box, whole=True) == [("wrong-size", "cur/7.wire,S=4,W=4:2,F")]
    mend(box, whole=True)
    assert (box / "cur" / "7.wire,S=4,W=6:2,F").exists()


def test_folders_and_leftovers(box: Path) -> None:
    """Missing folders are made, what was never finished goes; what is still coming in stays."""
    (box / ".Sent" / "tmp").rmdir()
    for name, age in (("old", 40 * 3600), ("young", 60)):
        (box / "tmp" / name).write_bytes(b"")
        os.utime(box / "tmp" / name, (NOW - age, NOW - age))

    assert found(box) == [("leftover", "tmp/old"), ("missing-folder", ".Sent")]
    mend(box)
    assert found(box) == []
    assert (box / "tmp" / "young").exists()


def test_no_files(box: Path) -> None:
    """A pipe and a link are no messages; a folder is none of anybody's business."""
    os.mkfifo(box / "cur" / "8.pipe")
    (box / "cur" / "9.link").symlink_to("/etc/passwd")
    (box / "cur" / "folder").mkdir()

    assert found(box, whole=True) == [("no-file", "cur/8.pipe"), ("no-file", "cur/9.link")]
    mend(box)
    assert len(found(box)) == 2
