"""Importing many users: all good rows, no bad one, some hundreds to a commit."""

import threading
from pathlib import Path

import pytest

from mailsuite.directory import bulk
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.rows import Imported, Rejected
from mailsuite.directory.secrets import Kept, Secrets, keeping


def test_good_rows_are_imported_and_bad_ones_named(accounts: Accounts, passwords: Passwords) -> None:
    """Each row has its own outcome, in order; the reason says what was wrong with it."""
    rows = [
        ("carol@example.com", "secret"),
        ("dave", "secret"),
        ("alice@example.com", "secret"),
        ("erin@example.net", "secret"),
        ("frank@example.com", ""),
        ("Carol@example.com", "other"),
        ("grace@example.com", "pass:word "),
    ]
    looked_at: list[int] = []

    outcomes = list(accounts.import_users(rows, keeping(passwords, Secrets()), lambda: looked_at.append(1)))

    assert [outcome.index for outcome in outcomes] == list(range(len(rows)))
    assert [type(outcome) for outcome in outcomes] == [
        Imported, Rejected, Rejected, Rejected, Rejected, Rejected, Imported,
    ]  # fmt: skip
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)]
    for reason, told in zip(
        reasons, ["not an address", "already", "domain add", "empty password", "already"], strict=True
    ):
        assert told in reason
    assert len(looked_at) == len(rows)
    assert accounts.users.show("grace@example.com").has_password


def test_rows_are_durable_when_they_are_told(
    path: str, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are committed in groups: what was yielded is there for everybody, what comes later is not yet."""
    monkeypatch.setattr(bulk, "ROWS_PER_COMMIT", 3)
    rows = [(f"u{number}@example.com", "secret") for number in range(7)]

    with Accounts.open(path) as other:
        seen = []
        for _ in accounts.import_users(rows, lambda name, password: Kept("hash")):
            seen.append(sum(user.name.startswith("u") for user in other.users.list()))

    assert seen == [3, 3, 3, 6, 6, 6, 7]


def test_an_import_can_be_run_again_at_no_cost(accounts: Accounts) -> None:
    """Rows of users that are there already are not hashed a second time."""
    hashed: list[str] = []

    def keep(name: str, password: str) -> Kept:
        hashed.append(password)
        return Kept("hash")

    rows = [(f"u{number}@example.com", f"secret {number}") for number in range(5)]
    list(accounts.import_users(rows, keep))
    again = list(accounts.import_users([*rows, ("new@example.com", "new")], keep))

    assert [type(outcome) for outcome in again] == [Rejected] * 5 + [Imported]
    assert sorted(hashed) == sorted(["new", *(password for _, password in rows)])


def test_hashing_does_not_hold_the_accounts(path: str, accounts: Accounts) -> None:
    """Another command may change accounts while passwords are being hashed, in other threads."""
    threads: set[str] = set()

    def keep(name: str, password: str) -> Kept:
        threads.add(threading.current_thread().name)
        with Accounts.open(path) as other:
            other.users.set_suspended("bob@example.com", True)
        return Kept("hash")

    outcomes = list(accounts.import_users([("carol@example.com", "secret")], keep))

    assert [type(outcome) for outcome in outcomes] == [Imported]
    assert threading.main_thread().name not in threads


def test_nothing_to_import_is_nothing_done(accounts: Accounts, tmp_path: Path) -> None:
    """No rows, no change."""
    before = accounts.generation()

    assert list(accounts.import_users([], lambda name, password: Kept("hash"))) == []
    assert accounts.generation() == before
