"""The site's databases as files of a version: looked at, and brought up or down with a snapshot beside them."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import TypeVar

from mailsuite.backends import module
from mailsuite.config import Settings
from mailsuite.database import transaction
from mailsuite.directory import schema as accounts
from mailsuite.directory import upgrades as accounts_upgrades
from mailsuite.directory.errors import AccountsError
from mailsuite.durable import fsync_path, sync_folder
from mailsuite.queue import schema as queue
from mailsuite.queue import upgrades as queue_upgrades
from mailsuite.queue.store import DATABASE
from mailsuite.reach import present
from mailsuite.schema_steps import Change, Steps, downgrade, upgrade, version_of

T = TypeVar("T")

# How long we wait for a command that is changing the file.
WAIT_SECONDS = 10.0
# So many pages are copied between two moves of the progress bar.
_PAGES = 2000


class Unusable(Exception):
    """The file is none of ours, or cannot be changed now; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A file came from one version to another; what it was before lies in *snapshot*."""

    before: int
    after: int
    snapshot: str


@dataclass(frozen=True, slots=True)
class Database:
    """One file. *newest* is the version of this mailsuite, *finish* is done after the way up to it."""

    name: str
    path: str
    application: int
    newest: int
    steps: Steps
    finish: Change = lambda connection: None

    @property
    def where(self) -> str:
        """Where it is, for people: nothing in it is secret."""
        return self.path

    def version(self) -> int | None:
        """Return the version of the file, ``None`` where there is none. Raises `Unusable`."""
        try:
            if not present(self.path):
                return None
        except OSError as error:
            raise Unusable(f"{self.path} cannot be reached: {error.strerror}") from error
        with self._open() as connection:
            return version_of(connection)

    def make(self) -> bool:
        """Make it where there is none, if it is one that is made by this; say whether. Raises `Unusable`."""
        return False

    def upgrade(self, now: float, advance: Callable[[int, int], object]) -> Changed:
        """Bring the file up to *newest*; it is of a version in *steps*. All of it is done durably, or nothing.

        *now* (POSIX seconds) names the snapshot, *advance* hears how many of how many pages of it are left. Raises
        `Unusable`.
        """
        with self._open() as connection:
            return self._change(connection, self._up, now, advance)

    def downgrade(self, version: int, lossy: bool, now: float, advance: Callable[[int, int], object]) -> Changed:
        """Bring the file down to *version*, as `upgrade` does up. Raises `WouldLose` unless it may be *lossy*."""

        def down(connection: sqlite3.Connection) -> int:
            return downgrade(connection, self.steps, version, lossy)

        with self._open() as connection:
            return self._change(connection, down, now, advance)

    def _up(self, connection: sqlite3.Connection) -> int:
        before = upgrade(connection, self.steps)
        self.finish(connection)
        return before

    def _change(
        self,
        connection: sqlite3.Connection,
        move: Callable[[sqlite3.Connection], int],
        now: float,
        advance: Callable[[int, int], object],
    ) -> Changed:
        # In a write-ahead log what is not committed is seen by nobody else: so the snapshot has the file as it was.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        with transaction(connection):
            before = move(connection)
            after = version_of(connection)
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
            if broken is not None:
                raise Unusable(f"{self.path}: a row of {broken[0]} points at nothing; nothing was changed")
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            snapshot = f"{self.path}.v{before}-{stamp}"
            _copy(self.path, snapshot, advance)
        return Changed(before, after, snapshot)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                if application != self.application:
                    raise Unusable(f"{self.path} is not the {self.name} database of a mailsuite")
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise Unusable(f"{self.path}: {error}; nothing was changed") from error


@dataclass(frozen=True, slots=True)
class PostgresDatabase(Database):
    """Accounts in PostgreSQL: of the first version that there is for it, so there is no way up or down yet.

    *dsn* may have a password in it, and is not shown.
    """

    dsn: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """See `Database.where`: a DSN may hold a password."""
        return "the database of [postgresql] dsn"

    def version(self) -> int | None:
        """See `Database.version`."""
        found: int | None = self._asked(lambda schema: schema.version(self.dsn))
        return found

    def make(self) -> bool:
        """See `Database.make`."""
        self._asked(lambda schema: schema.create(self.dsn))
        return True

    def _asked(self, ask: Callable[[ModuleType], T]) -> T:
        try:
            return ask(module("directory.postgresql_schema"))
        except AccountsError as error:
            raise Unusable(f"{error}; nothing was changed") from error


def databases(settings: Settings) -> tuple[Database, ...]:
    """Return the databases of the site that are ours to change, whether they are there or not."""
    return (
        *_accounts(settings),
        Database(
            "queue", f"{settings.queue.path}/{DATABASE}", queue.APPLICATION_ID, queue.VERSION, queue_upgrades.STEPS
        ),
    )  # fmt: skip


def _accounts(settings: Settings) -> tuple[Database, ...]:
    if settings.directory.backend == "postgresql":
        dsn = settings.postgresql.dsn
        return (PostgresDatabase("accounts", "[postgresql] dsn", 0, accounts.VERSION, {}, dsn=dsn),)
    if settings.directory.backend != "sqlite":
        return ()
    return (
        Database(
            "accounts", settings.directory.path, accounts.APPLICATION_ID, accounts.VERSION,
            accounts_upgrades.STEPS, accounts.make_derived,
        ),
    )  # fmt: skip


def _copy(path: str, target: str, advance: Callable[[int, int], object]) -> None:
    """Copy the database as all others see it, durably, for its owner's eyes only; *target* must not be there."""
    draft = f"{target}.part"
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as copy:
            source.backup(copy, pages=_PAGES, progress=lambda status, left, total: advance(left, total))
        fsync_path(draft)
        os.link(draft, target)
    finally:
        with suppress(OSError):
            os.unlink(draft)
    sync_folder(os.path.dirname(target) or ".")
