"""Runs workloads: servers take turns in every round, so that a change in the machine's speed meets them all."""

import datetime
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.peers.peer import Peer
from benchmarks.peers.suite import Suite
from benchmarks.place import spread_below
from benchmarks.results import Results, Sample, Trouble
from benchmarks.workloads.workload import Case, Scale, Setting, Workload


@dataclass(frozen=True)
class Plan:
    """Which *workloads* and *peers*, for how many *rounds*, and how much; *folder* is on the disk to be measured."""

    workloads: Sequence[type[Workload[Any]]]
    peers: Sequence[type[Peer]]
    rounds: int
    scale: Scale
    share: float = 1.0
    # Parts of the names of the cases that are wanted; empty: all.
    named: Sequence[str] = ()
    folder: Path | None = None
    # Who cannot take part, and why.
    absent: Mapping[str, str] = field(default_factory=dict)


class Interrupted(BaseException):
    """A signal asked us to end."""


class Harness:
    """Carries out *plan*; *keep* is called with all there is after each sample, *told* before each with its name."""

    def __init__(self, plan: Plan, keep: Callable[[Results], None], told: Callable[[str], None]) -> None:
        self._plan = plan
        self._keep = keep
        self._told = told
        made = [kind(_setting(plan, kind)) for kind in plan.workloads if not kind.missing()]
        # Some have cases in the full table alone.
        self._workloads = [workload for workload in made if workload.cases]
        # Whoever failed in a case is not asked again.
        self._failed: set[tuple[str, str, str]] = set()
        self._results = Results("", {}, {})

    def steps(self) -> int:
        """Return how many samples there will be."""
        return sum(
            workload.setting.rounds * len(_pairs(workload, self._peers(workload), 0)) for workload in self._workloads
        )

    def run(self) -> Results:
        """Measure everything, or what there is time for until a signal comes."""
        with tempfile.TemporaryDirectory(prefix="mailsuite-bench-", dir=self._plan.folder) as made, _signals_raise():
            folder = Path(made)
            # Servers give up root, and come in here.
            folder.chmod(0o755)
            spread_below(folder)
            self._results = _begun(self._plan, folder)
            try:
                for workload in self._workloads:
                    self._run(workload, folder / workload.name)
                self._results.complete = True
            except Interrupted:
                self._told("interrupted: ending the servers")
            self._keep(self._results)
        return self._results

    def _peers(self, workload: Workload[Any]) -> Sequence[type[Peer]]:
        if workload.ours_alone:
            return [Suite]
        roles = {case.role for case in workload.cases}
        return [peer for peer in self._plan.peers if roles & peer.roles]

    def _run(self, workload: Workload[Any], folder: Path) -> None:
        peers = self._peers(workload)
        folder.mkdir()
        spread_below(folder)
        if workload.alone:
            for turn in range(workload.setting.rounds):
                for number, (case, peer) in enumerate(_pairs(workload, peers, turn)):
                    with self._stage(workload, folder / f"{turn}-{number}", [peer]) as running:
                        self._sample(workload, case, peer, running, turn)
        else:
            with self._stage(workload, folder / "all", peers) as running:
                for turn in range(workload.setting.rounds):
                    for case, peer in _pairs(workload, peers, turn):
                        self._sample(workload, case, peer, running, turn)
        # What lies there is not needed, and the disk may be small.
        shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _stage(self, workload: Workload[Any], folder: Path, peers: Sequence[type[Peer]]) -> Iterator[dict[str, Peer]]:
        folder.mkdir()
        spread_below(folder)
        self._told(f"{workload.name}: starting {', '.join(peer.name for peer in peers)}")
        with workload.stage(folder, peers) as running:
            for name, text in workload.not_started.items():
                self._results.troubles.append(Trouble(workload.name, "its start", name, 0, text))
            workload.not_started.clear()
            yield {peer.name: peer for peer in running}

    def _sample(
        self, workload: Workload[Any], case: Case, kind: type[Peer], running: dict[str, Peer], turn: int
    ) -> None:
        place = (workload.name, case.name, kind.name)
        self._told(f"{turn + 1}/{workload.setting.rounds} {workload.name}, {case.name}: {kind.name}")
        if kind.name not in running or place in self._failed:
            return
        try:
            figures = workload.measure(running[kind.name], case, turn)
        except Exception as error:
            # Whatever a client or a server comes upon spoils this sample, and no other.
            self._failed.add(place)
            self._results.troubles.append(Trouble(*place, turn, f"{type(error).__name__}: {error}"))
        else:
            self._results.samples.append(Sample(*place, turn, figures))
        self._keep(self._results)


def _setting(plan: Plan, kind: type[Workload[Any]]) -> Setting:
    rounds = plan.rounds if plan.scale == Scale.QUICK else max(plan.rounds, kind.least_rounds)
    return Setting(rounds, plan.scale, plan.share, plan.named)


def _pairs(workload: Workload[Any], peers: Sequence[type[Peer]], turn: int) -> Sequence[tuple[Case, type[Peer]]]:
    """Return who does what in round *turn*, in this order: every second round goes backwards."""
    pairs = [(case, peer) for case in workload.cases for peer in peers if case.role in peer.roles]
    return pairs if turn % 2 == 0 else pairs[::-1]


def _begun(plan: Plan, folder: Path) -> Results:
    return Results(
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        {**machine.facts(folder), "load before": machine.load()},
        {"scale": plan.scale.name.lower(), "rounds": str(plan.rounds), "share of messages": f"{plan.share:g}"},
        {peer.name: peer.version() for peer in plan.peers},
        {peer.name: "; ".join(filter(None, (peer.durable, peer.setup))) for peer in plan.peers},
        dict(plan.absent),
    )


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let the first signal to end raise `Interrupted`; further ones are not to disturb the ending."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, frame: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted

    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
