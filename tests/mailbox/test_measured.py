"""The index of what foreign files have on the wire: it saves work, and nothing depends on it."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsuite.mailbox import content, taking
from mailsuite.mailbox import measured as module
from mailsuite.mailbox.measured import FILE_NAME
from mailsuite.mailbox.taking import take_listing


class World:
    """A Maildir, and the files that were measured at the last look."""

    def __init__(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box = box
        self.index = box / os.fsdecode(FILE_NAME)
        self.measured: list[str] = []
        measure = content.wire_size

        def counted(path: bytes, disk: int | None, wire: int | None) -> int:
            self.measured.append(os.fsdecode(os.path.basename(path)))
            return measure(path, disk, wire)

        monkeypatch.setattr(taking, "wire_size", counted)
        for folder in ("tmp", "new", "cur"):
            (box / folder).mkdir()

    def put(self, name: str, content: bytes = b"a\nb") -> Path:
        """Write a message."""
        path = self.box / "cur" / name
        path.write_bytes(content)
        return path

    def sizes(self) -> list[int]:
        """Look; return the sizes."""
        self.measured.clear()
        return list(take_listing(str(self.box))[0].sizes)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A Maildir with two foreign messages."""
    world = World(tmp_path, monkeypatch)
    world.put("1.a.host:2,")
    world.put("2.b.host,S=3,W=4:2,S")
    return world


def test_each_file_is_measured_once(world: World) -> None:
    """Moves and flags change nothing; a new file alone is measured."""
    assert world.sizes() == [6, 6]
    assert len(world.measured) == 2
    (world.box / "cur" / "1.a.host:2,").rename(world.box / "cur" / "1.a.host:2,S")
    world.put("3.c.host", b"abc\n")

    assert world.sizes() == [6, 6, 5]
    assert world.measured == ["3.c.host"]
    assert world.sizes() == [6, 6, 5]
    assert world.measured == []


def test_files_of_ours_need_no_index(world: World) -> None:
    """A mailbox with nothing else has none."""
    for path in (world.box / "cur").iterdir():
        path.unlink()
    world.put("1700000000.M000001P2Q3,S=3,W=3", b"a\r\n")

    assert world.sizes() == [3]
    assert not world.index.exists()


def test_a_file_that_has_changed(world: World) -> None:
    """Another size, another time, another file: each is measured anew."""
    path = world.put("3.c.host", b"one")
    world.sizes()
    path.write_bytes(b"three")
    assert world.sizes()[2] == 7
    os.utime(path, ns=(1, 1))
    assert world.sizes()[2] == 7
    assert world.measured == ["3.c.host"]
    path.unlink()
    world.put("3.c.host", b"four!\n")

    assert world.sizes()[2] == 7


@pytest.mark.parametrize("loss", ["deleted", "emptied", "cut", "foreign", "too large"])
def test_the_index_may_be_lost(world: World, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted, cut off anywhere, or something else: sizes stay true, and it is there again."""
    first = world.sizes()
    whole = world.index.read_bytes()
    if loss == "deleted":
        world.index.unlink()
    elif loss == "too large":
        monkeypatch.setattr(module, "MOST_OCTETS", len(whole) - 1)
    else:
        world.index.write_bytes({"emptied": b"", "cut": whole[:-9], "foreign": b"x" * 100}[loss])

    assert world.sizes() == first
    assert world.measured
    monkeypatch.undo()
    assert list(take_listing(str(world.box))[0].sizes) == first
    assert len(world.index.read_bytes().split()) >= len(whole.split())


def test_a_row_that_was_cut_off(world: World) -> None:
    """What was being added when a crash came does not spoil what is added after."""
    world.sizes()
    whole = world.index.read_bytes()
    world.put("3.c.host", b"abc\n")
    world.sizes()
    added = world.index.read_bytes()[len(whole):]
    for cut in range(len(added)):
        world.index.write_bytes(whole + added[:cut])
        assert world.sizes() == [6, 6, 5]
        assert world.sizes() == [6, 6, 5]
        assert world.measured == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(rubbish=st.binary(max_size=200))
def test_any_index(world: World, rubbish: bytes) -> None:
    """Whatever lies there, sizes are true."""
    for damaged in (rubbish, b"mailsuite sizes 1\n" + rubbish):
        world.index.write_bytes(damaged)
        assert world.sizes() == [6, 6]


def test_it_does_not_grow_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of messages that are gone are left out when there are too many."""
    monkeypatch.setattr(module, "SPARE_ROWS", 10)
    for number in range(100):
        path = world.put(f"{number + 10}.x.host")
        world.sizes()
        path.unlink()

    assert len(world.index.read_bytes().splitlines()) < 2 * 40


def test_an_index_that_cannot_be_written(world: World) -> None:
    """People can log in all the same."""
    world.index.mkdir()

    assert world.sizes() == [6, 6]
    assert world.sizes() == [6, 6]


def test_damaged_file_is_not_remembered(world: World) -> None:
    """A file whose size is not what its name says is listed with that, and looked at each time."""
    world.put("3.c.host,S=100", b"short")
    assert world.sizes()[2] == 100
    world.sizes()

    assert world.measured == ["3.c.host,S=100"]
