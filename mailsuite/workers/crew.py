"""The workers of a site: started, watched, started again when they die, replaced one by one.

This knows when to do what; how a process is started is its owner's to say.
"""

import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

# A worker that died is started again after so many seconds, the longer the more often it died soon after its start.
PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# A worker that has lived for so long did not die of its start, in seconds.
LIVED_SECONDS = 60.0
# A worker that does not serve so many seconds after its start never will: it is killed, and started again.
START_SECONDS = 120.0
# Beyond the time that it was given, a worker that is told to stop has so many seconds before it is killed.
MERCY_SECONDS = 20.0
# What a worker does at this signal: it takes nothing new, ends what it has begun, and is gone.
DRAIN = signal.SIGUSR2


class Worker(Protocol):
    """One process. *number* is its place in the crew."""

    number: int
    pid: int

    def signal(self, number: int) -> None:
        """Send it a signal; nothing happens where it has ended."""


class Crew:
    """*count* workers. *launch* starts one, of which `ready` and `ended` are to be told; it may raise `OSError`.

    *died* is told of each that came to a bad end, *failed* if the first ones end before one of them was ready. A
    worker that is told to stop has *grace* seconds for that, and one that is replaced *drain* seconds before these.
    """

    _log = Logger()

    def __init__(
        self,
        count: int,
        launch: Callable[[int], Worker],
        clock: IReactorTime,
        died: Callable[[Worker], None],
        failed: Callable[[], None],
        drain: float,
        grace: float,
    ) -> None:
        self._count = count
        self._launch = launch
        self._clock = clock
        self._died = died
        self._failed = failed
        self._drain = drain
        self._grace = grace
        self._stopping = False
        # Who is in its place, by number; who is to go when there is another one; who is going.
        self._placed: dict[int, Worker] = {}
        self._former: dict[int, Worker] = {}
        self._going: set[Worker] = set()
        self._ready: set[Worker] = set()
        self._launched: dict[int, float] = {}
        self._early_ends: dict[int, int] = {}
        self._timers: dict[int, IDelayedCall] = {}
        self._hung_up: set[Worker] = set()
        self._well = False
        self._stopped: Deferred[None] | None = None
        self._killing: dict[Worker, IDelayedCall] = {}
        self.complete: Deferred[None] = Deferred()

    @property
    def placed(self) -> Sequence[Worker]:
        """Those that serve, or are about to."""
        return list(self._placed.values())

    @property
    def serving(self) -> Sequence[Worker]:
        """Those that serve, and are not going."""
        return [*self._former.values(), *(worker for worker in self.placed if worker in self._ready)]

    @property
    def beginners(self) -> Sequence[Worker]:
        """Those that are about to serve."""
        return [worker for worker in self.placed if worker not in self._ready]

    @property
    def going(self) -> Sequence[Worker]:
        """Those that end what they have begun, since others are in their places."""
        return list(self._going)

    def start(self, former: Sequence[Worker] = (), going: Sequence[Worker] = ()) -> None:
        """Start all.

        Those that were here before, *former*, go one by one as soon as another one is in the place of each; *going*
        were told to go before.
        """
        self._former = {worker.number: worker for worker in former}
        for worker in going:
            self._dismiss(worker)
        self._well = bool(former)
        numbers = range(1, self._count + 1)
        for number in numbers[:1] if former else numbers:
            self._hire(number)

    def ready(self, worker: Worker) -> None:
        """*worker* serves."""
        self._well = True
        self._ready.add(worker)
        if self._stopping:
            # It was told to stop before it served, and nobody comes after it.
            return
        self._spare(worker)
        if worker in self._hung_up:
            # It may have opened its files before that.
            worker.signal(signal.SIGHUP)
        self._dismiss(self._former.pop(worker.number, None))
        if self._former or len(self._placed) < self._count:
            following = worker.number + 1
            if following <= self._count and following not in self._launched:
                self._hire(following)
        if self._all_ready():
            # There may have been more of them.
            for former in list(self._former.values()):
                self._dismiss(self._former.pop(former.number))
            if not self.complete.called:
                self.complete.callback(None)

    def ended(self, worker: Worker, well: bool, how: str) -> None:
        """*worker* is gone; *well*: as it was told to."""
        self._ready.discard(worker)
        self._hung_up.discard(worker)
        self._spare(worker)
        if not well:
            self._died(worker)
        expected = self._stopping or worker in self._going
        self._going.discard(worker)
        if self._former.get(worker.number) is worker:
            del self._former[worker.number]
        elif self._placed.get(worker.number) is worker:
            del self._placed[worker.number]
            if not self._stopping:
                self._replace_dead(worker.number)
        if not well or not expected:
            self._log.error("Worker {number}, process {pid}, {how}", number=worker.number, pid=worker.pid, how=how)
        self._look_stopped()

    def hang_up(self) -> None:
        """Have all workers open their files anew (SIGHUP)."""
        for worker in self._all():
            if worker in self._placed.values() and worker not in self._ready:
                self._hung_up.add(worker)
            else:
                worker.signal(signal.SIGHUP)

    def stop_beginners(self) -> None:
        """Have those stop that do not serve yet."""
        for worker in self.beginners:
            worker.signal(signal.SIGTERM)

    def stop(self) -> "Deferred[None]":
        """Have all workers stop now, in good order; fires when the last one is gone."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._stopping = True
        self._stopped = Deferred()
        for worker in self._all():
            worker.signal(signal.SIGTERM)
            self._kill_later(worker, self._grace)
        stopped = self._stopped
        self._look_stopped()
        return stopped

    def _hire(self, number: int) -> None:
        self._timers.pop(number, None)
        self._launched[number] = self._clock.seconds()
        try:
            worker = self._launch(number)
        except OSError as error:
            self._log.error("Worker {number} cannot be started: {reason}", number=number, reason=str(error))
            self._replace_dead(number)
        else:
            self._placed[number] = worker
            self._killing[worker] = self._clock.callLater(START_SECONDS, self._give_up, worker)

    def _give_up(self, worker: Worker) -> None:
        self._log.error(
            "Worker {number}, process {pid}, does not serve after {seconds:.0f} seconds: it is killed",
            number=worker.number, pid=worker.pid, seconds=START_SECONDS,
        )  # fmt: skip
        worker.signal(signal.SIGKILL)

    def _dismiss(self, worker: Worker | None) -> None:
        if worker is not None:
            self._going.add(worker)
            worker.signal(DRAIN)
            self._kill_later(worker, self._drain + self._grace)

    def _replace_dead(self, number: int) -> None:
        if not self._well:
            self._failed()
            return
        lived = self._clock.seconds() - self._launched[number]
        early = 0 if lived >= LIVED_SECONDS else self._early_ends.get(number, -1) + 1
        self._early_ends[number] = early
        pause = PAUSES[min(early, len(PAUSES) - 1)]
        self._timers[number] = self._clock.callLater(pause, self._hire, number)

    def _all(self) -> list[Worker]:
        return [*self._placed.values(), *self._former.values(), *self._going]

    def _all_ready(self) -> bool:
        return len(self._placed) == self._count and self._ready.issuperset(self._placed.values())

    def _kill_later(self, worker: Worker, seconds: float) -> None:
        """Kill *worker* if it does not end by itself."""
        self._spare(worker)
        self._killing[worker] = self._clock.callLater(seconds + MERCY_SECONDS, worker.signal, signal.SIGKILL)

    def _spare(self, worker: Worker) -> None:
        killing = self._killing.pop(worker, None)
        if killing is not None and killing.active():
            killing.cancel()

    def _look_stopped(self) -> None:
        if self._stopped is not None and not self._all():
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)
