"""``mailsuite import``: mail and accounts of another server, as a person at a terminal moves them."""

import os
from pathlib import Path

import pytest
from passlib.hash import sha512_crypt

from mailsuite.mailbox.layout import make_folders
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.taking import take_listing
from tests.cli.test_accounts import Site, site

__all__ = ["site"]

ALICE = "alice@example.com"
MARK = b"From a@b Thu Jan  1 00:00:01 2026\n"


@pytest.fixture
def box(site: Site) -> Path:
    """Alice's mailbox."""
    site.done("user", "add", ALICE, "--no-password")
    return site.folder / "mail" / "example.com" / "alice"


def old(path: Path, *names: str) -> str:
    """Make a Maildir of another server with messages of these names in it, and its unique ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make_folders(str(path))
    for name in names:
        (path / "cur" / name).write_bytes(b"A: 1\n\n" + name.encode())
    rows = "".join(f"{number} :{name}\n" for number, name in enumerate(names, 1))
    (path / "dovecot-uidlist").write_text(f"3 V7 N9\n{rows}")
    return str(path)


def listed(box: Path) -> list[str]:
    """The unique ids that a session sees."""
    return list(take_listing(str(box))[0].unique_ids)


def test_maildir(site: Site, box: Path, tmp_path: Path) -> None:
    """The inbox and its folders, by a format of unique ids; nothing by a dry run, nothing more by a second run."""
    source = old(tmp_path / "old", "1700000001.M1P1.h:2,S", "1700000002.M1P1.h:2,RS")
    old(tmp_path / "old" / ".Sent", "1700000003.M1P1.h:2,S")
    words = ("import", "maildir", ALICE, source, "--uidl-format", "%v.%u")

    assert "2 would be brought (2 with" in site.done(*words, "--dry-run")
    assert listed(box) == []
    said = site.done(*words).splitlines()
    assert said == [
        f"{ALICE}: 2 brought (2 with the unique ids they had), 0 were here already.",
        f"{ALICE}, folder Sent: 1 brought (1 with the unique ids they had), 0 were here already.",
    ]
    assert listed(box) == ["7.1", "7.2"]
    assert listed(box / ".Sent") == ["7.1"]
    assert f"{ALICE}: 0 brought (0 with the unique ids they had), 2 were here already." in site.done(*words)
    assert "folder" not in site.done(*words, "--inbox-only")


def test_quotas(site: Site, box: Path, tmp_path: Path) -> None:
    """What lies in the mailbox is counted anew; a quota holds off nothing that somebody had before."""
    site.done("quota", "set", ALICE, "--messages", "1")
    site.done("quota", "recalculate")
    assert (box / "maildirsize").exists()
    site.done("import", "maildir", ALICE, old(tmp_path / "old", "1700000001.M1P1.h:2,S", "1700000002.M1P1.h:2,S"))

    assert not (box / "maildirsize").exists()
    assert len(listed(box)) == 2


def test_mbox(site: Site, box: Path, tmp_path: Path) -> None:
    """Into the inbox, or a folder."""
    (tmp_path / "mbox").write_bytes(MARK + b"X-UIDL: q1\nStatus: RO\n\nx\n\n" + MARK + b"X-UIDL: a b\n\ny\n")
    site.done("import", "mbox", ALICE, str(tmp_path / "mbox"))
    site.done("import", "mbox", ALICE, str(tmp_path / "mbox"), "--folder", "Entwürfe")

    assert "q1" in listed(box)
    assert len(listed(box / ".Entw&APw-rfe")) == 2
    for folder in ("a/b", ".a"):
        assert site.run("import", "mbox", ALICE, str(tmp_path / "mbox"), "--folder", folder).exit_code == 2


def test_unfit_ids_are_named(site: Site, box: Path, tmp_path: Path) -> None:
    """The first few of them; the messages come all the same."""
    long = "x" * 71
    (tmp_path / "mbox").write_bytes(b"".join(MARK + f"X-UIDL: {long}\nA: {n}\n\n".encode() for n in range(7)))
    result = site.run("import", "mbox", ALICE, str(tmp_path / "mbox"))

    assert result.exit_code == 0
    assert result.stderr.count("it gets one of ours") == 5
    assert "7 such" in result.stderr
    assert "7 brought (0 with" in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("maildir", "nobody@example.com", "{0}"), "no user nobody"),
        (("maildir", ALICE, "{0}"), "is no Maildir"),
        (("mbox", ALICE, "{0}/mailsuite.toml"), "no mbox"),
    ],
)
def test_what_is_refused(site: Site, box: Path, words: tuple[str, ...], told: str) -> None:
    """It is said why."""
    assert told in site.refused("import", *(word.format(site.folder) for word in words))


def test_one_at_a_time(site: Site, box: Path, tmp_path: Path) -> None:
    """Two imports into one mailbox would bring the same twice; a session does not stand in the way."""
    source = old(tmp_path / "old", "1700000001.M1P1.h:2,S")
    locks = Locks(str(site.folder / "locks"))
    assert locks.acquire(f"{box}#import")
    assert "another import" in site.refused("import", "maildir", ALICE, source)
    locks.close()
    assert locks.acquire(str(box))

    site.done("import", "maildir", ALICE, source)
    locks.close()


def test_no_room(site: Site, box: Path, tmp_path: Path) -> None:
    """The command says which setting it goes by."""
    with (site.folder / "mailsuite.toml").open("a") as file:
        file.write("[store]\nfree_floor = 4611686018427387904\n")

    assert "free_floor" in site.refused("import", "maildir", ALICE, old(tmp_path / "old", "1700000001.M1P1.h:2,S"))


def test_dovecot(site: Site, tmp_path: Path) -> None:
    """Accounts with their hashes, in new domains too, and the mail of each; what is wrong is named at the end."""
    hashed = sha512_crypt.using(rounds=1000).hash("open sesame")
    for name in ("alice", "bob"):
        old(tmp_path / "old" / name / "Maildir", f"170000000{len(name)}.M1P1.h:2,S")
    (tmp_path / "users").write_text(
        f"{ALICE}:{{SHA512-CRYPT}}{hashed}::::{tmp_path}/old/alice\n"
        + f"bob@old.example:::::{tmp_path}/old/bob\n"
        + "carol:x\n"
        + "dave@example.com:nonsense\n"
        + f"eve@example.com:{{CRYPT}}{hashed}:::::\n"
    )
    words = ("import", "dovecot", str(tmp_path / "users"))
    dry = site.run(*words, "--dry-run")
    assert "3 users would be added, 0 are here already." in dry.stdout
    assert f"{ALICE}: 1 would be brought (1 with" in dry.stdout
    for line in ("line 3: carol has no domain", "line 4: ", "line 5: eve@example.com would come, but there is no"):
        assert line in dry.stderr
    assert not (site.folder / "mail/old.example").exists()
    result = site.run(*words)

    assert result.exit_code == 1
    assert "Added the domain old.example." in result.stdout
    assert "Added 3 users; 0 were here already." in result.stdout
    for line in ("line 3: carol has no domain", "line 4: ", "line 5: eve@example.com is here, but"):
        assert line in result.stderr
    assert "line 1" not in result.stderr
    assert site.fits(ALICE, "open sesame")
    assert listed(site.folder / "mail/example.com/alice") == ["0000000100000007"]
    assert listed(site.folder / "mail/old.example/bob") == ["0000000100000007"]
    again = site.run(*words, "--domain", "example.com")
    assert "Added 0 users; 3 were here already." in again.stdout
    assert f"{ALICE}: 0 brought" in again.stdout


def test_courier(site: Site, tmp_path: Path) -> None:
    """By a pattern that says where the Maildirs are."""
    hashed = sha512_crypt.using(rounds=1000).hash("open sesame")
    source = Path(old(tmp_path / "old" / "example.com" / "alice", "1700000001.M1P1.h:2,S"))
    (source / "dovecot-uidlist").unlink()
    (source / "courierpop3dsizelist").write_text("/3 9 77\n1700000001.M1P1.h:2,S 36 5:77:0\n")
    (tmp_path / "userdb").write_text(f"alice\thome=/nowhere|systempw={hashed}\n")
    pattern = f"{tmp_path}/old/example.com/%n"
    site.done("import", "courier", str(tmp_path / "userdb"), "--domain", "example.com", "--mail", pattern)

    assert site.fits(ALICE, "open sesame")
    assert listed(site.folder / "mail/example.com/alice") == ["UID5-77"]
    accounts = site.done("import", "courier", str(tmp_path / "userdb"), "--domain", "example.com", "--no-mail")
    assert accounts == "Added 0 users; 1 was here already.\n"


def test_nested_folders(site: Site, box: Path, tmp_path: Path) -> None:
    """They may be mailboxes of others, so they are brought when that is said, and named when it is not."""
    source = old(tmp_path / "old", "1700000001.M1P1.h:2,S")
    old(tmp_path / "old" / "Work" / "Done 1.0", "1700000002.M1P1.h:2,S")

    result = site.run("import", "maildir", ALICE, source)
    assert (result.exit_code, "--nested brings them" in result.stderr) == (0, True)
    assert f"{ALICE}, folder Work.Done 1_0: 1 brought" in site.done("import", "maildir", ALICE, source, "--nested")
    assert len(listed(box / ".Work.Done 1_0")) == 1


def test_what_cannot_be_read_keeps_nothing_back(site: Site, box: Path, tmp_path: Path) -> None:
    """Messages, and whole folders, are named at the end, and make the exit code 1."""
    source = old(tmp_path / "old", "1700000001.M1P1.h:2,S", "1700000002.M1P1.h:2,S")
    (tmp_path / "old" / "cur" / "1700000002.M1P1.h:2,S").write_bytes(b"\x1f\x8bno gzip")
    old(tmp_path / "old" / ".Bad", "1700000003.M1P1.h:2,S")
    (tmp_path / "old" / ".Bad" / "dovecot-uidlist").write_bytes(b"\0")
    old(tmp_path / "old" / ".Good", "1700000004.M1P1.h:2,S")
    result = site.run("import", "maildir", ALICE, source)

    assert result.exit_code == 1
    assert f"{ALICE}: 1 brought (1 with" in result.stdout
    assert f"{ALICE}, folder Good: 1 brought" in result.stdout
    assert "1700000002.M1P1.h cannot be read: it is compressed, and damaged" in result.stderr
    assert f"Error: {ALICE}, folder Bad: {source}/.Bad/dovecot-uidlist: this is no dovecot-uidlist" in result.stderr


@pytest.mark.parametrize(
    ("name", "told"), [(b"caf\xe9", r"caf\udce9"), (b"a\nb", r"a\nb"), (b"a\x1b[2Jb", r"a\x1b[2Jb")]
)
def test_folders_of_any_name_are_told_in_one_line(
    site: Site, box: Path, tmp_path: Path, name: bytes, told: str
) -> None:
    """A name that is no UTF-8 does not end the import before the last folder, and none steers a terminal."""
    source = old(tmp_path / "old", "1700000001.M1P1.h:2,S")
    old(tmp_path / "old" / f".{os.fsdecode(name)}", "1700000002.M1P1.h:2,S")
    old(tmp_path / "old" / ".z", "1700000003.M1P1.h:2,S")

    for words in (["--dry-run"], []):
        said = site.done("import", "maildir", ALICE, source, *words).splitlines()
        assert [each.partition(": 1 ")[0] for each in said] == [
            ALICE, f"{ALICE}, folder {told}", f"{ALICE}, folder z"
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", ".Sent", "a\nb", "caf\udce9"])
def test_an_mbox_for_a_folder_that_cannot_be(site: Site, box: Path, tmp_path: Path, name: str) -> None:
    """A slash would lead elsewhere, and what cannot be printed was not meant."""
    (tmp_path / "mbox").write_bytes(MARK + b"A: 1\n\nx\n")

    assert "the name of a folder can be printed" in site.misused(
        "import", "mbox", ALICE, str(tmp_path / "mbox"), "--folder", name
    )


def test_links(site: Site, box: Path, tmp_path: Path) -> None:
    """A link that leads elsewhere is not followed."""
    source = Path(old(tmp_path / "old", "1700000001.M1P1.h:2,S"))
    (source / "cur" / "1700000002.M1P1.h:2,S").symlink_to("/etc/passwd")

    assert "1 brought" in site.done("import", "maildir", ALICE, str(source))
