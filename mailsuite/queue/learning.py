"""What deliveries tell about a destination: that it works, that it is in trouble, that it is down and for how long."""

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from mailsuite.interfaces import IRouter
from mailsuite.outcome import Deferred, Outcome
from mailsuite.queue.concluding import OWN_TROUBLE
from mailsuite.queue.destinations import Destination, Destinations, Standing
from mailsuite.queue.schedule import Backoff
from mailsuite.queued import LOCAL, Job


class Learning:
    """Judges *destinations* by what became of jobs.

    *backoff* says how long one that is down is left alone; *probe* (seconds) is the longest for the primary of a
    domain that we back up. *returned* is called with the name of such a primary when it works again. *now* gives POSIX
    time, *chance* a number from 0 up to 1.
    """

    _log = Logger()

    def __init__(
        self,
        destinations: Destinations,
        router: IRouter,
        backoff: Backoff,
        probe: float,
        returned: Callable[[str], None],
        now: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._destinations = destinations
        self._router = router
        self._backoff = backoff
        self._probe = probe
        self._returned = returned
        self._now = now
        self._chance = chance

    def learn(self, job: Job, destination: Destination, outcomes: Sequence[Outcome | None]) -> Deferred | None:
        """Learn from *outcomes* how *destination* is; return its trouble if it is down, to be put off as a whole."""
        if not any(outcomes):
            return None
        trouble = next((each for each in outcomes if isinstance(each, Deferred) and each.whole), None)
        if trouble is None:
            self._works(job, destination)
            return None
        destination.tried = True
        self._destinations.judge(destination, Standing.DOUBTFUL)
        if not destination.concurrency.failed(destination.under_way):
            return None
        self._is_down(job, destination)
        return trouble

    def _works(self, job: Job, destination: Destination) -> None:
        returned = destination.trouble > 0 or (not destination.tried and _was_down(job))
        destination.tried = True
        destination.trouble = 0
        destination.down_until = 0.0
        destination.concurrency.succeeded()
        self._destinations.judge(destination, Standing.PROVEN)
        if returned and self._is_backed_up(job):
            # Its mail flows now, whatever time each message had of its own.
            self._returned(destination.name)

    def _is_down(self, job: Job, destination: Destination) -> None:
        if destination.down_until > self._now():
            # One more of those that were under way when it went down: that is one outage, not several.
            return
        destination.trouble += 1
        wait = self._backoff.wait(destination.trouble, self._chance())
        if self._is_backed_up(job):
            wait = min(wait, self._probe)
        if destination.name == LOCAL:
            # Our own disk: nobody is spared by waiting longer.
            wait = min(wait, OWN_TROUBLE)
        destination.down_until = self._now() + wait

    def _is_backed_up(self, job: Job) -> bool:
        try:
            return self._router.route(job.recipients[0].address, job.message.reverse_path).backup
        except Exception:
            # The accounts cannot be read now: what is known of the job must be recorded all the same.
            self._log.failure("It could not be found out whether we back up {name}", name=job.destination)
            return False


def _was_down(job: Job) -> bool:
    """Whether what was last known of the job's destination is that it was in trouble."""
    last = job.recipients[0].last
    return isinstance(last, Deferred) and last.whole
