"""W6: what one message costs while mailboxes and queues grow; it is to stay the same."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import queue_fill
from benchmarks.loads import sink
from benchmarks.loads.pop3 import retrieve_all
from benchmarks.loads.sink import Sink
from benchmarks.loads.smtp import Load, send
from benchmarks.peers.peer import POP3, Ground, Peer, address
from benchmarks.peers.suite import Suite
from benchmarks.workloads.relay import through
from benchmarks.workloads.workload import Case, Scale, Workload, using, wait_for

_MESSAGES = 2000
_FETCHED = 1000
# Sessions: one alone is too short for a clock of hundredths.
_TIMES = 3
_DAY = 86_400.0
_SIZES = {1000: Scale.QUICK, 10_000: Scale.QUICK, 100_000: Scale.CORE, 1_000_000: Scale.FULL}
DELIVER, FETCH, RELAY = "deliver into", "fetch from", "relay beside"


@dataclass(frozen=True)
class GrowthCase(Case):
    """*work*, while there are *size* messages."""

    work: str
    size: int


def case_name(work: str, size: int) -> str:
    """Return what the case is called in the table."""
    return f"{work} {size:,}"


class Growth(Workload[GrowthCase]):
    """The suite beside itself: mailboxes of one site, and a site for each size of its queue."""

    name = "growth"
    title = "W6: growth"
    note = (
        "The suite alone. *deliver into*, *fetch from*: a mailbox of so many messages (2,000 are sent, 20 connections;"
        " the first 1,000 are read, three times). *relay beside*: so many recipients wait in the queue, for another"
        " day. 4 KiB; microseconds of CPU a message, and messages a second."
    )
    ours_alone = True
    least_rounds = 5

    @classmethod
    def all_cases(cls) -> Sequence[GrowthCase]:
        """See `Workload.all_cases`."""
        return [
            GrowthCase(case_name(work, size), POP3, scale, work, size)
            for work in (DELIVER, FETCH, RELAY)
            for size, scale in _SIZES.items()
        ]

    @classmethod
    def missing(cls) -> str:
        """See `Workload.missing`."""
        return sink.missing()

    def users(self) -> Sequence[str]:
        """See `Workload.users`."""
        return list(dict.fromkeys(_user(case) for case in self.cases if case.work != RELAY))

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`: for the queue, there are more suites than the one that is given."""
        with ExitStack() as stack:
            self._sink = stack.enter_context(Sink(folder))
            self._queued: Mapping[int, Suite] = {
                case.size: stack.enter_context(self._with_queue(folder, case.size))
                for case in self.cases
                if case.work == RELAY
            }
            suite = stack.enter_context(Suite(Ground(folder, self.users(), self._sink.port)))
            for user, size in {_user(case): case.size for case in self.cases if case.work != RELAY}.items():
                suite.fill(user, size)
            yield [suite]

    def _with_queue(self, folder: Path, size: int) -> Suite:
        place = folder / f"queue{size}"
        place.mkdir()
        ground = Ground(place, (), self._sink.port)
        return Suite(ground, lambda site: queue_fill.fill(site / "queue", size, max(10, size // 100), _DAY))

    def measure(self, peer: Peer, case: GrowthCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        messages = self.messages(peer, _MESSAGES)
        user = _user(case)
        if case.work == RELAY:
            return through(self._queued[case.size], self._sink, messages, 20).each(messages)
        if case.work == FETCH:
            return using(peer, partial(_fetch, peer.pop3_port, user)).each(_FETCHED * _TIMES)
        before = peer.landed([user])

        def work() -> None:
            send(peer.smtp_port, Load(address(user), messages))
            wait_for(lambda: peer.landed([user]) - before, messages, "messages have landed")

        return using(peer, work).each(messages)


def _fetch(port: int, user: str) -> None:
    for _ in range(_TIMES):
        retrieve_all(port, user, _FETCHED)


def _user(case: GrowthCase) -> str:
    return f"{'in' if case.work == DELIVER else 'out'}{case.size}"
