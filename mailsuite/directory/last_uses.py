"""When app passwords were used last: noted at each login, written some at a time and in a thread."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.directory.backend import WriteUses
from mailsuite.directory.cache import Cache

# A use is written at most once in so many seconds for a credential; the list says how precise it is.
PRECISION_SECONDS = 600
WRITE_SECONDS = 60.0
# Credentials of which is known that they were noted a moment ago; others are noted once more.
NOTED = 100_000

_log = Logger()


class LastUses:
    """Collects uses and has *write* write them, by *run* in a thread. To be started and stopped.

    *now* gives POSIX seconds. Without *write* nothing is collected.
    """

    def __init__(
        self,
        write: WriteUses | None,
        run: Callable[[Callable[[], None]], Awaitable[None]],
        now: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        self._write = write
        self._run = run
        self._now = now
        self._noted: Cache[int, int] = Cache(NOTED)
        self._unwritten: dict[int, int] = {}
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self.flush()))
        self._loop.clock = clock
        self._looping: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Write what is noted, every `WRITE_SECONDS`."""
        self._looping = self._loop.start(WRITE_SECONDS, now=False)

    async def stop(self) -> None:
        """Write what is left."""
        if self._loop.running:
            self._loop.stop()
        if self._looping is not None:
            await self._looping
        await self.flush()

    def note(self, credential: int) -> None:
        """*credential* was used now."""
        now = int(self._now())
        if self._write is not None and abs(now - (self._noted.get(credential) or 0)) >= PRECISION_SECONDS:
            self._noted.put(credential, now)
            self._unwritten[credential] = now

    async def flush(self) -> None:
        """Write what was noted. Never raises: what cannot be written now is written the next time."""
        uses, write = self._unwritten, self._write
        if not uses or write is None:
            return
        self._unwritten = {}
        try:
            await self._run(lambda: write(uses))
        except Exception as error:
            # No login depends on it: the accounts are in use by a long command, or away.
            _log.warn("When app passwords were used cannot be written now: {reason}", reason=str(error))
            self._unwritten = {**uses, **self._unwritten}
