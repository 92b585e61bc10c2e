"""Names to sizes, unique ids and order; a snapshot of a folder that other programs write to."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsuite.mailbox import scan as scan_module
from mailsuite.mailbox import taking as taking_module
from mailsuite.mailbox.content import CHUNK, open_content
from mailsuite.mailbox.kept_ids import FILE_NAME, FileKey, KeptIds
from mailsuite.mailbox.listing import Listing, Messages
from mailsuite.mailbox.maildir import Names
from mailsuite.mailbox.names import OPEN, base, order, sizes
from mailsuite.mailbox.ordering import PIECE
from mailsuite.mailbox.scan import TRIES, folder_times, look, scan
from mailsuite.mailbox.taking import take_listing
from tests.doubles_pop3 import settled

SECONDS = st.integers(1_000_000_000, 1_000_000_005)
FLAGS = st.sampled_from([b"", b":2,", b":2,S", b":2,FRS", b":1,x"])


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """An empty Maildir."""
    for folder in ("tmp", "new", "cur"):
        (tmp_path / folder).mkdir()
    return tmp_path


def put(box: Path, name: str | bytes, content: bytes = b"A: b\r\n\r\nc\r\n") -> Path:
    """Write a message; *name* has its folder."""
    path = Path(os.fsdecode(os.path.join(os.fsencode(box), name if isinstance(name, bytes) else name.encode())))
    path.write_bytes(content)
    return path


def taken(box: Path) -> Listing:
    """A fresh listing."""
    return take_listing(str(box))[0]


def paths(listing: Listing) -> list[bytes]:
    """Where all messages lie."""
    return [listing.path(index) for index in range(len(listing))]


def ids(box: Path) -> list[str]:
    """The unique ids of a fresh listing."""
    return list(taken(box).unique_ids)


def listed(box: Path) -> dict[str, int]:
    """Unique ids and sizes of a fresh listing."""
    listing = taken(box)
    return dict(zip(listing.unique_ids, listing.sizes, strict=True))


def served(box: Path, index: int, step: int = CHUNK) -> bytes:
    """The octets that a fresh listing's message *index* gives."""
    listing = taken(box)
    path = listing.path(index)
    content = open_content(os.fsencode(box) + b"/" + path, sizes(os.path.basename(path)), listing.sizes[index])
    pieces = []
    while piece := settled(content.read(step)):
        pieces.append(piece)
    content.close()
    return b"".join(pieces)


class TestNames:
    """What a name says."""

    def test_our_names_are_known_as_ours(self) -> None:
        """A name that the delivery makes says everything, with flags or without."""
        name = Names(lambda: 1_700_000_000.25, "2a").next().encode()

        for flags in (b"", b":2,", b":2,FS"):
            said = sizes(name + b",S=1234,W=1234" + flags)
            assert (said.disk, said.wire, said.ours) == (1234, 1234, True)

    @pytest.mark.parametrize(
        ("name", "disk", "wire"),
        [
            (b"1700000000.M1P2.host,S=10,W=12:2,S", 10, 12),
            (b"1700000000.M1P2.host,W=12,S=10", 10, 12),
            (b"1700000000.M1P2.host,S=10", 10, None),
            (b"1700000000.M1P2.host,W=12", None, 12),
            (b"1700000000.M1P2.host:2,S=10", None, None),
            (b"1700000000.host", None, None),
            (b"1700000000.host,S=99999999999999999999", None, None),
            (b"1700000000.host,S=-1,W=+1", None, None),
            (b"1700000000.host,S=1x", None, None),
            (b"1700000000.host,SS=1", None, None),
        ],
    )
    def test_foreign_names(self, name: bytes, disk: int | None, wire: int | None) -> None:
        """Sizes are read where other programs put them, before the flags, and absurd ones are not believed."""
        said = sizes(name)

        assert (said.disk, said.wire, said.ours) == (disk, wire, False)

    def test_rfc_1939_3_the_closing_crlf_counts(self) -> None:
        """A file of ours that does not end in CRLF says so in its name: two octets more go over the wire."""
        name = b"1700000000.M000001P2Q3" + OPEN.encode()

        for flags in (b"", b":2,", b":2,FS"):
            said = sizes(name + b",S=1234,W=1234" + flags)
            assert (said.disk, said.wire, said.ours) == (1234, 1236, True)

    def test_differing_sizes_are_not_ours(self) -> None:
        """We write CRLF: a name with two sizes was made by somebody else."""
        assert not sizes(b"1700000000.M000001P2Q3,S=10,W=12").ours

    def test_base(self) -> None:
        """The base name ends before the first comma or colon."""
        assert [base(name) for name in (b"1.a,S=1:2,", b"1.a:2,S", b"1.a", b":2,", b"")] == [
            b"1.a",
            b"1.a",
            b"1.a",
            b"",
            b"",
        ]

    def test_order_is_by_seconds(self) -> None:
        """Seconds are numbers, whatever their length; a name without them comes first."""
        names = [b"1700000000.b", b"1700000000.a", b"999999999.z", b"nonsense", b"0999999999.y"]

        assert sorted(names, key=order) == [
            b"nonsense",
            b"0999999999.y",
            b"999999999.z",
            b"1700000000.a",
            b"1700000000.b",
        ]


class TestSnapshot:
    """What is listed."""

    def test_new_and_cur_and_nothing_else(self, box: Path) -> None:
        """tmp/, dot files, subfolders, links, FIFOs and strangers' files are no messages."""
        put(box, "new/1.a")
        put(box, "cur/2.b:2,S")
        put(box, "tmp/3.c")
        put(box, "cur/.4.d")
        put(box, "dovecot-uidlist")
        (box / "cur" / "5.e").mkdir()
        (box / ".Sent").mkdir()
        (box / "new" / "6.f").symlink_to(box / "tmp" / "3.c")
        os.mkfifo(box / "new" / "7.g")

        assert ids(box) == ["1.a", "2.b"]

    def test_folders_that_were_never_made(self, tmp_path: Path) -> None:
        """A mailbox without folders is empty."""
        assert len(taken(tmp_path / "nowhere")) == 0

    def test_nothing_is_moved(self, box: Path) -> None:
        """Opening a mailbox leaves every name as it is."""
        put(box, "new/1.a")
        put(box, "new/2.b")
        taken(box)

        assert sorted(path.name for path in (box / "new").iterdir()) == ["1.a", "2.b"]

    def test_our_files_are_not_opened(self, box: Path) -> None:
        """The size of a file of ours comes from its name, even where the file could not be read."""
        put(box, "new/1700000000.M000001P2Q3,S=777,W=777")

        assert list(taken(box).sizes) == [777]

    @pytest.mark.parametrize("before", ["x", "2", "1700000000.M000000P1Q1x"])
    def test_a_name_that_ends_as_ours_do(self, box: Path, before: str) -> None:
        """It is another name all the same, and the file is found under it."""
        ours = "1700000000.M000000P1Q0,S=10,W=10"
        put(box, f"new/{before}{ours}")

        assert paths(taken(box)) == [f"new/{before}{ours}".encode()]
        assert ids(box) == [base(f"{before}{ours}".encode()).decode()]

    def test_unreadable_file_keeps_its_number(self, box: Path) -> None:
        """A file whose size is not what its name says is listed, so that numbers are true; it is refused later."""
        put(box, "new/1.a.host,S=100", b"short")
        put(box, "new/2.b")

        assert ids(box) == ["1.a.host", "2.b"]

    def test_packed_sequence(self, box: Path) -> None:
        """Unique ids can be indexed from both ends and sliced, and end where they end."""
        for name in ("1.a", "2.b", "3.c"):
            put(box, f"new/{name}")
        unique_ids = taken(box).unique_ids

        assert (unique_ids[0], unique_ids[-1], unique_ids[1:]) == ("1.a", "3.c", ["2.b", "3.c"])
        with pytest.raises(IndexError):
            unique_ids[3]

    def test_memory_of_a_message(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A listing holds at most 100 octets for each message, of ours as of Dovecot's."""
        for name in (
            b"17000%05d.M%06dP1a2bQ%x,S=4321,W=4321",
            b"17000%05d.M%06dP1234V%x.mail.example.com,S=4321,W=4399:2,S",
        ):
            names = [name % (index, index, index) for index in range(10_000)]
            monkeypatch.setattr(taking_module, "settled_scan", lambda root, names=names: ([[], names], (1, 2)))
            monkeypatch.setattr(taking_module, "wire_size", lambda path, disk, wire: wire)

            assert taken(box).memory() < 100 * 10_000

    def test_many_messages_keep_their_order(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mailbox that is sorted in pieces is in the same order as one that is sorted at once; no name is lost."""
        names = [b"1700000%03d.M%06dP7Q%x,S=1,W=1:2,S" % (index % 97, index, index) for index in range(20_000)]
        shuffled = [names[index * 7919 % len(names)] for index in range(len(names))]
        foreign = b"1700000050.x"
        for more in ([], [foreign]):
            found = [[], [*more, *shuffled]]
            monkeypatch.setattr(taking_module, "settled_scan", lambda root, found=found: (found, (1, 2)))
            monkeypatch.setattr(taking_module, "_size", lambda name, known: 1)

            assert paths(taken(box)) == [b"cur/" + name for name in sorted([*names, *more])]

    @given(st.lists(st.tuples(SECONDS, st.integers(0, 20), FLAGS, st.booleans(), st.booleans()), max_size=30))
    def test_quick_way_and_any_way(self, said: list[tuple[int, int, bytes, bool, bool]]) -> None:
        """Names of ours alone give the same listing as they do one by one."""
        found: list[list[bytes]] = [[], []]
        for second, size, flags, is_open, is_new in said:
            name = b"%d.M000001P2Q3%b,S=%d,W=%d" % (second, OPEN.encode() if is_open else b"", size, size)
            found[0 if is_new else 1].append(name if is_new else name + flags)
        names = [name + b"n" for name in found[0]] + [name + b"c" for name in found[1]]
        known = taking_module._Known(b"/nonexistent")
        quick = taking_module._ours_alone(names, known)
        messages = Messages()
        for name in sorted(names, key=taking_module._sort_key):
            taking_module._add(messages, [name], known)

        if quick is None:
            # A base name that occurs twice needs a look at the files.
            assert len({base(name) for name in names}) < len(names)
        else:
            listings = Listing(quick), Listing(messages)
            assert paths(listings[0]) == paths(listings[1])
            assert [each.size_rows(0, len(each)) for each in listings] == 2 * [listings[0].size_rows(0, len(names))]
            assert [each.id_rows(0, len(each)) for each in listings] == 2 * [listings[0].id_rows(0, len(names))]

    def test_copies_among_many_messages(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the names are in pieces, two files with one base name are seen wherever the pieces meet."""
        names = [b"1700000000.M%06dP7Q1,S=1,W=1" % index for index in range(3 * PIECE)]
        copies = [name + b":2,S" for name in names]
        monkeypatch.setattr(taking_module, "settled_scan", lambda root: ([names, copies], (1, 2)))
        asked: list[bytes] = []

        def files(root: bytes, same: list[bytes]) -> list[tuple[FileKey, bytes]]:
            asked.extend(same)
            return [(FileKey(number, 1), name) for number, name in enumerate(same)]

        monkeypatch.setattr(taking_module, "_files", files)

        assert len(set(taken(box).unique_ids)) == len(asked) == 2 * len(names)

    def test_rows(self, box: Path) -> None:
        """What LIST and UIDL send is cut out anywhere."""
        for number in range(40):
            put(box, f"new/{number + 10}.a", b"x" * number)
        listing = taken(box)

        for start, stop in ((0, 40), (0, 0), (15, 17), (16, 32), (39, 40), (3, 39)):
            rows = [f"{index + 1} {listing.sizes[index]}\r\n".encode() for index in range(start, stop)]
            assert listing.size_rows(start, stop) == b"".join(rows)
            rows = [f"{index + 1} {listing.unique_ids[index]}\r\n".encode() for index in range(start, stop)]
            assert listing.id_rows(start, stop) == b"".join(rows)
        assert listing.octets == sum(listing.sizes)


class TestChanges:
    """What is known of a change without a look at the disk."""

    def test_one_message_more(self, box: Path) -> None:
        """It comes last; the listing that was there before does not see it."""
        put(box, "new/1700000000.M000001P2Q1,S=11,W=11")
        before = taken(box)
        after = before.extended(b"new/1700000000.M000002P2Q2,S=5,W=5", 5)

        assert after is not None
        assert list(after.unique_ids) == ["1700000000.M000001P2Q1", "1700000000.M000002P2Q2"]
        assert (list(after.sizes), after.octets) == ([11, 5], 16)
        assert after.path(1) == b"new/1700000000.M000002P2Q2,S=5,W=5"
        assert after.id_rows(0, 2) == b"1 1700000000.M000001P2Q1\r\n2 1700000000.M000002P2Q2\r\n"
        assert (list(before.unique_ids), before.octets) == (["1700000000.M000001P2Q1"], 11)
        assert before.id_rows(0, 1) == b"1 1700000000.M000001P2Q1\r\n"

    def test_a_message_that_would_not_come_last(self, box: Path) -> None:
        """It is refused: numbers would shift; so is a second change of one listing."""
        put(box, "new/1700000000.M000002P2Q1,S=11,W=11")
        listing = taken(box)

        assert listing.extended(b"new/1700000000.M000001P2Q2,S=5,W=5", 5) is None
        assert listing.extended(b"new/1700000000.M000002P2Q1,S=5,W=5", 5) is None
        assert listing.extended(b"new/1700000001.M000001P2Q2,S=5,W=5", 5) is not None
        assert listing.extended(b"new/1700000002.M000001P2Q2,S=5,W=5", 5) is None

    def test_messages_less(self, box: Path) -> None:
        """The others are numbered anew, as a fresh listing would."""
        for name in ("new/1.a", "cur/2.b:2,S", "new/3." + "x" * 80, "new/4.d", "cur/4.e:2,"):
            put(box, name)
        listing = taken(box)
        for index in (0, 3):
            (box / os.fsdecode(listing.path(index))).unlink()

        shorter, fresh = listing.without([0, 3]), taken(box)

        assert paths(shorter) == paths(fresh)
        assert shorter.id_rows(0, 3) == fresh.id_rows(0, 3)
        assert (shorter.size_rows(0, 3), shorter.octets) == (fresh.size_rows(0, 3), fresh.octets)
        assert len(listing) == 5


CONTENT = st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"\r", b".", b"\0", b"\xff", b"x" * 300]), max_size=40).map(
    b"".join
)


class TestSizes:
    """RFC 1939 §11: the size is what is sent."""

    @pytest.mark.parametrize(
        ("stored", "wire"),
        [
            (b"", b""),
            (b"a", b"a\r\n"),
            (b"a\n", b"a\r\n"),
            (b"a\r\n", b"a\r\n"),
            (b"a\nb\r\nc", b"a\r\nb\r\nc\r\n"),
            (b"\n\n", b"\r\n\r\n"),
            (b"\r\n\n\r\n", b"\r\n\r\n\r\n"),
            (b"a\r", b"a\r\r\n"),
            (b"a\r\rb\r\r\n", b"a\r\rb\r\r\n"),
            (b"nul\0\n", b"nul\0\r\n"),
        ],
    )
    def test_line_ends_become_crlf(self, box: Path, stored: bytes, wire: bytes) -> None:
        """LF becomes CRLF, a missing last line end is added, nothing else changes; the size counts it all."""
        put(box, "new/1.a.host", stored)

        assert served(box, 0) == wire
        assert listed(box) == {"1.a.host": len(wire)}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(content=CONTENT, step=st.integers(1, 50), fields=st.sampled_from(["", "S", "W", "SW"]))
    def test_size_is_what_is_read(self, box: Path, content: bytes, step: int, fields: str) -> None:
        """For any content, with or without sizes in the name, the listed size is the number of octets given."""
        wire = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        name = "new/1.a.host"
        name += f",S={len(content)}" if "S" in fields else ""
        name += f",W={len(wire)}" if "W" in fields else ""
        path = put(box, name, content)

        octets = served(box, 0, step)

        assert listed(box) == {"1.a.host": len(octets)}
        assert octets == wire if wire.endswith(b"\r\n") or not wire else octets == wire + b"\r\n"
        path.unlink()

    def test_line_end_across_pieces(self, box: Path) -> None:
        """A CR that ends one piece and the LF that begins the next are one line end."""
        content = b"x" * (CHUNK - 1) + b"\r\n" + b"y" * CHUNK + b"\n"
        put(box, "new/1.a.host", content)

        assert served(box, 0) == content[:-1] + b"\r\n"
        assert listed(box)["1.a.host"] == len(content) + 1


class TestUniqueIds:
    """RFC 1939 §7: 1 to 70 printable octets, unique, the same in every session."""

    def test_move_and_flags_change_nothing(self, box: Path) -> None:
        """The id survives the way from new/ to cur/ and every change of flags."""
        path = put(box, "new/1700000000.M000001P2Q3,S=11,W=11")
        for name in ("cur/1700000000.M000001P2Q3,S=11,W=11:2,", "cur/1700000000.M000001P2Q3,S=11,W=11:2,RS"):
            path = path.rename(box / name)
            assert ids(box) == ["1700000000.M000001P2Q3"]

    @pytest.mark.parametrize("length", [70, 71])
    def test_length(self, box: Path, length: int) -> None:
        """Seventy octets are kept; one more gives a hash, the same each time and after a move."""
        name = "1." + "x" * (length - 2)
        path = put(box, f"new/{name}")
        first = ids(box)
        path.rename(box / "cur" / f"{name}:2,S")

        assert (first == [name]) == (length == 70)
        assert ids(box) == first

    @pytest.mark.parametrize("name", [b"1.a b", b"1.\xe4", b"1.\x7f", b"1.\n", b",S=11", b"1.\xff\xfe"])
    def test_unprintable(self, box: Path, name: bytes) -> None:
        """A name that is empty or has other octets than 0x21 to 0x7E gives a fit id."""
        put(box, b"new/" + name)
        (unique_id,) = ids(box)

        assert 1 <= len(unique_id) <= 70
        assert all(0x21 <= ord(letter) <= 0x7E for letter in unique_id)
        assert ids(box) == [unique_id]

    def test_copies_by_hand(self, box: Path) -> None:
        """Files that share a base name have different ids, each its own whatever becomes of the others."""
        first = put(box, "cur/1.a:2,S")
        second = put(box, "cur/1.a:2,")
        put(box, "new/2.b")
        before = ids(box)
        assert len(set(before)) == 3
        assert before[2] == "2.b"
        assert ids(box) == before

        first.rename(box / "cur" / "1.a:2,FS")
        assert sorted(ids(box)) == sorted(before)

        second.unlink()
        (left, _) = ids(box)
        assert left in before
        third = put(box, "cur/1.a:2,T")
        os.utime(third, ns=(1, 1))
        assert set(ids(box)) & set(before) == {left, "2.b"}

    def test_inode_that_is_used_again(self, box: Path) -> None:
        """A file that gets a removed file's inode does not get its id (RFC 1939 §7: never reused)."""
        keys = [FileKey(10, 1), FileKey(11, 1), FileKey(11, 2)]
        kept = KeptIds(os.fsencode(box))
        first = kept.assign(b"1.a", "1.a", keys[:2])
        kept.save()

        second = KeptIds(os.fsencode(box)).assign(b"1.a", "1.a", [keys[0], keys[2]])

        assert second[0] == first[0]
        assert second[1] not in first

    def test_map_may_be_lost(self, box: Path) -> None:
        """Without the map, or with a damaged one, all other ids stay, and ids are still unique."""
        put(box, "cur/1.a:2,S")
        put(box, "cur/1.a:2,")
        put(box, "new/2.b")
        before = ids(box)
        kept = box / os.fsdecode(FILE_NAME)
        for damage in (b"", b"another format\n1 x y\n", kept.read_bytes() + b"broken\nx y z\n\xff\n"):
            kept.write_bytes(damage)
            assert ids(box) == before

    def test_map_that_cannot_be_written(self, box: Path) -> None:
        """On a full disk, or here in the way of a folder, people can still log in."""
        (box / os.fsdecode(FILE_NAME)).mkdir()
        put(box, "cur/1.a:2,S")
        put(box, "cur/1.a:2,")

        assert len(set(ids(box))) == 2
        assert (box / os.fsdecode(FILE_NAME)).is_dir()

    def test_no_map_without_need(self, box: Path) -> None:
        """A mailbox without copies has no map."""
        put(box, "new/1.a")
        put(box, "new/" + "x" * 100)
        ids(box)

        assert not (box / os.fsdecode(FILE_NAME)).exists()

    def test_one_file_with_two_names(self, box: Path) -> None:
        """A message that is seen in both folders while it moves is one message."""
        path = put(box, "new/1.a")
        os.link(path, box / "cur" / "1.a:2,S")

        listing = taken(box)

        assert list(listing.unique_ids) == ["1.a"]
        assert listing.path(0) == b"cur/1.a:2,S"


class TestFollowing:
    """Moves by other programs."""

    def test_moves_are_followed(self, box: Path) -> None:
        """The same indexes lead to the new places; new messages get none."""
        put(box, "new/1.a").rename(box / "cur" / "1.a:2,")
        listing = taken(box)
        (box / "cur" / "1.a:2,").rename(box / "cur" / "1.a:2,S")
        put(box, "new/2.b")

        followed = listing.followed(scan(os.fsencode(box)))

        assert [followed.path(index) for index in range(len(followed))] == [b"cur/1.a:2,S"]

    def test_nothing_moved(self, box: Path) -> None:
        """Where nothing has moved it is the same listing, a vanished file included."""
        path = put(box, "new/1.a")
        put(box, "new/2.b")
        listing = taken(box)
        path.unlink()

        assert listing.followed(scan(os.fsencode(box))) is listing

    def test_ambiguous_names_are_not_followed(self, box: Path) -> None:
        """A base name that occurs twice now could lead to the wrong file."""
        path = put(box, "new/1.a")
        listing = taken(box)
        path.rename(box / "cur" / "1.a:2,S")
        put(box, "cur/1.a:2,")

        assert listing.followed(scan(os.fsencode(box))) is listing

    def test_folder_times_change(self, box: Path) -> None:
        """A change of names shows in the folders' times; a missing folder has one too."""
        os.utime(box / "new", ns=(1, 1))
        before = folder_times(os.fsencode(box))
        put(box, "new/1.a")

        assert folder_times(os.fsencode(box)) != before
        assert folder_times(b"/nonexistent") == (0, 0)


class TestRaces:
    """Other programs at work while the mailbox is listed."""

    def test_message_that_moves_under_the_scan(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that a scan has missed, because it moved, is found by the next: the folders' times tell."""
        path = put(box, "cur/1.a:2,")
        os.utime(box / "cur", ns=(1, 1))
        calls: list[bytes] = []

        def missed(root: bytes) -> list[list[bytes]]:
            calls.append(root)
            if len(calls) > 1:
                return look(root)
            path.rename(box / "cur" / "1.a:2,S")
            return [[], []]

        monkeypatch.setattr(scan_module, "look", missed)

        assert ids(box) == ["1.a"]

    def test_folder_that_never_rests(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a few looks the mailbox is taken as it is."""
        put(box, "new/1.a")
        times = iter(range(100))
        monkeypatch.setattr(scan_module, "folder_times", lambda root: (next(times),))

        assert ids(box) == ["1.a"]
        assert next(times) == 2 * TRIES

    def test_message_that_moves_before_it_is_measured(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A foreign file that moved between scan and measuring is found at its new place."""
        path = put(box, "new/1.a")
        calls: list[bytes] = []

        def early(root: bytes) -> tuple[list[list[bytes]], tuple[int, ...]]:
            names = look(root)
            calls.append(root)
            if len(calls) == 1:
                path.rename(box / "cur" / "1.a:2,S")
            return names, (1, 2)

        monkeypatch.setattr(taking_module, "settled_scan", early)

        assert ids(box) == ["1.a"]
        assert len(calls) == 2

    def test_message_that_is_always_gone(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that cannot be caught is left out; the mailbox opens."""
        put(box, "new/2.b")
        monkeypatch.setattr(taking_module, "settled_scan", lambda root: ([[b"1.a", b"2.b"], []], (1, 2)))

        assert ids(box) == ["2.b"]

    def test_copy_that_is_gone(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a message that was seen in both folders only the place where it is now counts."""
        put(box, "cur/1.a:2,S")
        monkeypatch.setattr(taking_module, "settled_scan", lambda root: ([[b"1.a"], [b"1.a:2,S"]], (1, 2)))

        assert ids(box) == ["1.a"]
