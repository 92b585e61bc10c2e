"""Ids that came with a mailbox: kept, unique, never given to another message."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox import imported_ids as module
from mailsuite.mailbox.imported_ids import FILE_NAME, ImportedIds, Reused
from mailsuite.mailbox.taking import take_listing


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A Maildir with messages of ours and of others."""
    for folder in ("tmp", "new", "cur"):
        (tmp_path / folder).mkdir()
    for name in ("cur/1700000001.a.host,S=3:2,S", "new/1700000002.b.host", "new/1700000003.M000001P2Q1,S=3,W=3"):
        (tmp_path / name).write_bytes(b"a\r\n")
    return tmp_path


def ids(box: Path) -> list[str]:
    """The unique ids that a session sees."""
    return list(take_listing(str(box))[0].unique_ids)


def imported(box: Path, **pairs: str) -> None:
    """Import ids of messages, by the letter in their names."""
    names = {"a": b"1700000001.a.host", "b": b"1700000002.b.host", "c": b"1700000003.M000001P2Q1"}
    ImportedIds(os.fsencode(box)).add({names[letter]: unique_id.encode() for letter, unique_id in pairs.items()})


def test_ids_are_kept(box: Path) -> None:
    """Through moves and flags, of ours and of others; what was not imported has its base name."""
    imported(box, a="UID1-77", c="0000000a4afab880")
    (box / "cur" / "1700000001.a.host,S=3:2,S").rename(box / "cur" / "1700000001.a.host,S=3:2,RS")

    assert ids(box) == ["UID1-77", "1700000002.b.host", "0000000a4afab880"]
    listing = take_listing(str(box))[0]
    assert listing.path(0) == b"cur/1700000001.a.host,S=3:2,RS"
    assert listing.path(2) == b"new/1700000003.M000001P2Q1,S=3,W=3"


def test_second_import(box: Path) -> None:
    """It adds, and changes what is named again."""
    imported(box, a="id-1", b="id-2")
    imported(box, b="id-3", c="id-4")

    assert ids(box) == ["id-1", "id-3", "id-4"]


def test_no_id_for_two(box: Path) -> None:
    """An id that another message has is refused, and nothing is changed."""
    imported(box, a="id-1")
    with pytest.raises(Reused, match="id-1"):
        imported(box, b="id-1")
    with pytest.raises(Reused):
        imported(box, b="id-2", c="id-2")

    assert ids(box) == ["id-1", "1700000002.b.host", "1700000003.M000001P2Q1"]


def test_an_id_that_is_a_name(box: Path) -> None:
    """A message whose base name was imported as the id of another gets a third one."""
    imported(box, a="1700000002.b.host", b="id-2", c="id-3")
    assert ids(box)[0] == "1700000002.b.host"
    imported(box, b="1700000003.M000001P2Q1", c="id-4")
    (box / os.fsdecode(FILE_NAME)).write_bytes(b"mailsuite imported ids 1\n1700000003.M000001P2Q1 1700000001.a.host\n")
    found = ids(box)

    assert found[0] == "1700000003.M000001P2Q1"
    assert len(set(found)) == 3


def test_copies_of_an_imported_message(box: Path) -> None:
    """One of them keeps the imported id, the other has one of its own."""
    imported(box, b="id-2")
    (box / "cur" / "1700000002.b.host:2,S").write_bytes(b"b\r\n")
    first = ids(box)

    assert first.count("id-2") == 1
    assert len(set(first)) == 4
    assert ids(box) == first


@pytest.mark.parametrize("content", [b"", b"something else\n", b"mailsuite imported ids 1\nbroken\n x\n\xff y\n\n"])
def test_damaged_file(box: Path, content: bytes) -> None:
    """What cannot be read is passed over."""
    (box / os.fsdecode(FILE_NAME)).write_bytes(content)

    assert ids(box)[1:] == ["1700000002.b.host", "1700000003.M000001P2Q1"]


def test_file_past_its_limit(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is read, one octet past it is not."""
    imported(box, a="id-1")
    size = (box / os.fsdecode(FILE_NAME)).stat().st_size
    monkeypatch.setattr(module, "MOST_OCTETS", size)
    assert ids(box)[0] == "id-1"
    monkeypatch.setattr(module, "MOST_OCTETS", size - 1)

    assert ids(box)[0] == "1700000001.a.host"
