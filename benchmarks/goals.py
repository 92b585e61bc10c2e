"""What the suite is to reach, in one place, and whether it does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.results import MORE_IS_BETTER, OURS, OURS_BY_TWO, UNITS, Results, Spread, best, ratios, spread
from benchmarks.workloads.growth import DELIVER, FETCH, RELAY
from benchmarks.workloads.growth import case_name as grown
from benchmarks.workloads.many_accounts import FEW, USERS, serve

PYTHON = ("aiosmtpd", "twisted.mail")
POSTFIX = ("postfix",)
DOVECOT = ("dovecot",)
TWISTED = ("twisted.mail",)
SMTP = ("postfix", "exim", "opensmtpd", *PYTHON)


@dataclass(frozen=True)
class Own:
    """Another figure of the suite's own, with which one is compared."""

    case: str
    figure: str


@dataclass(frozen=True)
class Goal:
    """*figure* of *case*, as a ratio to the best of *beside*, to a figure of our own, or (None) by itself.

    It is to be at least *limit* where more is better, else at most.
    """

    workload: str
    case: str
    figure: str
    limit: float
    beside: tuple[str, ...] | Own | None


@dataclass(frozen=True)
class Judged:
    """*goal*, and what was *reached* (None: not measured), *against* whom; *by_two*: by two processes of ours."""

    goal: Goal
    reached: Spread | None
    against: str
    by_two: Spread | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is met; None: it was not measured."""
        return self._meets(self.reached)

    @property
    def met_by_two(self) -> bool | None:
        """Whether two processes meet it; None: it was not measured."""
        return self._meets(self.by_two)

    def _meets(self, reached: Spread | None) -> bool | None:
        if reached is None:
            return None
        if self.goal.figure in MORE_IS_BETTER:
            return reached.median >= self.goal.limit
        return reached.median <= self.goal.limit


def _both(workload: str, cases: Sequence[str], beside: tuple[str, ...], rate: float, cpu: float) -> list[Goal]:
    return [
        Goal(workload, case, figure, limit, beside)
        for case in cases
        for figure, limit in (("rate", rate), ("cpu", cpu))
    ]


_NEW = ("4 KiB, 20 new", "4 KiB, 100 new")
_REUSED = ("4 KiB, 20 reused", "4 KiB, 100 reused")
_ONE = ("4 KiB, 1 new", "4 KiB, 1 reused")
_LARGE = ("64 KiB, 20 reused", "1 MiB, 20 reused")
_TEN, _HUNDRED = "4 KiB, 20 reused, 10 recipients", "4 KiB, 20 reused, 100 recipients"

GOALS: Sequence[Goal] = (
    *_both("inbound", _NEW, POSTFIX, 3, 0.25),
    *_both("inbound", _NEW, PYTHON, 1.8, 0.6),
    *_both("inbound", _REUSED, POSTFIX, 4, 0.16),
    *_both("inbound", _REUSED, SMTP, 2, 0.5),
    *_both("inbound", _ONE, SMTP, 1.2, 0.8),
    *_both("inbound", _LARGE, POSTFIX, 3, 0.3),
    # What is in flight is not to lie in memory: 20 MiB more would be 1.4 times as much.
    Goal("inbound", _LARGE[1], "mib", 1.2, Own(_LARGE[0], "mib")),
    Goal("inbound", _TEN, "rate", 5, POSTFIX),
    Goal("inbound", _HUNDRED, "rate", 10, POSTFIX),
    *_both("relay", ("4 KiB, 20 reused",), POSTFIX, 2.5, 0.3),
    *_both("submission", ("logins",), SMTP, 1.3, 0.65),
    *_both("submission", ("1 message",), SMTP, 1.6, 0.5),
    *_both("submission", ("10 messages",), SMTP, 2, 0.4),
    *_both("pop3", ("logins",), DOVECOT, 2, 0.4),
    *(
        Goal("pop3", f"open {size:,}", figure, limit, beside)
        for size in (50_000, 500_000)
        for figure, limit, beside in (
            ("first", 1 / 8, DOVECOT), ("again", 1 / 50, DOVECOT), ("after_one", 3, Own(f"open {size:,}", "again")),
        )
    ),
    Goal("pop3", "read 5,000", "rate", 1.0, DOVECOT),
    Goal("pop3", "read 50,000", "rate", 1.2, DOVECOT),
    # A tenth of the 141 KiB that were found for Dovecot, and 100 octets for each of the 100 messages.
    Goal("pop3", "at rest", "kib", 14.1 + 9.8, None),
    *(Goal("idle", f"{name}, 5,000", "kib", 4, None) for name in ("SMTP", "POP3")),
    *(Goal("idle", f"{name}, 5,000", "mib", 1.2, TWISTED) for name in ("SMTP", "POP3")),
    # The ends of two orders of magnitude, and of three.
    *(
        Goal("growth", grown(work, size), "cpu", 1.25, Own(grown(work, 1000), "cpu"))
        for work in (DELIVER, FETCH, RELAY)
        for size in (100_000, 1_000_000)
    ),
    Goal("many_accounts", serve(USERS), "seconds", 1.25, Own(serve(FEW), "seconds")),
    # Caches of 20,000 addresses, and SQLite's.
    Goal("many_accounts", serve(USERS), "mib", 1.5, Own(serve(FEW), "mib")),
    Goal("many_accounts", "lookup, known", "ms", 0.1, None),
    Goal("many_accounts", "lookup, not known", "ms", 1, None),
    Goal("known_logins", "known, argon2", "core", 10, None),
    *(Goal("imports", case, "seconds", 180, None) for case in ("lines, SQLite", "JSON, SQLite", "JSON, PostgreSQL")),
)  # fmt: skip


# How the figures are called in words.
FIGURES: Mapping[str, str] = {
    "rate": "rate", "cpu": "CPU", "first": "first", "again": "again", "after_one": "after one", "kib": "each",
    "mib": "in all", "seconds": "time", "ms": "time", "without": "without", "core": "core",
}  # fmt: skip


def judge(results: Results, goal: Goal) -> Judged:
    """Say what was reached of *goal*."""
    ours = results.by_turn(goal.workload, goal.case, OURS, goal.figure)
    if goal.beside is None:
        return Judged(goal, spread(ours.values()), "")
    if isinstance(goal.beside, Own):
        others = results.by_turn(goal.workload, goal.beside.case, OURS, goal.beside.figure)
        return Judged(goal, ratios(ours, others), _own(goal, goal.beside))
    peer = best(results, goal.workload, goal.case, goal.figure, goal.beside)
    if peer is None:
        return Judged(goal, None, goal.beside[0] if len(goal.beside) == 1 else "the best other")
    theirs = results.by_turn(goal.workload, goal.case, peer, goal.figure)
    by_two = results.by_turn(goal.workload, goal.case, OURS_BY_TWO, goal.figure)
    return Judged(goal, ratios(ours, theirs), peer, ratios(by_two, theirs))


def _own(goal: Goal, own: Own) -> str:
    return f"our own {FIGURES[own.figure]}" if own.case == goal.case else f"our own {own.case}"


def wanted(goal: Goal) -> str:
    """Return the goal in a few characters."""
    sign = "≥" if goal.figure in MORE_IS_BETTER else "≤"
    return f"{sign} {goal.limit:.3g} {UNITS[goal.figure] if goal.beside is None else 'x'}"


def judged(results: Results) -> Iterator[Judged]:
    """Yield all goals whose case there are samples of."""
    there = {(sample.workload, sample.case) for sample in results.samples}
    for goal in GOALS:
        if (goal.workload, goal.case) in there:
            yield judge(results, goal)
