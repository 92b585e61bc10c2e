"""What a runner knows of the destinations that it works for: jobs at hand, deliveries under way, trouble."""

from collections import deque
from dataclasses import dataclass, field

from mailsuite.queue.schedule import Concurrency
from mailsuite.queued import Job

# For so many seconds after the last job it is remembered how much a destination takes.
REMEMBERED = 300.0


@dataclass(slots=True)
class Destination:
    """One destination while there is work for it, while it is down, and for some time after."""

    name: str
    concurrency: Concurrency
    waiting: deque[Job] = field(default_factory=deque)
    under_way: int = 0
    # How often in a row it was found down, and until when (POSIX seconds) nothing is tried there.
    trouble: int = 0
    down_until: float = 0.0
    # Whether anything was tried there since it is known here.
    tried: bool = False
    # Whether it stands in the row of those whose turn it is.
    in_row: bool = False
    used: float = 0.0

    @property
    def at_hand(self) -> int:
        """How many jobs are waiting or under way."""
        return len(self.waiting) + self.under_way

    @property
    def free(self) -> bool:
        """Whether one more delivery may begin. One that was down is looked at by a single delivery first."""
        return self.under_way < (1 if self.trouble else self.concurrency.limit)


class Destinations:
    """All of them by name, and the row in which they get their turn. *most* deliveries may be under way to one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, Destination] = {}
        self._row: deque[Destination] = deque()

    def __getitem__(self, name: str) -> Destination:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Destination(name, Concurrency(self._most))
        return found

    def get(self, name: str) -> Destination | None:
        """Return the destination if anything is known of it."""
        return self._known.get(name)

    def known(self) -> list[Destination]:
        """Return all of which anything is known."""
        return list(self._known.values())

    def line_up(self, destination: Destination) -> None:
        """Put *destination* at the end of the row, if it has a job to begin and is not in it."""
        if destination.waiting and destination.free and not destination.in_row:
            destination.in_row = True
            self._row.append(destination)

    def next(self) -> Job | None:
        """Take the next job, each destination in its turn; count it as under way."""
        while self._row:
            destination = self._row.popleft()
            destination.in_row = False
            if destination.waiting and destination.free:
                job = destination.waiting.popleft()
                destination.under_way += 1
                self.line_up(destination)
                return job
        return None

    def forget_idle(self, now: float) -> None:
        """Drop those of which nothing has to be remembered any more."""
        for destination in self.known():
            gone = now - max(destination.used, destination.down_until) > REMEMBERED
            if gone and not destination.at_hand:
                del self._known[destination.name]
