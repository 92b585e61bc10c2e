"""The durability barrier: one sync for all messages in flight (docs/architecture.rst, "Durability").

A batch forms by itself, while the previous sync runs and in a few turns of the reactor (`mailsuite.gathering`); no
clock is waited for. The committer is a thread that is woken once a batch: each wake costs a fight for the
interpreter's lock. What is synced is decided by the file system: `syncfs` where it is known to report errors and to
be cheap, else every file and every folder.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from statistics import median
from threading import Thread
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from mailsuite.counted import counted
from mailsuite.gathering import Gathering
from mailsuite.mailbox.maildir import Receipt

# In place only where a sync takes less than this: the reactor must not wait for a slow disk.
IN_PLACE_SECONDS = 0.003
# For so many turns others are waited for. With fewer, batches are small; with eight, all of 20 clients have sent what
# they can and wait for their sync (docs/performance.rst, "Where the time goes").
TURNS = 5


class CommitReactor(IReactorFromThreads, IReactorTime):
    """What the barrier needs of a reactor."""


class Sync(Protocol):
    """Makes receipts durable; called in one thread at a time."""

    def sync(self, receipts: Sequence[Receipt]) -> None:
        """Return when content and names are durable. Raises `OSError`."""

    def close(self) -> None:
        """Free what was held."""


@dataclass(slots=True)
class _Commit:
    """One caller's receipts on their way to the disk."""

    receipts: Sequence[Receipt]
    done: "Deferred[None]"


class Barrier:
    """Commits receipts in groups.

    *lone* says whether only one session is open: then, and while syncs are quick, it is done in place. *seconds* is
    a monotonic clock. *committed* is called in the committer's thread after each sync that succeeded.
    """

    _log = Logger()

    def __init__(
        self,
        sync: Sync,
        reactor: CommitReactor,
        lone: Callable[[], bool],
        seconds: Callable[[], float],
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._sync = sync
        self._reactor = reactor
        self._lone = lone
        self._seconds = seconds
        self._committed = committed
        self._gathering = Gathering(reactor, TURNS, lambda: not lone(), self._hand_over)
        self._queue: SimpleQueue[list[_Commit] | None] = SimpleQueue()
        self._recent: deque[float] = deque(maxlen=15)
        self._waiting: list[_Commit] = []
        self._busy = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the committer; to be called once the process has its final identity."""
        self._thread = Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Commit what was asked for, then end the committer. Blocks for that long."""
        if self._thread is not None:
            if self._waiting:
                self._hand_over()
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._sync.close()

    def commit(self, receipts: Sequence[Receipt]) -> "Deferred[None] | None":
        """Make *receipts* durable: ``None`` when they are already. Raises, or fails with, `OSError`."""
        if not self._busy and self._quick() and self._lone():
            self._timed_sync(receipts)
            return None
        commit = _Commit(receipts, Deferred())
        self._waiting.append(commit)
        if not self._busy:
            self._busy = True
            self._gathering.start()
        return commit.done

    def _quick(self) -> bool:
        return bool(self._recent) and median(self._recent) < IN_PLACE_SECONDS

    def _timed_sync(self, receipts: Sequence[Receipt]) -> None:
        began = self._seconds()
        self._sync.sync(receipts)
        self._recent.append(self._seconds() - began)
        self._committed()

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting, []
        self._queue.put(batch)

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            error: OSError | None = None
            try:
                self._timed_sync([receipt for commit in batch for receipt in commit.receipts])
            except OSError as caught:
                messages = counted(len(batch), "message")
                self._log.error("The disk refused {messages}: {reason}", messages=messages, reason=str(caught))
                error = caught
            except Exception as caught:
                # The committer must never die: nobody would get an answer again.
                self._log.failure("The barrier failed")
                error = OSError(f"The barrier failed: {caught!r}")
            self._reactor.callFromThread(self._settle, batch, error)

    def _settle(self, batch: list[_Commit], error: OSError | None) -> None:
        """In the reactor: tell everybody. A failed sync fails its whole batch and is never tried again."""
        if self._waiting:
            self._gathering.start()
        else:
            self._busy = False
        for commit in batch:
            if error is None:
                commit.done.callback(None)
            else:
                commit.done.errback(error)
