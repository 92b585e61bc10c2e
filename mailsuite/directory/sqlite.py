"""The accounts file as a back end: indexed lookups on the reactor thread, which its readers never wait for writers."""

from collections.abc import Callable, Collection, Coroutine
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from mailsuite.directory.backend import Backend, Lookups, Rewrite, WriteUses
from mailsuite.directory.rewrite import Rewriter, UseWriter
from mailsuite.directory.schema import LOGIN_WAIT_SECONDS, connect, connect_for_lookups
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.threads import Run
from mailsuite.maybe import Maybe, at_once

T = TypeVar("T")

# How old an answer may be: within this time a change by a command takes effect.
CHECK_SECONDS = 0.1
# So many credentials are looked at in some 2 ms; at the start, when nobody is kept waiting yet, it may be 30 ms.
LOOKED_AT_ONCE = 2_500
LOOKED_AT_THE_START = 50_000


class SqliteBackend(SqlRecords, Backend):
    """The accounts in the file *path*. Answers at once, but for `everybody_has`, which *run* runs in a thread.

    *seconds* tells the time. Raises `sqlite3.Error` where the file cannot be read; that says nothing about the
    address.
    """

    def __init__(self, path: str, seconds: Callable[[], float], run: Run) -> None:
        super().__init__(partial(connect_for_lookups, path))
        self._path = path
        self._seconds = seconds
        self._run = run
        self._checked = float("-inf")
        self._version = self._generation = -1
        self._looked = False

    def start(self) -> None:
        """Open the file. Raises `NoAccounts` or `NewerSchema`."""
        self.generation()

    def stop(self) -> None:
        """Close the file; the next read opens it again."""
        connection = self.__dict__.pop("_connection", None)
        if connection is not None:
            connection.close()
            self._checked = float("-inf")

    def generation(self) -> int:
        """See `Backend.generation`: known anew every `CHECK_SECONDS`."""
        now = self._seconds()
        # A clock that was set back must not keep old answers alive.
        if not 0 <= now - self._checked < CHECK_SECONDS:
            # A number that differs whenever another connection has changed the file.
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._generation = super().generation()
                self._version = version
            self._checked = now
        return self._generation

    def read(self, ask: Callable[[Lookups], Coroutine[Any, Any, T]]) -> T:
        """See `Backend.read`."""
        with self.snapshot():
            return at_once(ask(self))

    def everybody_has(self, kinds: Collection[str]) -> Maybe[frozenset[str]]:
        """See `Backend.everybody_has`: at once where few are to be looked at."""
        most = LOOKED_AT_ONCE if self._looked else LOOKED_AT_THE_START
        self._looked = True
        return self._run(lambda: self._look(kinds)) if self._more_than(most) else self.held_by_all(kinds)

    def rewriter(self) -> Rewrite:
        """See `Backend.rewriter`."""
        return Rewriter(partial(connect, self._path, wait=LOGIN_WAIT_SECONDS))

    def use_writer(self) -> WriteUses:
        """See `Backend.use_writer`."""
        return UseWriter(partial(connect, self._path))

    def _more_than(self, most: int) -> bool:
        """Say whether there may be more than *most* credentials, without a look at them."""
        (last,) = self._connection.execute("SELECT max(id) FROM credentials").fetchone()
        return (last or 0) > most

    def _look(self, kinds: Collection[str]) -> frozenset[str]:
        """Look at all accounts, over a connection of this thread's own."""
        with closing(connect_for_lookups(self._path)) as connection:
            return SqlRecords(lambda: connection).held_by_all(kinds)
