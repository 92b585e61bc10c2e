"""The accounts file as a back end: what takes long is done in a thread."""

from pathlib import Path
from typing import Any

import pytest

from mailsuite.directory import sqlite
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.sqlite import SqliteBackend


@pytest.mark.parametrize(("most", "most_at_first", "threads"), [(2, 2, []), (0, 1, [1, 2]), (0, 0, [1, 2, 3])])
def test_many_accounts_are_looked_at_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, most_at_first: int, threads: list[int]
) -> None:
    """Few at once, so that no client is offered what was; at the start also some more; of many, even that waits."""
    monkeypatch.setattr(sqlite, "LOOKED_AT_ONCE", most)
    monkeypatch.setattr(sqlite, "LOOKED_AT_THE_START", most_at_first)
    path = str(tmp_path / "accounts.sqlite")
    with Accounts.open(path, create=True) as accounts:
        accounts.domains.add("example.org")
        accounts.users.add("alice@example.org", "hash", {"scram-sha-256": "x"} if not threads else {})
    ran: list[int] = []

    def run(work: Any) -> Any:
        ran.append(len(ran) + 1)
        return work()

    backend = SqliteBackend(path, lambda: 0.0, run)
    found = [backend.everybody_has(["scram-sha-256"]) for _ in range(3)]
    backend.stop()
    assert found == [frozenset() if threads else frozenset({"scram-sha-256"})] * 3
    assert ran == threads
