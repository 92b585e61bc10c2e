"""A transaction is kept whole or not at all, and never hides why it was given up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from mailsuite.database import primary_code, transaction


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Give a database of one empty table."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE kept (what)")
        yield connection


def test_what_fails_half_way_leaves_nothing(connection: sqlite3.Connection) -> None:
    """Not what was written before the fault either."""
    with pytest.raises(ValueError, match="half way"), transaction(connection):
        connection.execute("INSERT INTO kept VALUES (1)")
        raise ValueError("half way")

    assert connection.execute("SELECT what FROM kept").fetchall() == []
    assert not connection.in_transaction


def test_the_fault_is_told_where_sqlite_rolled_back_by_itself(connection: sqlite3.Connection) -> None:
    """As it does where the disk is full: that there is nothing to undo any more is not the news."""
    with pytest.raises(sqlite3.OperationalError, match="full"), transaction(connection):
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")


def test_python_complains_without_a_code(connection: sqlite3.Connection) -> None:
    """Text that is no UTF-8 is Python's complaint, not SQLite's: it counts as an error like others."""
    with pytest.raises(sqlite3.OperationalError) as complaint:
        connection.execute("SELECT CAST(X'ff40' AS TEXT)").fetchall()

    assert primary_code(complaint.value) == sqlite3.SQLITE_ERROR
