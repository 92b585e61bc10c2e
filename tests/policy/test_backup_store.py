"""Lists on a backup's disk: only a good one, and only a newer one, takes the place of another."""

import os
import stat
from pathlib import Path

import pytest

from mailsuite.policy import backup_list
from mailsuite.policy.backup_list import AHEAD_SECONDS, BadList
from mailsuite.policy.backup_store import FOLDER, ListStore, OlderList, read_limited
from tests.policy.lists import KEY, NOW, OTHER, signed_list

DOMAIN = "example.net"


@pytest.fixture
def store(tmp_path: Path) -> ListStore:
    """A store that has nothing yet."""
    return ListStore(str(tmp_path))


def test_a_list_is_kept_and_read_again(store: ListStore) -> None:
    """For its owner's eyes."""
    kept = store.keep(DOMAIN, signed_list("alice"), KEY, NOW)

    assert store.load(DOMAIN, KEY) == kept
    assert stat.S_IMODE(os.stat(store.path(DOMAIN)).st_mode) == 0o600
    assert os.listdir(os.path.dirname(store.path(DOMAIN))) == [f"{DOMAIN}.list"]


def test_without_a_file_there_is_no_list(store: ListStore) -> None:
    """And no complaint."""
    assert store.load(DOMAIN, KEY) is None
    assert store.stamp(DOMAIN) is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a list"),
        (signed_list("alice", by=OTHER), "signature is wrong"),
        (signed_list("alice", domain="example.org"), r"a list of example\.org, not of example\.net"),
        (signed_list("alice", made=NOW + AHEAD_SECONDS + 1), "made in the future"),
    ],
)
def test_what_is_not_fit_leaves_the_old_one(store: ListStore, data: bytes, told: str) -> None:
    """Tampering, another's list, a wrong clock."""
    old = store.keep(DOMAIN, signed_list("alice"), KEY, NOW)

    with pytest.raises(BadList, match=told):
        store.keep(DOMAIN, data, KEY, NOW)

    assert store.load(DOMAIN, KEY) == old


def test_an_older_list_does_not_come_back(store: ListStore) -> None:
    """It may have recipients that were removed; the same time is not older, a second less is."""
    store.keep(DOMAIN, signed_list("alice", made=NOW), KEY, NOW)
    store.keep(DOMAIN, signed_list("bob", made=NOW), KEY, NOW)

    with pytest.raises(OlderList, match=r"by 1 second$"):
        store.keep(DOMAIN, signed_list("alice", made=NOW - 1), KEY, NOW)
    assert store.keep(DOMAIN, signed_list("carol", made=NOW + AHEAD_SECONDS), KEY, NOW).made == NOW + AHEAD_SECONDS


def test_the_same_list_is_not_written_again(store: ListStore) -> None:
    """A look every few minutes wears no disk out."""
    store.keep(DOMAIN, signed_list("alice"), KEY, NOW)
    before = store.stamp(DOMAIN)
    store.keep(DOMAIN, signed_list("alice"), KEY, NOW)

    assert store.stamp(DOMAIN) == before
    store.keep(DOMAIN, signed_list("alice", made=NOW + 1), KEY, NOW)
    assert store.stamp(DOMAIN) != before


@pytest.mark.parametrize("spoiled", [b"", b"spoiled", signed_list("alice", made=NOW + 1000, by=OTHER)])
def test_what_is_of_no_use_stands_in_nobodys_way(store: ListStore, spoiled: bytes) -> None:
    """A damaged file, or one of a key that is not ours any more, is replaced by any good list."""
    store.keep(DOMAIN, signed_list("alice"), KEY, NOW)
    Path(store.path(DOMAIN)).write_bytes(spoiled)

    with pytest.raises(BadList):
        store.load(DOMAIN, KEY)
    assert store.keep(DOMAIN, signed_list("bob"), KEY, NOW) == store.load(DOMAIN, KEY)


def test_a_list_that_was_put_in_anothers_place_is_refused(store: ListStore) -> None:
    """Though it is good for its own domain."""
    other = store.keep("example.org", signed_list(domain="example.org"), KEY, NOW)
    os.rename(store.path(other.domain), store.path(DOMAIN))

    with pytest.raises(BadList, match=r"a list of example\.org"):
        store.load(DOMAIN, KEY)


def test_of_a_huge_file_little_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to see that it is too long."""
    monkeypatch.setattr("mailsuite.policy.backup_store.LIST_OCTETS", 10)
    monkeypatch.setattr(backup_list, "LIST_OCTETS", 10)
    (tmp_path / "huge").write_bytes(b"x" * 100)

    assert len(read_limited(str(tmp_path / "huge"))) == 11


def test_the_folder_is_ours_alone(store: ListStore, tmp_path: Path) -> None:
    """Nobody else puts lists there."""
    store.keep(DOMAIN, signed_list("alice"), KEY, NOW)

    assert stat.S_IMODE(os.stat(tmp_path / FOLDER).st_mode) == 0o700
