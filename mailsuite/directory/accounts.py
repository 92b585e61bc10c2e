"""Everything that changes accounts, in SQLite or PostgreSQL: used by the command line, in one thread, and it waits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import TracebackType

from mailsuite.directory.aliases import Aliases
from mailsuite.directory.app_passwords import AppPasswords
from mailsuite.directory.bulk import Keep, Row, import_aliases, import_users
from mailsuite.directory.caps import Caps
from mailsuite.directory.domains import Domains
from mailsuite.directory.quotas import Quotas
from mailsuite.directory.rehearsal import rehearsal
from mailsuite.directory.rows import ImportOutcome, Rejected
from mailsuite.directory.schema import connect, trouble
from mailsuite.directory.sql import Connection
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.users import Users


class Accounts:
    """The accounts in a file or a database, open for changes: `domains`, `users`, their
    `app_passwords`, `aliases`, `quotas` and `caps`.

    Every change is one transaction, durable when the call returns, and seen by the running server within
    `mailsuite.directory.sqlite.CHECK_SECONDS`. What is refused raises an `AccountsError` and changes nothing.
    Use it in a ``with`` statement: it closes the connection, and *trouble* says in our words what the database
    complains of.
    """

    def __init__(self, connection: Connection, trouble: Callable[[], AbstractContextManager[None]]) -> None:
        self._connection = connection
        self._trouble = trouble
        self.domains = Domains(connection)
        self.users = Users(connection)
        self.aliases = Aliases(connection)
        self.app_passwords = AppPasswords(connection)
        self.quotas = Quotas(connection)
        self.caps = Caps(connection)

    @classmethod
    def open(cls, path: str, create: bool = False) -> "Accounts":
        """Open the file *path*; with *create*, make it where there is none.

        Raises `NoAccounts`, `AccountsBusy`, or `NewerSchema`, in which case the file was not touched.
        """
        return cls(connect(path, create), partial(trouble, path))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def rehearsed(self) -> Iterator["Accounts"]:
        """Yield accounts whose changes are refused as these would be, and undone at the end; others wait for it."""
        with rehearsal(self._connection) as connection:
            yield Accounts(connection, self._trouble)

    def generation(self) -> int:
        """Return the number that every change raises."""
        return SqlRecords(lambda: self._connection).generation()

    def import_users(
        self, rows: Iterable[Row], keep: Keep, hashed: Callable[[], object] = lambda: None
    ) -> Iterator[ImportOutcome]:
        """Make a user of each row (address, password); see `mailsuite.directory.bulk.import_users`."""
        return import_users(self._connection, rows, keep, hashed)

    def import_aliases(
        self, rows: Sequence[tuple[str, Sequence[str]]], looked_at: Callable[[], object], stop: bool
    ) -> list[Rejected]:
        """Make an alias of each row (address, targets); see `mailsuite.directory.bulk.import_aliases`."""
        return import_aliases(self._connection, rows, looked_at, stop)

    def __enter__(self) -> "Accounts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, Exception):
            with self._trouble():
                raise error
