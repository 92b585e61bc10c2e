"""What all workloads have in common."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from benchmarks.peers.peer import Ground, Peer


class Scale(IntEnum):
    """How much is measured: a first look, what the goals are about, or everything."""

    QUICK = 0
    CORE = 1
    FULL = 2


@dataclass(frozen=True)
class Case:
    """One line of the table. *role* is what a server must be able to do; *scale* is the first that has the case."""

    name: str
    role: str
    scale: Scale


C = TypeVar("C", bound=Case)


@dataclass(frozen=True)
class Setting:
    """How many *rounds*, how much is measured, and which *share* of the usual number of messages is sent.

    Of the cases those alone that have one of *named* in their names, if there are any.
    """

    rounds: int
    scale: Scale
    share: float = 1.0
    named: Sequence[str] = ()


class Workload(ABC, Generic[C]):
    """A kind of work. The harness makes one object of it, opens its `stage`, and asks it to `measure`."""

    name: ClassVar[str]
    title: ClassVar[str]
    # What the figures mean, below the table.
    note: ClassVar[str]
    # Each sample has servers of its own, and nobody runs beside them.
    alone: ClassVar[bool] = False
    # No other server takes part.
    ours_alone: ClassVar[bool] = False
    # Never fewer than these.
    least_rounds: ClassVar[int] = 1

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        # Who could not be started, and why.
        self.not_started: dict[str, str] = {}
        self.cases = [
            case
            for case in self.all_cases()
            if case.scale <= setting.scale and (not setting.named or any(part in case.name for part in setting.named))
        ]

    @classmethod
    @abstractmethod
    def all_cases(cls) -> Sequence[C]:
        """Return the cases of all scales."""

    @classmethod
    def missing(cls) -> str:
        """Say why it cannot be run here; empty: it can."""
        return ""

    def users(self) -> Sequence[str]:
        """Return who needs a mailbox."""
        return ()

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """Run a server of each of *peers* below *folder*, filled with what is needed."""
        with ExitStack() as stack:
            yield self.start(stack, Ground(folder, self.users()), peers)

    def start(self, stack: ExitStack, ground: Ground, peers: Sequence[type[Peer]]) -> Sequence[Peer]:
        """Run a server of each of *peers* on *ground* until *stack* is left; see `not_started`."""
        running: list[Peer] = []
        for peer in peers:
            try:
                running.append(stack.enter_context(peer(ground)))
            except (OSError, RuntimeError) as error:
                self.not_started[peer.name] = str(error)
        return running

    @abstractmethod
    def measure(self, peer: Peer, case: C, turn: int) -> dict[str, float]:
        """Measure *case* on *peer*. Raises `RuntimeError` or `OSError` if it does not do its work."""

    def messages(self, peer: Peer, usual: int) -> int:
        """Return how many messages *peer* gets where *usual* is the usual number."""
        return max(20, round(usual * self.setting.share * peer.pace))


@dataclass(frozen=True)
class Used:
    """What some work took: *seconds*, and *cpu*, the seconds of CPU of all processes of the server."""

    seconds: float
    cpu: float

    def each(self, count: int) -> dict[str, float]:
        """Return the figures of *count* equal pieces of work."""
        return {"rate": count / self.seconds, "cpu": self.cpu * 1e6 / count}


def using(peer: Peer, work: Callable[[], object]) -> Used:
    """Do *work* and return what it took."""
    cpu, began = peer.cpu(), time.monotonic()
    work()
    seconds = time.monotonic() - began
    return Used(seconds, peer.cpu() - cpu)


def wait_for(count: Callable[[], int], wanted: int, what: str, stalled: float = 20.0) -> None:
    """Return when *count* gives *wanted*. Raises `RuntimeError` when it has not risen for *stalled* seconds."""
    most, end = -1, 0.0
    while (now := count()) < wanted:
        if now > most:
            most, end = now, time.monotonic() + stalled
        elif time.monotonic() > end:
            raise RuntimeError(f"{now} of {wanted} {what}")
        time.sleep(0.02)
    if now > wanted:
        raise RuntimeError(f"{now - wanted} {what} more than were sent")
