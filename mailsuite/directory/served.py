"""Which secrets the accounts have, so that no mechanism is offered by which somebody could not log in.

Clients take the best mechanism that they see, and never try another one where it fails: so one that needs secrets is
offered once all who have a password have theirs.
"""

from collections.abc import Callable, Collection
from contextlib import closing
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.directory.records import Records
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.directory.threads import TooBusy

# How old what we know may be, in seconds: all accounts are looked at for it.
CHECK_SECONDS = 5.0

_log = Logger()


class Run(Protocol):
    """Runs work in another thread: `mailsuite.directory.threads.HashingThreads.run`."""

    def __call__(self, work: Callable[[], frozenset[str]]) -> "Deferred[frozenset[str]]":
        """Return what *work* returns, later."""


class Served:
    """Answers at once by what it knows, and looks again in a thread where the accounts have changed.

    Of the secrets of *kinds* alone; with *partly*, they count as there whoever has them. *seconds* tells the time.
    """

    def __init__(
        self, path: str, records: Records, kinds: Collection[str], partly: bool, run: Run, seconds: Callable[[], float]
    ) -> None:
        self._path = path
        self._records = records
        self._kinds = frozenset(kinds)
        self._partly = partly
        self._run = run
        self._seconds = seconds
        self._generation = records.generation()
        self._looked = seconds()
        self._looking = False
        self._known = self._kinds if partly else frozenset(kind for kind in kinds if records.all_have(kind))

    def __call__(self, kind: str) -> bool:
        """Say whether a mechanism that needs secrets of *kind* can be offered."""
        if kind not in self._kinds:
            return False
        if not self._partly and not self._looking and self._seconds() - self._looked >= CHECK_SECONDS:
            self._look()
        return kind in self._known

    def _look(self) -> None:
        self._looked = self._seconds()
        generation = self._records.generation()
        if generation == self._generation:
            return
        try:
            looking = self._run(self._found)
        except TooBusy:
            return
        self._looking = True
        looking.addCallbacks(self._keep, self._failed, callbackArgs=(generation,))

    def _found(self) -> frozenset[str]:
        """Look at all accounts, over a connection of this thread's own."""
        with closing(connect_for_lookups(self._path)) as connection:
            records = Records(lambda: connection)
            return frozenset(kind for kind in self._kinds if records.all_have(kind))

    def _keep(self, known: frozenset[str], generation: int) -> None:
        self._looking = False
        self._known, self._generation = known, generation

    def _failed(self, failure: Failure) -> None:
        self._looking = False
        _log.failure("Which secrets the accounts have cannot be seen now", failure)
