"""What our databases have in common: transactions that are kept whole or not at all, numbers, SQLite's complaints."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

# The largest whole number that they keep.
LARGEST = (1 << 63) - 1


class Transacting(Protocol):
    """A connection on which each statement commits for itself, unless a transaction was begun."""

    @property
    def in_transaction(self) -> bool:
        """Whether one was begun that can still be undone."""

    def execute(self, statement: str, /) -> object:
        """Run *statement*."""


@contextmanager
def transaction(connection: Transacting) -> Iterator[None]:
    """Commit durably what is done inside, or nothing of it. One such goes on at a time: others wait for their turn."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Where the disk is full or fails, SQLite may have rolled it back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's result code, without its details; that of a general error where Python itself complains."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
