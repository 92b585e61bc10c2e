"""What was measured: samples, and the file that they are kept in."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

# The suite's name as a peer; all others are compared with it.
OURS = "mailsuite"
# The suite again, as two processes; not one of the others either.
OURS_BY_TWO = "2 workers"
# What the figures of a sample are called, in which unit, and for which more is better.
UNITS = {
    "rate": "/s",
    "cpu": "us",
    "first": "s",
    "again": "s",
    "after_one": "s",
    "kib": "KiB",
    "mib": "MiB",
    "seconds": "s",
    "ms": "ms",
    "without": "us",
    "core": "%",
}
MORE_IS_BETTER = frozenset({"rate"})
_FORMAT = 1


class BadResults(Exception):
    """A file that holds no results of this harness; the text says what is wrong."""


class Sample(msgspec.Struct, frozen=True):
    """The *figures* of one case of a workload, on one peer, in round *turn*."""

    workload: str
    case: str
    peer: str
    turn: int
    figures: dict[str, float]


class Trouble(msgspec.Struct, frozen=True):
    """What kept a sample from being taken."""

    workload: str
    case: str
    peer: str
    turn: int
    text: str


class Results(msgspec.Struct):
    """One run: *facts* about the machine, *versions* and *settings* of the peers, *absent* peers and why."""

    made: str
    facts: dict[str, str]
    plan: dict[str, str]
    versions: dict[str, str] = {}
    settings: dict[str, str] = {}
    absent: dict[str, str] = {}
    samples: list[Sample] = []
    troubles: list[Trouble] = []
    complete: bool = False
    format: int = _FORMAT

    def write(self, path: Path) -> None:
        """Write the file anew, whole or not at all."""
        made = path.with_name(path.name + ".part")
        made.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        os.replace(made, path)

    def workloads(self) -> list[str]:
        """Return the names of the workloads there are samples of, in the order in which they ran."""
        return list(dict.fromkeys(sample.workload for sample in self.samples))

    def cases(self, workload: str) -> list[str]:
        """Return the cases of *workload*, in the order in which they ran."""
        return list(dict.fromkeys(sample.case for sample in self.samples if sample.workload == workload))

    def peers(self, workload: str, case: str | None = None) -> list[str]:
        """Return who took part, ours first."""
        names = {each.peer: None for each in self.samples if each.workload == workload and case in (None, each.case)}
        return sorted(names, key=lambda name: (name != OURS, name != OURS_BY_TWO))

    def by_turn(self, workload: str, case: str, peer: str, figure: str) -> dict[int, float]:
        """Return the values of *figure*, by the round."""
        return {
            sample.turn: sample.figures[figure]
            for sample in self.samples
            if (sample.workload, sample.case, sample.peer) == (workload, case, peer) and figure in sample.figures
        }

    def figures(self, workload: str, case: str) -> list[str]:
        """Return which figures there are of *case*."""
        samples = [each for each in self.samples if (each.workload, each.case) == (workload, case)]
        return list(dict.fromkeys(name for each in samples for name in each.figures))


def read(path: Path) -> Results:
    """Return what *path* holds. Raises `BadResults` or `OSError`."""
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.DecodeError as error:
        raise BadResults(f"{path} holds no results of benchmarks: {error}") from error
    if results.format != _FORMAT:
        raise BadResults(f"{path} has format {results.format}; this reads {_FORMAT}")
    return results


class Spread(msgspec.Struct, frozen=True):
    """The *median* of some values, and the *least* and the *most* of them."""

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread | None:
    """Return the spread of *values*; None: there are none."""
    kept = list(values)
    return Spread(median(kept), min(kept), max(kept)) if kept else None


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """Return the spread of ours to theirs, round by round: what slows a round slows both."""
    return spread(ours[turn] / theirs[turn] for turn in ours if theirs.get(turn))


def best(results: Results, workload: str, case: str, figure: str, among: Sequence[str]) -> str | None:
    """Return who of *among* has the best median of *figure*; None: nobody has any."""
    values = {peer: spread(results.by_turn(workload, case, peer, figure).values()) for peer in among}
    medians = {peer: value.median for peer, value in values.items() if value is not None}
    if not medians:
        return None
    choose = max if figure in MORE_IS_BETTER else min
    return choose(medians, key=medians.__getitem__)
