"""The whole kit: what is found, what of it is done, and what comes of it, in numbers."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from tests.proof.crashes import Outcome, Recoveries, Runs, crash, list_points, spread
from tests.proof.cuts import Life
from tests.proof.faults import list_faults, meet
from tests.proof.imports import Imports
from tests.proof.lives import ROOT, Lives
from tests.proof.place import new_place

Part: TypeAlias = Literal["crashes", "recoveries", "power cuts", "faults", "imports"]
PARTS: tuple[Part, ...] = get_args(Part)
# What looks for the loss in a product that may be broken.
Search: TypeAlias = Literal["crashes", "power cuts", "imports"]
# Both ways to the disk that a site can have; each has a lane of its own.
SYNCS = ("syncfs", "fsync")
# Of so many crashes one befalls the real twistd; the others, what it runs.
_TWISTD = 25
# Told of each run as it ends.
Tell: TypeAlias = Callable[[Part, Outcome], None]


@dataclass(slots=True)
class Row:
    """What became of one kind: *found* are the places where it can happen, *hit* those where it did happen."""

    part: Part
    area: str
    found: int = 0
    hit: int = 0
    missed: int = 0
    survived: int = 0
    kept: int = 0
    twice: int = 0
    extra: int = 0
    losses: list[str] = field(default_factory=list)

    def note(self, outcome: Outcome) -> None:
        """Count one run."""
        findings = outcome.findings
        self.hit += outcome.met
        self.missed += not outcome.met
        self.survived += outcome.met and not findings.losses
        self.kept += findings.kept
        self.twice += findings.twice
        self.extra += findings.extra
        self.losses += [f"{outcome.what}: {loss}" for loss in findings.losses]


class Rows:
    """All rows of a run."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Part, str], Row] = {}

    def __iter__(self) -> Iterator[Row]:
        return iter(sorted(self._rows.values(), key=lambda row: (PARTS.index(row.part), row.area)))

    def row(self, part: Part, area: str) -> Row:
        """Return the row of one kind."""
        return self._rows.setdefault((part, area), Row(part, area))

    def of(self, part: Part) -> list[Row]:
        """Return all rows of one part."""
        return [row for row in self if row.part == part]

    @property
    def losses(self) -> list[str]:
        """All promises that were broken."""
        return [loss for row in self for loss in row.losses]


def run(counts: Mapping[Part, int], seed: int, tell: Tell = lambda part, outcome: None) -> Rows:
    """Do so many of each part, for each way to the disk, both at the same time; return what became of it."""
    rows = Rows()
    with ExitStack() as stack:
        lanes = [_lane(stack, sync) for sync in SYNCS]
        with ThreadPoolExecutor(len(lanes)) as threads:
            works = [
                threads.submit(_work, runs, counts, random.Random(f"{seed} {runs.place.sync}"), rows, tell)
                for runs in lanes
            ]
            for work in works:
                work.result()
    return rows


def search(product: Path, part: Search, seed: int) -> Outcome | None:
    """Look at a product that may be broken until a loss is found, in one part; ``None`` where none is."""
    dice = random.Random(seed)
    with ExitStack() as stack:
        for sync in SYNCS:
            runs = _lane(stack, sync, product)
            for outcome in _suspicious(runs, part, dice):
                if outcome.findings.losses:
                    return outcome
    return None


def _suspicious(runs: Runs, part: Search, dice: random.Random) -> Iterator[Outcome]:
    """Yield what becomes of each promise, and then of the rest."""
    if part == "imports":
        yield from islice(_imports(runs, dice)[1], 450)
    elif part == "crashes":
        listed = list_points(runs)
        for each in (*(each for each in listed if each.promise), *islice(spread(listed, dice), 150)):
            yield crash(runs, each)
    else:
        life = Life(runs)
        for cut in (*life.promises(), *islice(spread(life.cuts(), dice), 150)):
            outcome = life.replay(cut, dice)
            if outcome is not None:
                yield outcome


def _lane(stack: ExitStack, sync: str, product: Path = ROOT) -> Runs:
    return Runs(stack.enter_context(new_place(sync)), stack.enter_context(Lives(product)))


def _work(runs: Runs, counts: Mapping[Part, int], dice: random.Random, rows: Rows, tell: Tell) -> None:
    works = {
        "crashes": _crashes, "recoveries": _recoveries, "power cuts": _cuts, "faults": _faults, "imports": _imports,
    }  # fmt: skip
    for part in PARTS:
        count = counts.get(part, 0)
        if not count:
            continue
        areas, outcomes = works[part](runs, dice)
        for area in areas:
            rows.row(part, area).found += 1
        for outcome in islice(outcomes, count):
            rows.row(part, outcome.area).note(outcome)
            tell(part, outcome)


Work: TypeAlias = tuple[Sequence[str], Iterable[Outcome]]


def _crashes(runs: Runs, dice: random.Random) -> Work:
    listed = list_points(runs)
    chosen = enumerate(spread(listed, dice), 1)
    return [each.area for each in listed], (crash(runs, each, number % _TWISTD == 0) for number, each in chosen)


def _recoveries(runs: Runs, dice: random.Random) -> Work:
    recoveries = Recoveries(runs)
    listed = recoveries.list_points()
    return [each.area for each in listed], map(recoveries.crash, spread(listed, dice))


def _cuts(runs: Runs, dice: random.Random) -> Work:
    life = Life(runs)
    cuts = life.cuts()
    replays = (life.replay(cut, dice) for cut in (*life.promises(), *spread(cuts, dice)))
    return [cut.area for cut in cuts], (outcome for outcome in replays if outcome is not None)


def _faults(runs: Runs, dice: random.Random) -> Work:
    faults = list_faults(runs)
    return [fault.area for fault in faults], (meet(runs, fault) for fault in spread(faults, dice))


def _imports(runs: Runs, dice: random.Random) -> Work:
    """All of the above that befalls imports, in turns; the areas are what it was."""
    imports = Imports(runs.place, runs.lives)
    works = {"crashes": _crashes, "power cuts": _cuts, "faults": _faults}
    areas: list[str] = []
    outcomes: list[Iterator[Outcome]] = []
    for name, work in works.items():
        found, happened = work(imports, dice)
        areas += [name] * len(found)
        outcomes.append(_named(name, happened))
    return areas, (outcome for turn in zip_longest(*outcomes) for outcome in turn if outcome is not None)


def _named(area: str, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        yield replace(outcome, area=area)
