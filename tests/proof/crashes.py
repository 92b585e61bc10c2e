"""A server that is killed at one of its system calls, and the one that comes after it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Protocol, TypeVar

from tests.proof.account import Account, Findings, Terms, settle, shown
from tests.proof.calls import Call, is_promise, numbered
from tests.proof.lives import Lives, Order
from tests.proof.place import Place
from tests.proof.watching import Point, Seen, Trouble, points
from tests.proof.workload import Journal, work
from tests.system.far_end import Taken

# Threads come to their calls in an order that is chance: a life may have one less of a kind than another.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Listed:
    """A point at which a life can end; *area* is what the call is a part of, *promise* whether it makes one."""

    area: str
    point: Point
    promise: bool = False

    @property
    def label(self) -> str:
        """The call at which it is."""
        return self.point.label


@dataclass(slots=True)
class Outcome:
    """What became of one run: *what* was done, whether it came true, and what was found."""

    area: str
    what: str
    met: bool
    findings: Findings = field(default_factory=Findings)


class Runs:
    """Runs lives in one place, one after the other, and makes the account of each."""

    def __init__(self, place: Place, lives: Lives) -> None:
        self.place = place
        self.lives = lives

    def live(self, order: Order, journal: Journal) -> Seen:
        """Let peers do what they do with a server, up to its end."""
        self.lives.begin(order)
        work(self.place, journal, self.over)
        seen = self.lives.stop()
        self.place.far_ends.settle()
        return seen

    def over(self) -> bool:
        """Whether the server has come to its end."""
        return self.lives.over

    def next_life(self, order: Order) -> tuple[Seen, list[str]]:
        """Let a server work off what is left, up to its end; return what was wrong with what it showed, too."""
        self.place.forget_taken()
        self.lives.begin(order)
        wrong = settle(self.place, self.over) or self.shown()
        seen = self.lives.stop()
        self.place.far_ends.settle()
        return seen, wrong

    def shown(self) -> list[str]:
        """Return what is wrong with what the server that lives now shows."""
        return shown(self.place, self.over)

    def recover(self, journal: Journal, before: Sequence[Sequence[Taken]], terms: Terms) -> Findings:
        """Start the next server, let it work off what is left, stop it, and make the account."""
        seen, wrong = self.next_life(self.order())
        findings = Account(self.place, journal, [*before, self.place.taken()], terms).close()
        if seen.status:
            wrong.append(f"the next server ended with {seen.status}: {self.place.log[-2000:]}")
        # What went wrong with the server explains what is missing.
        findings.losses[:0] = wrong
        return findings

    def order(
        self, record: bool = False, point: Point | None = None, trouble: Trouble | None = None, twistd: bool = False
    ) -> Order:
        """Return the order of a life here."""
        return Order(str(self.place.root), record, point, trouble, twistd)


def list_points(runs: Runs) -> list[Listed]:
    """Return all points of a life that is not ended; raise where that life itself goes wrong."""
    runs.place.begin()
    journal = Journal()
    seen = runs.live(runs.order(record=True), journal)
    assert seen.status == 0, runs.place.log
    findings = runs.recover(journal, [runs.place.taken()], Terms())
    assert not findings.losses, findings.losses
    return list(_points(seen.calls))


def _points(calls: list[Call]) -> Iterator[Listed]:
    for label, number, call in numbered(calls):
        if not call.failed:
            for point in points(label, number, call):
                yield Listed(call.area, point, is_promise(call))


def crash(runs: Runs, listed: Listed, twistd: bool = False) -> Outcome:
    """Let a life end at its point, and look at everything after the next one."""
    for _ in range(_TRIES):
        runs.place.begin()
        journal = Journal()
        seen = runs.live(runs.order(point=listed.point, twistd=twistd), journal)
        findings = runs.recover(journal, [runs.place.taken()], Terms())
        outcome = Outcome(listed.area, str(listed.point), bool(seen.met), findings)
        if seen.met or findings.losses:
            break
    return outcome


class Recoveries:
    """Crashes of a server that brings in order what a crash has left: one while all kinds of mail were in hand."""

    # By then something of each kind lies in the queue, and more is coming in.
    first = Point("send SMTP 354", 9, "after")

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def list_points(self) -> list[Listed]:
        """Return all points of the life after the crash."""
        self._crash()
        seen, wrong = self._runs.next_life(self._runs.order(record=True))
        assert not wrong, wrong
        return [replace(each, area="recovery", promise=False) for each in _points(seen.calls)]

    def crash(self, listed: Listed) -> Outcome:
        """Crash, let the next life end at its point, and look at everything after the one that follows."""
        journal, first = self._crash()
        seen, _ = self._runs.next_life(self._runs.order(point=listed.point))
        findings = self._runs.recover(journal, [first, self._runs.place.taken()], Terms())
        return Outcome(listed.area, f"{self.first}, then {listed.point}", bool(seen.met), findings)

    def _crash(self) -> tuple[Journal, list[Taken]]:
        self._runs.place.begin()
        journal = Journal()
        self._runs.live(self._runs.order(point=self.first), journal)
        return journal, list(self._runs.place.taken())


class Labelled(Protocol):
    """Something that is to happen at a call."""

    @property
    def area(self) -> str:
        """What it is counted with."""

    @property
    def label(self) -> str:
        """What the call is called in all lives."""


T = TypeVar("T", bound=Labelled)


def spread(each_of: Sequence[T], dice: random.Random) -> Iterator[T]:
    """Yield all, of each area in turn, and there one of each label before the second one of any.

    So a short run has something of everything.
    """
    areas: dict[str, dict[str, list[T]]] = {}
    for each in dice.sample(each_of, len(each_of)):
        areas.setdefault(each.area, {}).setdefault(each.label, []).append(each)
    for turn in zip_longest(*map(_spread, areas.values())):
        yield from (each for each in turn if each is not None)


def _spread(by_label: dict[str, list[T]]) -> Iterator[T]:
    while by_label:
        for label, rest in list(by_label.items()):
            yield rest.pop()
            if not rest:
                del by_label[label]
