"""Importing many users: all good rows, no bad one, some hundreds to a commit."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mailsuite.directory import bulk
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.rows import Imported, Present, Rejected
from mailsuite.directory.secrets import Kept, Secrets, keeping
from mailsuite.directory.sql import Connection, Result


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
        Imported, Rejected, Present, Rejected, Rejected, Rejected, Imported,
    ]  # fmt: skip
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)]
    for reason, told in zip(
        reasons, ["not an address", "domain add", "empty password", "already"], strict=True
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

    assert [type(outcome) for outcome in again] == [Present] * 5 + [Imported]
    assert sorted(hashed) == sorted(["new", *(password for _, password in rows)])


def test_who_was_there_before(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user stays as it is; a second row for one, however far behind, an alias and a reader are no users to be."""
    monkeypatch.setattr(bulk, "ROWS_PER_COMMIT", 2)
    accounts.aliases.add("list@example.com", ["alice@example.com"])
    accounts.users.add_reader("reader@example.com", "alice@example.com")
    accounts.users.set_frozen("alice@example.com", True)
    rows = [
        (f"{name}@example.com", "secret")
        for name in ("carol", "alice", '"a b"', "dave", "carol", "list", "reader", '"a b"')
    ]

    outcomes = list(accounts.import_users(rows, lambda name, password: Kept("hash")))
    again = list(accounts.import_users(rows, lambda name, password: Kept("hash")))

    assert [type(outcome) for outcome in outcomes] == [
        Imported, Present, Imported, Imported, Rejected, Rejected, Rejected, Rejected,
    ]  # fmt: skip
    assert outcomes[1] == Present(1, accounts.users.show("alice@example.com"))
    assert [outcome.index for outcome in again if isinstance(outcome, Rejected)] == [5, 6]


class Counting:
    """A connection that counts what it is asked to do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.count = 0

    @property
    def in_transaction(self) -> bool:
        """See `Connection.in_transaction`."""
        return self._connection.in_transaction

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Result:
        """See `Connection.execute`."""
        self.count += 1
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """See `Connection.close`."""


def test_more_rows_are_no_more_statements(accounts: Accounts) -> None:
    """Each statement is a way to the database and back, and with PostgreSQL another look at the generation."""
    counts = []
    for number in range(20):
        accounts.domains.add(f"d{number}.example")
    for begin, end in ((0, 10), (10, 200)):
        counting = Counting(accounts._connection)
        rows = [(f"u{number}@d{number % 20}.example", "secret") for number in range(begin, end)]
        outcomes = list(bulk.import_users(counting, rows, lambda name, password: Kept("hash"), lambda: None))
        assert {type(outcome) for outcome in outcomes} == {Imported}
        counts.append(counting.count)
    assert counts[0] == counts[1]
    assert accounts.users.show("u150@d10.example").has_password


def test_what_has_come_meanwhile_is_left_out(path: str, accounts: Accounts) -> None:
    """Who was added while passwords were hashed is there already; so is the second of two rows for one."""

    def keep(name: str, password: str) -> Kept:
        if name.startswith("carol"):
            with Accounts.open(path) as other:
                other.users.add("dave@example.com", "other hash")
        return Kept("hash")

    rows = [(f"{name}@example.com", "secret") for name in ("carol", "dave", "erin", "Erin")]
    outcomes = list(accounts.import_users(rows, keep))

    assert [type(outcome) for outcome in outcomes] == [Imported, Rejected, Imported, Rejected]
    told = [outcome.user for outcome in outcomes if isinstance(outcome, Imported)]
    assert told == [accounts.users.show(f"{name}@example.com") for name in ("carol", "erin")]


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


def test_what_is_taken_is_found_by_an_index(accounts: Accounts) -> None:
    """Another row costs no more the more users there are: no statement of an import goes through a whole table."""
    plans: list[str] = []

    class Explaining(Counting):
        """Keeps how each question is answered."""

        def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Result:
            """See `Connection.execute`."""
            if "SELECT" in statement:
                plan = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.extend(detail for *_, detail in plan)
            return super().execute(statement, parameters)

    rows = [(f"u{number}@example.com", "secret") for number in range(100)]
    list(bulk.import_users(Explaining(accounts._connection), rows, lambda name, password: Kept("hash"), lambda: None))
    searched = [each for each in plans if each.startswith("SEARCH")]
    assert len(searched) == 7
    # (What was asked about, itself, is gone through once.)
    gone_through = [each for each in plans if each.startswith("SCAN") and "CONSTANT ROW" not in each]
    assert set(gone_through) <= {"SCAN w"}
