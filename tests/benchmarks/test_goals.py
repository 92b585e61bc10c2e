"""The goals, and what counts as met."""

import pytest

from benchmarks import peers, workloads
from benchmarks.goals import GOALS, Goal, Own, judge, judged, wanted
from benchmarks.results import OURS_BY_TWO, UNITS, Spread
from benchmarks.tables import goal_table, workload_tables
from tests.benchmarks.examples import results, rounds

CASE = "4 KiB, 20 new"


def _goal(figure: str, limit: float, beside: tuple[str, ...] | Own | None = ("postfix",)) -> Goal:
    return Goal("inbound", CASE, figure, limit, beside)


@pytest.mark.parametrize(("ours", "met"), [(299.0, False), (300.0, True), (301.0, True)])
def test_a_rate_is_to_be_at_least_that(ours: float, met: bool) -> None:
    """At the limit it is met."""
    found = results(*rounds(CASE, "mailsuite", "rate", ours), *rounds(CASE, "postfix", "rate", 100.0))
    assert judge(found, _goal("rate", 3.0)).met is met


@pytest.mark.parametrize(("ours", "met"), [(24.0, True), (25.0, True), (26.0, False)])
def test_cpu_is_to_be_at_most_that(ours: float, met: bool) -> None:
    """As are times and memory."""
    found = results(*rounds(CASE, "mailsuite", "cpu", ours), *rounds(CASE, "postfix", "cpu", 100.0))
    assert judge(found, _goal("cpu", 0.25)).met is met


def test_the_median_decides() -> None:
    """The spread is told beside it."""
    found = results(
        *rounds(CASE, "mailsuite", "rate", 100.0, 400.0, 300.0), *rounds(CASE, "postfix", "rate", 100.0, 100.0, 100.0)
    )
    assert judge(found, _goal("rate", 3.0)).reached == Spread(3.0, 1.0, 4.0)


def test_the_best_of_several_is_what_counts() -> None:
    """And is named."""
    found = results(
        *rounds(CASE, "mailsuite", "rate", 100.0), *rounds(CASE, "exim", "rate", 10.0),
        *rounds(CASE, "postfix", "rate", 50.0),
    )  # fmt: skip
    judgement = judge(found, _goal("rate", 3.0, ("exim", "postfix")))
    assert (judgement.against, judgement.met) == ("postfix", False)


def test_who_is_beside_nobody_is_not_judged() -> None:
    """Neither met nor missed."""
    found = results(*rounds(CASE, "mailsuite", "rate", 100.0))
    assert judge(found, _goal("rate", 3.0)).met is None


def test_one_case_may_be_held_against_another() -> None:
    """Growth: the ends of some orders of magnitude."""
    found = results(*rounds(CASE, "mailsuite", "cpu", 130.0), *rounds("small", "mailsuite", "cpu", 100.0))
    judgement = judge(found, _goal("cpu", 1.25, Own("small", "cpu")))
    assert (judgement.against, judgement.met) == ("our own small", False)


def test_a_figure_may_stand_by_itself() -> None:
    """Memory of a connection."""
    found = results(*rounds(CASE, "mailsuite", "kib", 4.0))
    goal = _goal("kib", 4.0, None)
    assert judge(found, goal).met is True
    assert wanted(goal) == "≤ 4 KiB"


def test_the_table_says_by_how_much() -> None:
    """A goal that is missed."""
    found = results(*rounds(CASE, "mailsuite", "cpu", 300.0), *rounds(CASE, "postfix", "cpu", 1000.0))
    (row,) = (row for row in goal_table(found).rows if row[2:4] == ["CPU", "postfix"])
    assert row[4:] == ["≤ 0.25 x", "0.3", "-", "missed by 20 %"]


@pytest.mark.parametrize(("rate", "verdict"), [(3000.0, "met by 2 workers"), (2999.0, "missed by 20 %")])
def test_two_processes_may_meet_it(rate: float, verdict: str) -> None:
    """The table tells of it, and that one did not."""
    found = results(
        *rounds(CASE, "mailsuite", "rate", 2400.0),
        *rounds(CASE, OURS_BY_TWO, "rate", rate),
        *rounds(CASE, "postfix", "rate", 1000.0),
    )
    (row,) = (row for row in goal_table(found).rows if row[2:4] == ["rate", "postfix"])
    assert row[5:] == ["2.4", "3", verdict]
    assert next(table.header for table in workload_tables(found))[2:6] == [
        "mailsuite", OURS_BY_TWO, "postfix", "best other",
    ]  # fmt: skip


def test_a_look_at_ours_alone_shows_no_goals_beside_others() -> None:
    """They would be the longest part of it, and say nothing."""
    found = results(*rounds(CASE, "mailsuite", "cpu", 300.0))
    assert goal_table(found).rows
    assert goal_table(found, reached_only=True).rows == []


def test_only_what_was_measured_is_told() -> None:
    """A run of one workload is not a list of all others."""
    assert {each.goal.case for each in judged(results(*rounds(CASE, "mailsuite", "rate", 1.0)))} == {CASE}


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.workload}-{goal.case}-{goal.figure}")
def test_goals_are_about_what_is_there(goal: Goal) -> None:
    """A case that was renamed would never be judged again."""
    cases = {each.name: {case.name for case in each.all_cases()} for each in workloads.ALL}
    assert goal.case in cases[goal.workload]
    assert goal.figure in UNITS
    if isinstance(goal.beside, Own):
        assert goal.beside.case in cases[goal.workload]
    elif goal.beside is not None:
        assert set(goal.beside) <= {peer.name for peer in peers.ALL}
