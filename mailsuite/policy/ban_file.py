"""The file with the bans and with the places that logins are known from: what a restart must not forget.

Commands and servers read and write it side by side. It waits for the disk. The version is SQLite's ``user_version``; a
newer one is refused.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

from mailsuite.database import transaction
from mailsuite.policy.bans import MOST, SERVER, Ban
from mailsuite.policy.known import KNOWN_SECONDS, PAIRS, Use

FILE = "bans.sqlite"
VERSION = 1
APPLICATION_ID = 0x6D736261
WAIT_SECONDS = 5.0

_TABLES = (
    # Subjects are in the form of `mailsuite.policy.bans`; without `until` a ban stands until it is removed.
    """CREATE TABLE bans (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        subject TEXT NOT NULL UNIQUE,
        until REAL,
        reason TEXT NOT NULL,
        made_by TEXT NOT NULL,
        covers TEXT NOT NULL,
        since REAL NOT NULL)""",
    """CREATE TABLE known (
        account TEXT NOT NULL,
        place TEXT NOT NULL,
        used REAL NOT NULL,
        PRIMARY KEY (account, place)) WITHOUT ROWID""",
    "CREATE INDEX known_by_use ON known (used)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_BANS = """
    SELECT number, subject, until, reason, made_by, covers, since FROM bans
    WHERE (until IS NULL OR until > ?) AND number > ? ORDER BY number LIMIT ?"""
_KNOWN = "SELECT account, place, used FROM known WHERE used >= ? ORDER BY used"
# What an operator has said is not for us to change.
_PUT = """
    INSERT INTO bans (subject, until, reason, made_by, covers, since) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (subject) DO UPDATE SET until = excluded.until, reason = excluded.reason, made_by = excluded.made_by,
    covers = excluded.covers, since = excluded.since
    WHERE made_by = 'server' OR excluded.made_by = 'operator' OR until <= excluded.since"""
_NOTE = """
    INSERT INTO known VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET used = excluded.used WHERE excluded.used > used"""
_DROP_OLDEST = """
    DELETE FROM bans WHERE made_by = ? AND number <= (SELECT number FROM bans ORDER BY number DESC LIMIT 1 OFFSET ?)"""
_DROP_UNUSED = """
    DELETE FROM known WHERE used < ? OR used < (SELECT used FROM known ORDER BY used DESC LIMIT 1 OFFSET ?)"""


class BanFileError(OSError):
    """The file cannot be used; the text says which one, why, and what to do."""


class BanFile:
    """The file *path*; each call opens it, so that any thread may call. All raise `BanFileError`."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def of(cls, state_dir: str) -> "BanFile":
        """Return the file of the site whose state is in *state_dir*."""
        return cls(os.path.join(state_dir, FILE))

    def connect(self) -> sqlite3.Connection:
        """Return a connection to the file, which is made where there is none. The caller closes it."""
        with self._trouble():
            # Only where there is none: to close a descriptor of the file would end the locks that SQLite has on it in
            # this process (POSIX), and the next command would take the log away from under our other connections.
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def bans(self, now: float) -> list[Ban]:
        """Return the bans that stand at *now*, the oldest first."""
        return [ban for _, ban in self.numbered(now)]

    def numbered(self, now: float, after: int = 0, limit: int = -1) -> list[tuple[int, Ban]]:
        """Return the bans that stand at *now* with their numbers, the oldest first: those with a number beyond
        *after*, and *limit* of them where that is given."""
        with self._trouble(), closing(self.connect()) as connection:
            return [(number, Ban(*row)) for number, *row in connection.execute(_BANS, (now, after, limit))]

    def known(self, since: float) -> list[Use]:
        """Return what was used since *since*, the oldest first."""
        with self._trouble(), closing(self.connect()) as connection:
            return [Use(*row) for row in connection.execute(_KNOWN, (since,))]

    def keep(self, bans: Sequence[Ban], uses: Sequence[Use], now: float) -> None:
        """Write *bans* and *uses*, and drop what has ended at *now* or is too much."""
        with self._writing() as connection:
            connection.execute("DELETE FROM bans WHERE until <= ?", (now,))
            connection.executemany(_PUT, map(_row, bans))
            connection.execute(_DROP_OLDEST, (SERVER, MOST))
            if uses:
                connection.executemany(_NOTE, ((use.account, use.place, use.at) for use in uses))
                connection.execute(_DROP_UNUSED, (now - KNOWN_SECONDS, PAIRS - 1))

    def remove(self, subjects: Iterable[str]) -> list[str]:
        """Remove the bans of *subjects*; return those that had one."""
        with self._writing() as connection:
            return [
                subject
                for subject in subjects
                if connection.execute("DELETE FROM bans WHERE subject = ?", (subject,)).rowcount
            ]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._trouble(), closing(self.connect()) as connection, transaction(connection):
            yield connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes with it are some seconds of bans; a crash of ours takes nothing.
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._create(connection)
        elif version != VERSION:
            raise BanFileError(
                f"{self.path} has version {version}, this mailsuite knows version {VERSION}: use the mailsuite that"
                " wrote it, or move the file away, which lifts all bans"
            )

    def _create(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            # Another process may have been quicker.
            for statement in () if tables else _TABLES:
                connection.execute(statement)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except BanFileError:
            raise
        except sqlite3.OperationalError as error:
            raise BanFileError(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise BanFileError(
                f"{self.path} cannot be used ({error}): move it away, which lifts all bans, and it is made anew"
            ) from error
        except OSError as error:
            raise BanFileError(f"{self.path}: {error.strerror}") from error


def _row(ban: Ban) -> tuple[str, float | None, str, str, str, float]:
    return ban.subject, ban.until, ban.reason, ban.by, ban.covers, ban.since
