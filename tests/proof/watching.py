"""What is done at the calls of a server: written down, made its last, or refused."""

import errno
import time
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.proof.calls import WRITES, Call, finish, read_call
from tests.proof.ptrace import Stop

Moment: TypeAlias = Literal["before", "after", "half"]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a life is to end: *moment* of the call *label*, the *number*-th of them. Half of a write may be done."""

    label: str
    number: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} {self.label} {self.number}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong: each call *label* from the *first*-th up to the *last*-th fails with *error*."""

    label: str
    error: int
    first: int = 1
    last: int = 1 << 30

    def __str__(self) -> str:
        many = "" if self.last == self.first else f" to {self.last}" if self.last < 1 << 30 else " and all after it"
        return f"{errno.errorcode[self.error]} at {self.label} {self.first}{many}"


@dataclass(slots=True)
class Seen:
    """What became of a watched life: its *calls* (of a life that was written down) and whether the plan came true."""

    status: int = 0
    calls: list[Call] = field(default_factory=list)
    met: int = 0


class Watch:
    """Counts all calls that matter in the site *root*; keeps them with *record*; ends, or troubles, the process."""

    def __init__(self, root: str, record: bool, point: Point | None, trouble: Trouble | None) -> None:
        self._root = root
        self._record = record
        self._point = point
        self._trouble = trouble
        self._counts: dict[str, int] = {}
        self._under_way: dict[int, tuple[Call, bool, bool]] = {}
        self._clock = 0
        self.seen = Seen()

    def __call__(self, stop: Stop, over: bool) -> bool:
        """See `ptrace.Watcher`."""
        self._clock += 1
        if over:
            self._ended(stop)
            return False
        call = read_call(stop, self._root)
        if call is None:
            return False
        number = self._counts[call.label] = self._counts.get(call.label, 0) + 1
        call.began = self._clock
        call.at = time.monotonic()
        last = self._is_last(stop, call, number)
        refused = self._is_refused(call, number)
        if refused:
            stop.refuse()
        if self._record:
            self.seen.calls.append(call)
        if not (self._record or last or refused):
            return False
        self._under_way[stop.tid] = (call, last, refused)
        return True

    def _is_last(self, stop: Stop, call: Call, number: int) -> bool:
        point = self._point
        if point is None or (call.label, number) != (point.label, point.number):
            return False
        self.seen.met += 1
        if point.moment == "before":
            stop.kill()
        elif point.moment == "half":
            stop.shorten(max(1, len(call.data) // 2))
        return True

    def _is_refused(self, call: Call, number: int) -> bool:
        trouble = self._trouble
        if trouble is None or call.label != trouble.label or not trouble.first <= number <= trouble.last:
            return False
        self.seen.met += 1
        return True

    def _ended(self, stop: Stop) -> None:
        call, last, refused = self._under_way.pop(stop.tid)
        call.ended = self._clock
        if last:
            stop.kill()
            return
        if refused:
            assert self._trouble is not None
            stop.answer(self._trouble.error)
        if self._record:
            finish(call, stop)


def points(label: str, number: int, call: Call) -> list[Point]:
    """Return the points at which a life can end at one call."""
    moments: tuple[Moment, ...] = ("before", "after")
    if call.name in WRITES and len(call.data) > 1:
        moments = ("before", "half", "after")
    return [Point(label, number, moment) for moment in moments]
