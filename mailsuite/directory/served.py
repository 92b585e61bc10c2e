"""Which secrets the accounts have, so that no mechanism is offered by which somebody could not log in.

Clients take the best mechanism that they see, and never try another one where it fails: so one that needs secrets is
offered once all who have a password have theirs.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailsuite.directory.backend import Backend
from mailsuite.meaning import CannotJudge

# How old what we know may be, in seconds: all accounts are looked at for it.
CHECK_SECONDS = 5.0

_log = Logger()


class Served:
    """Answers at once by what it knows, and has *backend* look again where the accounts have changed.

    Of the secrets of *kinds* alone; with *partly*, they count as there whoever has them. *seconds* tells the time.
    """

    def __init__(
        self, backend: Backend, kinds: Collection[str], partly: bool, seconds: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._kinds = frozenset(kinds)
        self._partly = partly
        self._seconds = seconds
        self._generation: int | None = None
        self._looking = False
        self._known = self._kinds if partly else frozenset[str]()
        self._looked = seconds()
        self.look()

    def __call__(self, kind: str) -> bool:
        """Say whether a mechanism that needs secrets of *kind* can be offered."""
        if kind not in self._kinds:
            return False
        if self._seconds() - self._looked >= CHECK_SECONDS:
            self.look()
        return kind in self._known

    def look(self) -> None:
        """Look whether the accounts have changed, and at them if so; to be called every `CHECK_SECONDS`.

        Else whoever comes first, long after a change, would be answered by what was before it.
        """
        if self._partly or self._looking:
            return
        self._looked = self._seconds()
        try:
            generation = self._backend.generation()
            if generation == self._generation:
                return
            found = self._backend.everybody_has(self._kinds)
        except CannotJudge:
            # Too busy, or away: what we know stays, and the next look tells.
            return
        except Exception:
            # Whatever is wrong with the accounts, looking goes on, and whoever logs in is answered for it.
            _log.failure("Which secrets the accounts have cannot be seen now")
            return
        if hasattr(found, "__await__"):
            self._looking = True
            Deferred.fromCoroutine(self._keep_later(cast(Awaitable[frozenset[str]], found), generation))
        else:
            self._known, self._generation = found, generation

    async def _keep_later(self, found: Awaitable[frozenset[str]], generation: int) -> None:
        try:
            self._known, self._generation = await found, generation
        except CannotJudge:
            return
        except Exception:
            _log.failure("Which secrets the accounts have cannot be seen now")
        finally:
            self._looking = False
