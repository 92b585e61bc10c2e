"""Bans and known places in memory and in their file, kept in step: what a command writes holds within a second."""

import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.interfaces import IMailLog
from mailsuite.policy.ban_file import BanFile, BanFileError
from mailsuite.policy.bans import LOGINS, MOST, SERVER, Ban, Bans
from mailsuite.policy.known import KNOWN_SECONDS, KnownPlaces, Use

# What an exchange finds in the file.
Found: TypeAlias = tuple[list[Ban], list[Use]]

# How often the file is asked whether it has changed, and how often new places are written to it, in seconds.
LOOK_SECONDS = 1.0
WRITE_SECONDS = 60.0
# What others write is read with so much overlap: their clocks and commits are not ours.
OVERLAP_SECONDS = 2 * WRITE_SECONDS

_log = Logger()


class BanSync:
    """Keeps *bans* and *known* as *file* has them, and the other way round. To be started and stopped.

    *lifted* hears of the subject of each ban that was removed before its time. *run* does work in a thread. *now*
    gives POSIX seconds.
    """

    def __init__(
        self,
        file: BanFile,
        bans: Bans,
        known: KnownPlaces,
        lifted: Callable[[str], None],
        log: IMailLog,
        run: Callable[[Callable[[], Found]], Awaitable[Found]],
        now: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        self._file = file
        self._bans = bans
        self._known = known
        self._lifted = lifted
        self._mail_log = log
        self._run = run
        self._now = now
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        # What is made and not written yet, by its subject.
        self._unwritten: dict[str, Ban] = {}
        self._written = self._read = 0.0
        self._failing = False
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self.look()))
        self._loop.clock = clock
        self._looking: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Read what there is, and keep in step from now on. Raises `BanFileError`."""
        now = self._now()
        self._connection = self._file.connect()
        self._version = self._data_version(self._connection)
        self._bans.replace(self._file.bans(now))
        self._known.learn(self._file.known(now - KNOWN_SECONDS))
        self._read = self._written = now
        self._looking = self._loop.start(LOOK_SECONDS, now=False)

    async def stop(self) -> None:
        """Write what is to be written, and close the file."""
        if self._loop.running:
            self._loop.stop()
        if self._looking is not None:
            await self._looking
            await self._exchange_or_tell()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ban(self, subject: str, seconds: float, reason: str) -> None:
        """Keep *subject* from logging in for *seconds*, from now on; it is in the file soon after."""
        now = self._now()
        ban = Ban(subject, now + seconds, reason, SERVER, LOGINS, now)
        self._bans.put(ban)
        self._unwritten[subject] = ban
        if len(self._unwritten) > MOST:
            # The file cannot be written, and has not been for long.
            del self._unwritten[next(iter(self._unwritten))]
        until = datetime.fromtimestamp(now + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._mail_log.record("ban", {"subject": subject, "until": until, "reason": reason})

    async def look(self) -> None:
        """Exchange with the file what is new on either side. Never raises."""
        due = self._now() - self._written >= WRITE_SECONDS and bool(self._known.fresh())
        if self._has_changed() or self._unwritten or due:
            await self._exchange_or_tell()

    async def _exchange_or_tell(self) -> None:
        try:
            await self._exchange()
        except BanFileError as error:
            self._complain(error)
        except Exception:
            # The next look must come whatever this one stumbled over.
            _log.failure("Bans could not be kept in step with their file")
        else:
            self._failing = False
            return
        # Whatever has changed has to be read all the same.
        self._version = -1

    async def _exchange(self) -> None:
        """Write what is new here and read what is new there, in a thread."""
        now, unwritten, fresh = self._now(), dict(self._unwritten), self._known.fresh()
        since = max(0.0, min(self._read, now) - OVERLAP_SECONDS)

        def work() -> Found:
            if unwritten or fresh:
                self._file.keep(list(unwritten.values()), fresh, now)
            return self._file.bans(now), self._file.known(since)

        bans, uses = await self._run(work)
        self._known.written(fresh)
        for subject, ban in unwritten.items():
            if self._unwritten.get(subject) is ban:
                del self._unwritten[subject]
        self._read = self._written = now
        self._known.learn(uses)
        for ban in self._bans.replace([*bans, *self._unwritten.values()]):
            self._lifted(ban.subject)
            self._mail_log.record("ban", {"subject": ban.subject, "lifted": "yes"})

    def _has_changed(self) -> bool:
        if self._connection is None:
            return False
        try:
            version = self._data_version(self._connection)
        except sqlite3.Error as error:
            self._complain(error)
            return False
        changed, self._version = version != self._version, version
        return changed

    def _data_version(self, connection: sqlite3.Connection) -> int:
        (number,) = connection.execute("PRAGMA data_version").fetchone()
        return int(number)

    def _complain(self, error: Exception) -> None:
        """Say once that bans are not kept: those in memory hold, and logins go on."""
        if not self._failing:
            self._failing = True
            _log.error("Bans are not kept in step with their file: {reason}", reason=str(error))
