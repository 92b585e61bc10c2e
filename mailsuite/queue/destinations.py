"""What a runner knows of the destinations that it works for: jobs at hand, deliveries under way, trouble.

Hosts that say nothing hold a delivery for minutes each. So destinations have a standing, and those that have not shown
that they work never get all that there is: see `SHARES`.
"""

from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice

from mailsuite.queue.schedule import FAIR, Concurrency
from mailsuite.queued import Job

# For so many seconds after the last job it is remembered how a destination is; and of so many at most.
REMEMBERED = 300.0
KNOWN = 20_000
# Until a destination has shown that it works it gets so many deliveries at a time.
UNPROVEN_DELIVERIES = 2
# Of those that work, so many are asked for by name where the others have all of their share.
LOOKED_AT = 200


class Standing(IntEnum):
    """How much is to be expected of a destination."""

    # Its last try found it in trouble, or what waits for it comes from the queue and nothing was tried yet.
    DOUBTFUL = 0
    # Only new mail is for it, and nothing was tried yet.
    NEW = 1
    # Its last try came to a verdict.
    PROVEN = 2


# (To go through the class itself takes many times longer.)
_STANDINGS = tuple(Standing)
# Which part of all deliveries, and of all jobs at hand, those of a standing and the lower ones may take together.
SHARES = {Standing.DOUBTFUL: 0.5, Standing.NEW: 0.75, Standing.PROVEN: 1.0}


@dataclass(slots=True)
class Destination:
    """One destination while there is work for it, while it is down, and for some time after.

    New mail and what was claimed from the queue get their turns one by one, so that neither waits for the other's end.
    """

    name: str
    concurrency: Concurrency
    standing: Standing = Standing.NEW
    fresh: deque[Job] = field(default_factory=deque)
    waiting: deque[Job] = field(default_factory=deque)
    # Those of another priority than 0, the highest first (RFC 6710 §5.1).
    ranked: list[Job] = field(default_factory=list)
    under_way: int = 0
    # How often in a row it was found down, and until when (POSIX seconds) nothing is tried there.
    trouble: int = 0
    down_until: float = 0.0
    # Whether anything was tried there since it is known here.
    tried: bool = False
    # Whether it stands in the row of those whose turn it is.
    in_row: bool = False
    used: float = 0.0
    _fresh_last: bool = False
    _turn: int = 0

    @property
    def has_work(self) -> bool:
        """Whether a job waits for its turn."""
        return bool(self.fresh or self.waiting or self.ranked)

    @property
    def at_hand(self) -> int:
        """How many jobs are waiting or under way."""
        return len(self.fresh) + len(self.waiting) + len(self.ranked) + self.under_way

    @property
    def free(self) -> bool:
        """Whether one more delivery may begin. One that was down is looked at by a single delivery first."""
        if self.trouble:
            return self.under_way == 0
        most = self.concurrency.limit
        return self.under_way < (most if self.standing is Standing.PROVEN else min(most, UNPROVEN_DELIVERIES))

    def pop(self) -> Job | None:
        """Take the next job."""
        if self.ranked:
            return self._pop_ranked()
        return self._pop_ordinary()

    def _pop_ranked(self) -> Job | None:
        """Take the job of the highest priority; in one turn of `FAIR`, the other way round: nobody waits for ever."""
        self._turn = (self._turn + 1) % FAIR
        last = self._turn == 0
        best = self.ranked[-1 if last else 0]
        ordinary = (self.fresh or self.waiting) and (best.message.asked.priority > 0) is last
        return self._pop_ordinary() if ordinary else self.ranked.pop(-1 if last else 0)

    def _pop_ordinary(self) -> Job | None:
        first, second = (self.waiting, self.fresh) if self._fresh_last else (self.fresh, self.waiting)
        chosen = first or second
        if not chosen:
            return None
        self._fresh_last = chosen is self.fresh
        return chosen.popleft()

    def empty(self) -> list[Job]:
        """Take all jobs that wait."""
        jobs = [*self.ranked, *self.waiting, *self.fresh]
        self.ranked.clear()
        self.waiting.clear()
        self.fresh.clear()
        return jobs


class Destinations:
    """All of them by name, and the rows in which they get their turn.

    *most* deliveries may be under way to one, *deliveries* to all of them; *window* jobs may be at hand.
    """

    def __init__(self, most: int, deliveries: int, window: int) -> None:
        self._most = most
        self._deliveries = deliveries
        self._window = window
        # In the order of their last use.
        self._known: OrderedDict[str, Destination] = OrderedDict()
        self._busy: dict[str, Destination] = {}
        self._rows: dict[Standing, deque[Destination]] = {standing: deque() for standing in Standing}
        self._turn = Standing.PROVEN
        self.under_way = dict.fromkeys(Standing, 0)
        self.at_hand = dict.fromkeys(Standing, 0)

    def get(self, name: str) -> Destination | None:
        """Return the destination if anything is known of it."""
        return self._known.get(name)

    def use(self, name: str, now: float) -> Destination:
        """Return the destination, which is used now."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Destination(name, Concurrency(self._most))
        else:
            self._known.move_to_end(name)
        found.used = now
        return found

    def busy(self) -> Iterable[Destination]:
        """Return those with jobs at hand."""
        return self._busy.values()

    def proven(self) -> Iterable[Destination]:
        """Return the last used of those that work, `LOOKED_AT` at most."""
        found = (known for known in reversed(self._known.values()) if known.standing is Standing.PROVEN)
        return islice(found, LOOKED_AT)

    def room(self, standing: Standing) -> int:
        """Return how many more jobs of a destination of *standing* may be at hand."""
        return _left(self.at_hand, standing, self._window)

    def add(self, destination: Destination, job: Job, fresh: bool) -> None:
        """Let *job* wait for its turn. *fresh*: it is new mail, and not from the queue."""
        if not fresh and not destination.tried and destination.standing is Standing.NEW:
            self.judge(destination, Standing.DOUBTFUL)
        if job.message.asked.priority:
            insort(destination.ranked, job, key=_rank)
        else:
            (destination.fresh if fresh else destination.waiting).append(job)
        self.at_hand[destination.standing] += 1
        self._busy[destination.name] = destination
        self.line_up(destination)

    def empty(self, destination: Destination) -> list[Job]:
        """Take all jobs of *destination* that wait."""
        jobs = destination.empty()
        self.at_hand[destination.standing] -= len(jobs)
        self._look_idle(destination)
        return jobs

    def judge(self, destination: Destination, standing: Standing) -> None:
        """Its standing is another one now; what it has at hand goes with it."""
        if destination.standing is standing:
            return
        for counted, count in ((self.under_way, destination.under_way), (self.at_hand, destination.at_hand)):
            counted[destination.standing] -= count
            counted[standing] += count
        destination.standing = standing
        # It stands in the row of its old standing, if in any: there it is passed over.
        destination.in_row = False
        self.line_up(destination)

    def line_up(self, destination: Destination) -> None:
        """Put *destination* at the end of its row, if it has a job to begin and is not in it."""
        if not destination.in_row and destination.free and destination.has_work:
            destination.in_row = True
            self._rows[destination.standing].append(destination)

    def next(self) -> tuple[Destination, Job] | None:
        """Take the next job, the standings and their destinations in turn; count it as under way."""
        for _ in _STANDINGS:
            self._turn = _STANDINGS[(self._turn + 1) % len(_STANDINGS)]
            if self._rows[self._turn] and _left(self.under_way, self._turn, self._deliveries) > 0:
                found = self._next_of(self._turn)
                if found is not None:
                    return found
        return None

    def _next_of(self, standing: Standing) -> tuple[Destination, Job] | None:
        row = self._rows[standing]
        while row:
            destination = row.popleft()
            if destination.standing is not standing:
                continue
            destination.in_row = False
            job = destination.pop() if destination.free else None
            if job is not None:
                destination.under_way += 1
                self.under_way[standing] += 1
                self.line_up(destination)
                return destination, job
        return None

    def ended(self, destination: Destination) -> None:
        """One delivery to *destination* is over."""
        destination.under_way -= 1
        self.under_way[destination.standing] -= 1
        self.at_hand[destination.standing] -= 1
        self._look_idle(destination)

    def _look_idle(self, destination: Destination) -> None:
        if not destination.at_hand:
            self._busy.pop(destination.name, None)

    def forget_idle(self, now: float) -> None:
        """Drop those of which nothing has to be remembered any more."""
        for _ in range(len(self._known)):
            destination = next(iter(self._known.values()))
            crowded = len(self._known) > KNOWN
            if not crowded and now - destination.used <= REMEMBERED:
                return
            if destination.at_hand or (not crowded and now - destination.down_until <= REMEMBERED):
                # It is looked at again when all others were.
                self.use(destination.name, now)
            else:
                del self._known[destination.name]


def _rank(job: Job) -> int:
    return -job.message.asked.priority


def _left(taken: dict[Standing, int], standing: Standing, most: int) -> int:
    """Return what a *standing* may take more: its share with the lower ones is not used up, nor is that of any above.

    At least one of each standing has a place, however small *most* is.
    """
    left = most
    total = 0
    for each in _STANDINGS:
        total += taken[each]
        if each >= standing:
            left = min(left, max(int(most * SHARES[each]), 1) - total)
    return left
