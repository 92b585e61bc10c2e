"""The figures as tables, of which a console and a document are given the same."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.goals import FIGURES, Judged, judged, wanted
from benchmarks.results import OURS, OURS_BY_TWO, UNITS, Results, Spread, best, ratios, spread
from benchmarks.workloads import ALL

_DASH = "-"


@dataclass(frozen=True)
class Table:
    """Cells in words; *note* says what they mean."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def short(value: float) -> str:
    """Return *value* with three digits that count, and no more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or value == 0 else f"{value:.1e}"


def told(value: Spread | None) -> str:
    """Return a ratio and how far it goes."""
    if value is None:
        return _DASH
    if value.least == value.most:
        return short(value.median)
    return f"{short(value.median)} ({short(value.least)} to {short(value.most)})"


def workload_tables(results: Results) -> Iterator[Table]:
    """Yield a table for each workload there are samples of."""
    about = {each.name: each for each in ALL}
    for workload in results.workloads():
        peers = results.peers(workload)
        others = [peer for peer in peers if peer not in (OURS, OURS_BY_TWO)]
        beside = ["best other", "ours to it (rounds)"] if others else []
        rows = [
            [case, f"{FIGURES[figure]}, {UNITS[figure]}", *_medians(results, workload, case, figure, peers)]
            + (_best(results, workload, case, figure, others) if others else [])
            for case in results.cases(workload)
            for figure in results.figures(workload, case)
        ]
        yield Table(about[workload].title, about[workload].note, ["case", "figure", *peers, *beside], rows)


def _medians(results: Results, workload: str, case: str, figure: str, peers: Iterable[str]) -> Iterator[str]:
    for peer in peers:
        value = spread(results.by_turn(workload, case, peer, figure).values())
        yield _DASH if value is None else short(value.median)


def _best(results: Results, workload: str, case: str, figure: str, others: Sequence[str]) -> list[str]:
    peer = best(results, workload, case, figure, others)
    if peer is None:
        return [_DASH, _DASH]
    ours = results.by_turn(workload, case, OURS, figure)
    return [peer, told(ratios(ours, results.by_turn(workload, case, peer, figure)))]


def goal_table(results: Results, reached_only: bool = False) -> Table:
    """Return the goals whose cases were measured, and what became of them.

    *reached_only*: leave out those beside servers that did not take part.
    """
    titles = {each.name: each.title.partition(":")[0] for each in ALL}
    rows = [
        [titles[each.goal.workload], each.goal.case, FIGURES[each.goal.figure], each.against or _DASH,
         wanted(each.goal), told(each.reached), told(each.by_two), _verdict(each)]
        for each in judged(results)
        if each.met is not None or not reached_only
    ]  # fmt: skip
    header = ["workload", "case", "figure", "beside", "goal", "reached (rounds)", OURS_BY_TWO, ""]
    note = f"Ratios of ours to theirs, medians of the rounds; *{OURS_BY_TWO}*: the same of the suite as two processes."
    return Table("Goals", note, header, rows)


def _verdict(each: Judged) -> str:
    if each.met is None or each.reached is None:
        return "not measured"
    if each.met:
        return "met"
    if each.met_by_two:
        return f"met by {OURS_BY_TWO}"
    return f"missed by {abs(each.reached.median / each.goal.limit - 1) * 100:.0f} %"
