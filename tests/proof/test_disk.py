"""What a disk may hold after a power cut: the rules themselves, on a few calls."""

import os
import random
from pathlib import Path

import pytest

from tests.proof.calls import Call
from tests.proof.disk import FOLDER, Disk, Image, Manner, Names, Rule, Share

TMP, NEW = "tmp/a", "new/a"
# A delivery: made, written, named, synced in some way.
OPEN = Call("open", "", TMP, file=7, flags=os.O_CREAT, began=1, ended=2)
WRITE = Call("write", "", TMP, file=7, data=b"x" * 5000, began=3, ended=4)
RENAME = Call("rename", "", TMP, NEW, began=5, ended=6)
DELIVERY = (OPEN, WRITE, RENAME)


def disk(root: Path, *calls: Call) -> Disk:
    """Return a disk with an old message on which *calls* were made."""
    for name in ("tmp", "new"):
        (root / name).mkdir()
    (root / "new" / "old").write_bytes(b"old")
    made = Disk(root)
    made.replay(calls)
    return made


def cut(made: Disk, at: int, rule: Rule, names: Names, data: Share, seed: int = 1) -> Image:
    """Return what a cut leaves."""
    return made.cut(at, Manner(rule, names, data), random.Random(seed))


def content(image: Image, path: str) -> bytes | None:
    """Return what lies at *path*."""
    return image.contents[image.names[path]] if path in image.names else None


def sync(name: str, path: str, file: int = 0, began: int = 7) -> Call:
    """Return a sync."""
    return Call(name, "", path, file=file, began=began, ended=began + 1)


class TestWithoutASync:
    """Nothing is sure."""

    @pytest.mark.parametrize("rule", ["ordered", "loose"])
    def test_least(self, tmp_path: Path, rule: Rule) -> None:
        """All of it may be gone, and what was there before stays."""
        image = cut(disk(tmp_path, *DELIVERY), 8, rule, "nothing", "nothing")
        assert set(image.names) == {"tmp", "new", "new/old"}
        assert content(image, "new/old") == b"old"

    @pytest.mark.parametrize("rule", ["ordered", "loose"])
    def test_most(self, tmp_path: Path, rule: Rule) -> None:
        """All of it may be there."""
        image = cut(disk(tmp_path, *DELIVERY), 8, rule, "everything", "everything")
        assert content(image, NEW) == WRITE.data
        assert TMP not in image.names

    def test_a_name_without_octets(self, tmp_path: Path) -> None:
        """A name may be there before what it names."""
        assert content(cut(disk(tmp_path, *DELIVERY), 8, "ordered", "everything", "nothing"), NEW) == b""

    def test_a_part_ends_at_a_page(self, tmp_path: Path) -> None:
        """A file that grew ends anywhere between two pages."""
        made = disk(tmp_path, *DELIVERY)
        sizes = {len(content(cut(made, 8, "ordered", "everything", "some", seed), NEW) or b"") for seed in range(60)}
        assert sizes == {0, 4096, 5000}

    def test_in_order(self, tmp_path: Path) -> None:
        """By the journal there is one name of the two at any moment."""
        made = disk(tmp_path, *DELIVERY)
        images = [cut(made, 8, "ordered", "some", "everything", seed) for seed in range(60)]
        assert {tuple({TMP, NEW} & set(image.names)) for image in images} == {(), (TMP,), (NEW,)}

    def test_in_no_order(self, tmp_path: Path) -> None:
        """Without one both may be there, or none."""
        made = disk(tmp_path, *DELIVERY)
        images = [cut(made, 8, "loose", "some", "everything", seed) for seed in range(60)]
        assert {len(frozenset(image.names) & {TMP, NEW}) for image in images} == {0, 1, 2}


class TestSyncs:
    """What a sync covers is sure."""

    @pytest.mark.parametrize("rule", ["ordered", "loose"])
    def test_the_whole_file_system(self, tmp_path: Path, rule: Rule) -> None:
        """After syncfs all is there."""
        image = cut(disk(tmp_path, *DELIVERY, sync("syncfs", "")), 8, rule, "nothing", "nothing")
        assert content(image, NEW) == WRITE.data

    def test_not_before_it_has_ended(self, tmp_path: Path) -> None:
        """A sync that is under way makes nothing sure."""
        made = disk(tmp_path, *DELIVERY, sync("syncfs", ""))
        assert NEW not in cut(made, 7, "ordered", "nothing", "nothing").names

    def test_not_what_came_while_it_ran(self, tmp_path: Path) -> None:
        """A call that ends after a sync has begun is not covered by it."""
        made = disk(tmp_path, OPEN, WRITE, sync("syncfs", "", began=5), Call("rename", "", TMP, NEW, began=4, ended=9))
        image = cut(made, 9, "ordered", "nothing", "nothing")
        assert (content(image, TMP), content(image, NEW)) == (WRITE.data, None)

    def test_a_file_is_not_its_name(self, tmp_path: Path) -> None:
        """fsync of a file says nothing of its name, but in a journal: there it carries the one that it has."""
        made = disk(tmp_path, *DELIVERY, sync("fsync", NEW, 7))
        assert NEW not in cut(made, 8, "loose", "nothing", "nothing").names
        assert content(cut(made, 8, "ordered", "nothing", "nothing"), NEW) == WRITE.data

    def test_a_folder_is_not_its_files(self, tmp_path: Path) -> None:
        """fsync of a folder says nothing of what lies in its files."""
        image = cut(disk(tmp_path, *DELIVERY, sync("fsync", "new")), 8, "loose", "nothing", "nothing")
        assert content(image, NEW) == b""

    def test_both(self, tmp_path: Path) -> None:
        """A file and its folder: a message."""
        calls = (*DELIVERY, sync("fsync", NEW, 7), sync("fsync", "new", began=9))
        assert content(cut(disk(tmp_path, *calls), 10, "loose", "nothing", "nothing"), NEW) == WRITE.data

    @pytest.mark.parametrize(("calls", "there"), [((), True), ((sync("fsync", "new"),), False)])
    def test_a_removal(self, tmp_path: Path, calls: tuple[Call, ...], there: bool) -> None:
        """What was removed may come back until its folder was synced."""
        made = disk(tmp_path, Call("unlink", "", "new/old", began=1, ended=2), *calls)
        assert ("new/old" in cut(made, 8, "loose", "nothing", "nothing").names) == there


def test_sectors_of_a_database(tmp_path: Path) -> None:
    """Of what was written into a database any sectors may be there."""
    made = disk(
        tmp_path,
        Call("open", "", "a.sqlite", file=9, flags=os.O_CREAT, began=1, ended=2),
        Call("pwrite64", "", "a.sqlite", file=9, data=b"y" * 2048, began=3, ended=4),
    )
    found = {content(cut(made, 8, "ordered", "everything", "some", seed), "a.sqlite") or b"" for seed in range(200)}
    assert len({each.replace(b"y" * 512, b"Y").replace(b"\0" * 512, b"-") for each in found}) > 4


def test_links_and_sizes(tmp_path: Path) -> None:
    """Two names of one file are that again; a file can be cut."""
    made = disk(
        tmp_path,
        *DELIVERY,
        Call("link", "", NEW, "new/b", began=7, ended=8),
        Call("ftruncate", "", NEW, file=7, size=10, began=9, ended=10),
        Call("mkdir", "", "box", began=11, ended=12),
    )
    image = cut(made, 12, "ordered", "everything", "everything")
    assert image.names["box"] == FOLDER
    root = tmp_path / "after"
    root.mkdir()
    image.write(root, 1_790_000_000.0)
    assert (root / NEW).read_bytes() == b"x" * 10
    assert (root / NEW).samefile(root / "new" / "b")
    assert (root / "box").is_dir()
    assert (root / NEW).stat().st_mtime == 1_790_000_000.0


def test_a_folder_that_is_not_there_takes_its_files_along(tmp_path: Path) -> None:
    """A file whose folder was never synced cannot be reached."""
    made = disk(
        tmp_path,
        Call("mkdir", "", "box", began=1, ended=2),
        Call("open", "", "box/a", file=7, flags=os.O_CREAT, began=3, ended=4),
        sync("fsync", "box", began=5),
    )
    image = cut(made, 8, "loose", "nothing", "nothing")
    root = tmp_path / "after"
    root.mkdir()
    image.write(root, 0.0)
    assert not (root / "box").exists()


