"""A rehearsal: changes that are made, refused and seen as always, and then undone, so that what would be is known."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mailsuite.directory.sql import Connection, Result

_AS_PARTS = {
    "BEGIN": ("SAVEPOINT part",),
    "BEGIN IMMEDIATE": ("SAVEPOINT part",),
    "COMMIT": ("RELEASE SAVEPOINT part",),
    "ROLLBACK": ("ROLLBACK TO SAVEPOINT part", "RELEASE SAVEPOINT part"),
}


class _Parts:
    """*connection*, in a transaction of which those that are begun over this one are parts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        """See `Connection.in_transaction`."""
        return self._connection.in_transaction

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Result:
        """See `Connection.execute`."""
        *first, last = _AS_PARTS.get(statement, (statement,))
        for each in first:
            self._connection.execute(each)
        return self._connection.execute(last, parameters)

    def close(self) -> None:
        """See `Connection.close`."""
        self._connection.close()


@contextmanager
def rehearsal(connection: Connection) -> Iterator[Connection]:
    """Yield a connection whose changes are undone at the end, and are seen by nobody else.

    Whoever else changes accounts waits for the end of it.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield _Parts(connection)
    finally:
        # Where the disk is full or fails, SQLite may have rolled it back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
