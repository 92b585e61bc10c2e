"""The commands for single mailboxes."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.scan import folder_times
from mailsuite.mailbox.sharing import Sharing, is_shared
from mailsuite.mailbox.taking import take_listing
from tests.cli.test_accounts import Site, site

__all__ = ["site"]

ALICE = "alice@example.com"


@pytest.fixture
def box(site: Site) -> Path:
    """Alice's mailbox, with three messages of another server."""
    site.done("user", "add", ALICE, "--no-password")
    box = site.folder / "mail" / "example.com" / "alice"
    for number in (1, 2, 3):
        (box / "cur" / f"170000000{number}.M1P{number}.host,S=30:2,S").write_bytes(
            b"X-UIDL: qpop-%d\nA: b\n\nbody %d\n" % (number, number)
        )
    return box


def ids(box: Path) -> list[str]:
    """The unique ids that a session sees."""
    return list(take_listing(str(box))[0].unique_ids)


def written(folder: Path, text: str) -> str:
    """Write a list and return its path."""
    path = folder / "list"
    path.write_text(text)
    return str(path)


class TestImport:
    """``mailsuite mailbox import-uidl``."""

    def test_dovecot(self, site: Site, box: Path, tmp_path: Path) -> None:
        """In the usual format or another; a message that the list does not have gets an id of ours."""
        text = "3 V1257945600 N5\n1 :1700000001.M1P1.host,S=30\n10 :1700000002.M1P2.host,S=30\n4 :1699999999.gone\n"
        said = site.done("mailbox", "import-uidl", ALICE, "--dovecot", written(tmp_path, text))

        assert "the ids of 2 messages" in said
        assert "1 has ids of ours" in said
        assert ids(box) == ["000000014afaba00", "0000000a4afaba00", "1700000003.M1P3.host"]
        site.done("mailbox", "import-uidl", ALICE, "--dovecot", written(tmp_path, text), "--format", "%v.%u")
        assert ids(box)[:2] == ["1257945600.1", "1257945600.10"]

    def test_courier(self, site: Site, box: Path, tmp_path: Path) -> None:
        """Its own list."""
        text = "/3 9 77\n" + "".join(f"170000000{n}.M1P{n}.host,S=30:2,S 36 {n}:77:0\n" for n in (1, 2, 3))
        site.done("mailbox", "import-uidl", ALICE, "--courier", written(tmp_path, text))

        assert ids(box) == ["UID1-77", "UID2-77", "UID3-77"]

    def test_qpopper(self, site: Site, box: Path) -> None:
        """The messages say it themselves."""
        site.done("mailbox", "import-uidl", ALICE, "--header")

        assert ids(box) == ["qpop-1", "qpop-2", "qpop-3"]

    def test_plain_list(self, site: Site, box: Path, tmp_path: Path) -> None:
        """An id that is none is named, and left out."""
        text = f"1700000001.M1P1.host one\n1700000002.M1P2.host {'x' * 71}\n"
        result = site.run("mailbox", "import-uidl", ALICE, "--file", written(tmp_path, text))

        assert result.exit_code == 0
        assert result.stderr == f"1700000002.M1P2.host: '{'x' * 71}' is no unique id (RFC 1939 §7): left out\n"
        assert result.stdout == f"Kept the ids of 1 message of {ALICE}; 2 have ids of ours.\n"
        assert ids(box)[:2] == ["one", "1700000002.M1P2.host"]

    def test_ids_of_two_sources(self, site: Site, box: Path, tmp_path: Path) -> None:
        """What was kept before is still there, and counts."""
        site.done("mailbox", "import-uidl", ALICE, "--file", written(tmp_path, "1700000001.M1P1.host one\n"))
        said = site.done("mailbox", "import-uidl", ALICE, "--file", written(tmp_path, "1700000002.M1P2.host two\n"))

        assert said == f"Kept the ids of 1 message of {ALICE}; 1 has ids of ours.\n"
        assert ids(box) == ["one", "two", "1700000003.M1P3.host"]

    def test_a_header_that_has_no_id(self, site: Site, box: Path) -> None:
        """It is named, and left out."""
        (path,) = box.glob("*/1700000002*")
        path.write_bytes(path.read_bytes().replace(b"qpop-2", b"qp \xff p"))
        result = site.run("mailbox", "import-uidl", ALICE, "--header")

        assert result.stderr.endswith(": 'qp \\xff p' is no unique id (RFC 1939 §7): left out\n")
        assert ids(box) == ["qpop-1", "1700000002.M1P2.host", "qpop-3"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("1700000001.M1P1.host one\n1700000002.M1P2.host one\n", "would be the id of both"),
            ("1700000001.M1P1.host\n", "line 1"),
        ],
    )
    def test_what_is_refused(self, site: Site, box: Path, tmp_path: Path, text: str, words: str) -> None:
        """Nothing is changed then."""
        before = ids(box)

        assert words in site.refused("mailbox", "import-uidl", ALICE, "--file", written(tmp_path, text))
        assert ids(box) == before

    def test_format_that_cannot_be_followed(self, site: Site, box: Path, tmp_path: Path) -> None:
        """It is refused by its name."""
        text = "3 V1257945600 N5\n1 :1700000001.M1P1.host,S=30\n"

        assert "%m" in site.refused(
            "mailbox", "import-uidl", ALICE, "--dovecot", written(tmp_path, text), "--format", "%m"
        )

    def test_one_source(self, site: Site, box: Path, tmp_path: Path) -> None:
        """Neither none nor two."""
        both = ("--header", "--file", written(tmp_path, ""))
        for options in ((), both):
            assert site.run("mailbox", "import-uidl", ALICE, *options).exit_code == 2

    def test_nobody_is_logged_in(self, site: Site, box: Path) -> None:
        """A session must not see ids change."""
        locks = Locks(str(site.folder / "locks"))
        assert locks.acquire(str(box))
        said = site.refused("mailbox", "import-uidl", ALICE, "--header")
        locks.close()

        assert "is logged in" in said
        site.done("mailbox", "import-uidl", ALICE, "--header")

    def test_servers_look_again(self, site: Site, box: Path) -> None:
        """The folders have new times, so that no listing from before is used on."""
        for folder in ("new", "cur"):
            os.utime(box / folder, ns=(1, 1))
        before = folder_times(os.fsencode(box))
        site.done("mailbox", "import-uidl", ALICE, "--header")

        assert all(now != then for now, then in zip(folder_times(os.fsencode(box)), before, strict=True))

    def test_nobody_of_that_name(self, site: Site) -> None:
        """It says so."""
        assert "no user" in site.refused("mailbox", "import-uidl", "nobody@example.com", "--header")


class TestSharing:
    """``mailsuite mailbox set`` and ``add-reader``."""

    def test_shared_and_back(self, site: Site, box: Path) -> None:
        """The mailbox is shared by its own login first; the days can be changed."""
        assert "; no message is removed.\n" in site.done("mailbox", "set", ALICE, "--shared")
        assert is_shared(str(box))
        assert "30 days" in site.done("mailbox", "set", ALICE, "--shared", "--expire-hidden", "30")
        assert Sharing(str(box)).days == 30
        site.done("mailbox", "set", ALICE, "--exclusive")
        site.done("mailbox", "set", ALICE, "--exclusive")

        assert not is_shared(str(box))

    @pytest.mark.parametrize(
        "options", [(), ("--exclusive", "--expire-hidden", "3"), ("--shared", "--expire-hidden", "-1")]
    )
    def test_options(self, site: Site, box: Path, options: tuple[str, ...]) -> None:
        """What makes no sense is refused."""
        assert site.run("mailbox", "set", ALICE, *options).exit_code == 2

    def test_nobody_is_logged_in(self, site: Site, box: Path) -> None:
        """A session that has the mailbox alone must end first."""
        locks = Locks(str(site.folder / "locks"))
        assert locks.acquire(str(box))
        said = site.refused("mailbox", "set", ALICE, "--shared")
        locks.close()

        assert "is logged in" in said

    def test_readers(self, site: Site, box: Path) -> None:
        """They log in, read the same mailbox, get no mail, and are removed without it."""
        assert "is not shared" in site.refused("mailbox", "add-reader", ALICE, "bob@example.com")
        site.done("mailbox", "set", ALICE, "--shared")
        site.done("mailbox", "add-reader", ALICE, "bob@example.com", "--password-stdin", typed="open sesame")

        assert site.fits("bob@example.com", "open sesame")
        assert str(box) in site.done("user", "show", "bob@example.com", "--json")
        assert len(list((box / "mailsuite-shared").glob("reader-*"))) == 2
        assert "reads a shared mailbox" in site.refused("user", "add", "bob@example.com", "--no-password")
        assert "is a user already" in site.refused(
            "mailbox", "add-reader", ALICE, ALICE, "--password-stdin", typed="open sesame"
        )
        assert "would still read it" in site.refused("mailbox", "set", ALICE, "--exclusive")
        assert "reads this mailbox" in site.refused("user", "remove", ALICE)
        site.done("user", "remove", "bob@example.com")
        assert len(list((box / "mailsuite-shared").glob("reader-*"))) == 1
        assert str(box) in site.done("user", "show", ALICE, "--json")
        site.done("mailbox", "set", ALICE, "--exclusive")

    def test_removing_the_owner(self, site: Site, box: Path) -> None:
        """With force all who read the mailbox go too; the mail stays."""
        site.done("mailbox", "set", ALICE, "--shared")
        site.done("mailbox", "add-reader", ALICE, "bob@example.com", "--password-stdin", typed="open sesame")
        site.done("user", "remove", ALICE, "--force")

        for name in (ALICE, "bob@example.com"):
            assert "no user" in site.refused("user", "show", name)
        assert len(list((box / "cur").iterdir())) == 3
