"""What the accounts' SQL runs over: the little that SQLite's and PostgreSQL's connections have in common.

Statements are written once, with ``?`` for each parameter, and in what both databases understand.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


class Result(Protocol):
    """What a statement has found or done."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row, or ``None``."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """A connection on which each statement commits for itself, but within a transaction (`mailsuite.database`)."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun that can still be undone."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Result:
        """Run *statement* with *parameters* bound to it."""

    def close(self) -> None:
        """End the connection."""


@contextmanager
def undone_alone(connection: Connection) -> Iterator[None]:
    """Undo what is done inside where it raises, and nothing else of the transaction that goes on."""
    connection.execute("SAVEPOINT one")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK TO SAVEPOINT one")
        raise
    finally:
        connection.execute("RELEASE SAVEPOINT one")
