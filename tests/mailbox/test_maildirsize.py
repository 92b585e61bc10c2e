"""maildirsize: what others write is read, and the other way round; when it is made anew."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.mailbox.maildirsize import OCTETS, Ledger, Usage, first_line, forget, line, look, parse, read, record
from mailsuite.meaning import NO_QUOTA, Quota


def make_maildir(path: Path) -> Path:
    """Make an empty Maildir."""
    for folder in ("tmp", "new", "cur"):
        (path / folder).mkdir(parents=True)
    return path


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """An empty mailbox."""
    return make_maildir(tmp_path / "box")


def put(folder: Path, name: str, octets: int) -> None:
    """Put a message into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x" * octets)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        # As Courier pads it.
        (b"10000S,5C\n           0            0\n          18            1\n", (Quota(10000, 5), Usage(18, 1), 2)),
        # As Dovecot writes it.
        (b"1048576S\n300 2\n-100 -1\n", (Quota(1048576, 0), Usage(200, 1), 2)),
        (b"5C,10S\n1 1\n", (Quota(10, 5), Usage(1, 1), 1)),
        (b"\n1 1\n", (Quota(0, 0), Usage(1, 1), 1)),
        (b"0S\n", (Quota(0, 0), Usage(0, 0), 0)),
        (b"", None),
        (b"10S\n1 1", None),
        (b"10S\n1\n", None),
        (b"10S\n1 1 1\n", None),
        (b"10S\n-1 1\n", None),
        (b"10S\nx y\n", None),
    ],
)
def test_files_of_others_are_read(octets: bytes, found: object) -> None:
    """What is no such file is made anew."""
    assert parse(octets) == found


@given(st.binary())
def test_whatever_it_is_no_sum_is_below_zero(octets: bytes) -> None:
    """And nothing is raised."""
    found = parse(octets)
    assert found is None or min(found[1]) >= 0


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**6)), max_size=5))
def test_what_is_written_is_read(changes: list[tuple[int, int]]) -> None:
    """Line by line."""
    usage = Usage(sum(octets for octets, _ in changes), sum(messages for _, messages in changes))
    whole = first_line(Quota(7, 8)) + b"".join(line(*each) for each in changes)
    assert parse(whole) == (Quota(7, 8), usage, len(changes))


def test_lines_have_the_length_of_courier() -> None:
    """So that they cannot tear each other on a network file system."""
    assert len(line(-100, -1)) == len(line(0, 0)) == 14


def test_all_folders_count_but_for_the_trash(box: Path) -> None:
    """The name's size is believed; another file is looked at; what is flagged as deleted does not count."""
    put(box / "new", "1.a,S=100", 1)
    put(box / "cur", "2.b:2,S", 20)
    put(box / "cur", "3.c,S=900:2,ST", 1)
    put(box / "cur", ".hidden", 5)
    put(box / ".Archive" / "cur", "4.d,S=1000,W=1010:2,S", 1)
    put(box / ".Trash" / "cur", "5.e,S=50000:2,S", 1)

    assert Ledger().count(str(box), Quota(5000, 10)) == (1120, 3)
    assert (box / "maildirsize").read_bytes() == b"5000S,10C\n1120 3       \n"
    assert Ledger(trash=True).count(str(box), NO_QUOTA) == (52020, 5)
    assert (box / "maildirsize").read_bytes().startswith(b"0S\n")
    assert os.listdir(box / "tmp") == []


def test_no_mailbox_gets_no_file(tmp_path: Path) -> None:
    """There is nothing in it."""
    assert Ledger().count(str(tmp_path / "none"), Quota(1)) == (0, 0)
    assert not (tmp_path / "none").exists()


def test_a_change_is_appended(box: Path) -> None:
    """The identity tells whether somebody else has written meanwhile."""
    assert record(str(box), 10, 1) is None
    Ledger().count(str(box), Quota(100))
    before = look(str(box))
    told = record(str(box), 10, 1)
    assert told is not None and told == (before, look(str(box)))
    found = read(str(box))
    assert found is not None and (found.usage, found.lines) == ((10, 1), 2)


@pytest.mark.parametrize(("octets", "trusted"), [(OCTETS - 1, True), (OCTETS, False)])
def test_a_long_file_is_made_anew(box: Path, octets: int, trusted: bool) -> None:
    """At 5120 octets."""
    (box / "maildirsize").write_bytes(b"9S\n" + b" " * (octets - 7) + b"1 1\n")
    assert (read(str(box)) is not None) is trusted


def test_removals_are_recorded_with_the_mailbox_of_a_folder(box: Path) -> None:
    """Those of the trash are none, since what lies there does not count."""
    ledger = Ledger()
    put(box / "new", "1.a,S=100", 1)
    put(box / ".Archive" / "cur", "2.b,S=50", 1)
    ledger.count(str(box), NO_QUOTA)

    ledger.removed(f"{box}/.Archive", [(b"2.b,S=50", 50)])
    ledger.removed(f"{box}/.Trash", [(b"3.c,S=50", 50)])
    ledger.removed(str(box), [(b"4.d:2,T", 50)])

    found = read(str(box))
    assert found is not None and found.usage == (100, 1)


def test_what_has_changed_much_is_counted_anew(box: Path) -> None:
    """Also where it was a folder; twice is no trouble."""
    Ledger().count(str(box), NO_QUOTA)
    for _ in range(2):
        forget(f"{box}/.Archive")
        assert look(str(box)) is None


def test_a_domain_is_added_up(tmp_path: Path) -> None:
    """By the files where there are any."""
    for name in ("alice", "bob"):
        put(make_maildir(tmp_path / name) / "new", "1.a,S=100", 1)
    (tmp_path / "alice" / "maildirsize").write_bytes(b"0S\n30 1\n")
    (tmp_path / "notes").write_text("no mailbox")

    assert Ledger().total(str(tmp_path)) == (130, 2)
    assert (tmp_path / "bob" / "maildirsize").exists()
    assert Ledger().total(str(tmp_path / "none")) == (0, 0)
