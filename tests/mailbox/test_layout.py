"""Where mailboxes lie: one safe folder for each address, and no way out of the mail root (lesson 12)."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.mailbox.layout import FOLDERS, create_maildir, maildir, maildirs
from mailsuite.meaning import Mailbox
from mailsuite.pathnames import file_name, mailbox_path
from tests.mailbox.files import ALICE, BOB, CAROL, mode

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(["..", "/", ".", "%", "%2E", "\0", "\\", "~", "new", "é", "e\u0301", "A", "\n", " "])
    ).map("".join),
    st.sampled_from(["", ".", "..", "../../etc/passwd", "/etc/passwd", "a" * 300, "é" * 300, "\ud800", "-", "CON"]),
)


@given(HOSTILE, HOSTILE)
def test_lesson_12_no_address_leads_out_of_the_root(local: str, domain: str) -> None:
    """Two plain names below the root, each fit for a file system, whatever the address."""
    path = mailbox_path(Address(local, domain))
    parts = path.split("/")

    assert len(parts) == 2
    assert os.path.normpath(f"/root/{path}") == f"/root/{path}"
    for part in parts:
        assert part
        assert not part.startswith(".")
        assert part.isprintable()
        assert len(part.encode()) <= 200


@given(HOSTILE, HOSTILE)
def test_different_names_never_share_a_folder(one: str, other: str) -> None:
    """Encoding is one to one."""
    assert (file_name(one) == file_name(other)) == (one == other)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_different_addresses_never_share_a_folder(local: str, domain: str, other: str, other_domain: str) -> None:
    """Two addresses share a folder exactly if they are one mailbox to us."""
    one, two = Address(local, domain), Address(other, other_domain)

    assert (mailbox_path(one) == mailbox_path(two)) == (one.key == two.key)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("alice", "alice"),
        ("alice+x", "alice+x"),
        ("a.b", "a.b"),
        (".a", "%2Ea"),
        ("..", "%2E."),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("a\0", "a%00"),
        ("a b", "a%20b"),
        ("a\\b", "a%5Cb"),
        ("j\u00f6rg", "j\u00f6rg"),
        ("\u2028", "%E2%80%A8"),
        ("", "%"),
    ],
)
def test_names(text: str, name: str) -> None:
    """Readable where it can be, percent-encoded where it must."""
    assert file_name(text) == name


def test_names_at_the_cap_and_one_past() -> None:
    """Up to 200 octets stand as they are; longer ones end in a digest of the whole."""
    assert file_name("a" * 200) == "a" * 200
    long = file_name("a" * 201)
    assert long.startswith("a" * 120 + "%-")
    assert len(long) == 120 + 2 + 64


def test_spellings_of_one_mailbox() -> None:
    """Case and normal form are no difference (architecture: local parts of ours, A-labels)."""
    assert mailbox_path(Address("Alice", "B.Example")) == "b.example/alice"
    assert mailbox_path(Address("J\u00d6RG", "b\u00fccher.example")) == mailbox_path(
        Address("jo\u0308rg", "xn--bcher-kva.example")
    )


def test_folders_are_made(tmp_path: Path) -> None:
    """tmp, new and cur, of mode 0700; told are the folders in which something was made."""
    changed = create_maildir(str(tmp_path), ALICE)
    path = tmp_path / ALICE.path

    assert maildir(str(tmp_path), ALICE) == str(path)
    assert sorted(folder.name for folder in path.iterdir()) == sorted(FOLDERS)
    assert {mode(folder) for folder in (path, path.parent, *path.iterdir())} == {0o700}
    assert set(changed) == {str(tmp_path), str(path.parent), str(path)}
    assert create_maildir(str(tmp_path), ALICE) == []


def test_missing_folders_are_made_again(tmp_path: Path) -> None:
    """A mailbox that lacks one gets it, and keeps the others."""
    create_maildir(str(tmp_path), ALICE)
    (tmp_path / ALICE.path / "new" / "message").write_bytes(b"x")
    (tmp_path / ALICE.path / "cur").rmdir()
    create_maildir(str(tmp_path), ALICE)

    assert (tmp_path / ALICE.path / "cur").is_dir()
    assert (tmp_path / ALICE.path / "new" / "message").exists()


def test_mailboxes_are_found(tmp_path: Path) -> None:
    """All folders two levels down, but nothing with a leading dot, no file, and nothing behind a link."""
    for mailbox in (ALICE, BOB, CAROL):
        create_maildir(str(tmp_path), mailbox)
    create_maildir(str(tmp_path), Mailbox(9, ".incoming/x"))
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "b.example")

    skipped: list[OSError] = []
    found = sorted(maildirs(str(tmp_path), skipped.append))
    assert found == [str(tmp_path / mailbox.path) for mailbox in (ALICE, BOB, CAROL)]
    assert not skipped


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("", ""),
        ("Archive", "/.Archive"),
        ("Archive.2024", "/.Archive.2024"),
        ("A&B", "/.A&-B"),
        ("Größe", "/.Gr&APYA3w-e"),
        ("台北.日本語", "/.&U,BTFw-.&ZeVnLIqe-"),
        ("😀", "/.&2D3eAA-"),
    ],
)
def test_folders_of_maildir_plus_plus(folder: str, place: str) -> None:
    """RFC 3501 §5.1.3: a folder lies where IMAP servers have it."""
    assert maildir("/mail", Mailbox(1, "a.example/alice", folder)) == f"/mail/a.example/alice{place}"
