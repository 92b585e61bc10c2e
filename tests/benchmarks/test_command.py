"""The command line of the benchmarks."""

import pytest

from benchmarks.__main__ import plan_of, read_options
from benchmarks.peers.suite import Suite
from benchmarks.workloads.workload import Scale


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--rounds", "0"], "at least 1"),
        (["--share", "0"], "above 0"),
        (["--share", "11"], "at most 10"),
        (["--dir", "/nowhere/at/all"], "is no folder"),
        (["--only", "nothing"], "invalid choice"),
        (["--peers", "mailsuite"], "invalid choice"),
        (["--quick", "--full"], "not allowed with"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a line that says what would."""
    with pytest.raises(SystemExit):
        read_options(arguments)
    assert text in capsys.readouterr().err


def test_alone_is_the_suite_alone() -> None:
    """Nobody else is even looked for."""
    plan = plan_of(read_options(["--alone", "--quick"]))
    assert (list(plan.peers), plan.absent, plan.rounds, plan.scale) == ([Suite], {}, 1, Scale.QUICK)


def test_three_rounds_are_usual() -> None:
    """Fewer have no median."""
    assert plan_of(read_options(["--alone"])).rounds == 3
    assert plan_of(read_options(["--alone", "--rounds", "5"])).rounds == 5


def test_a_workload_that_is_named_is_run() -> None:
    """Though it is no part of the usual table."""
    plan = plan_of(read_options(["--alone", "--only", "chunking"]))
    assert [each.name for each in plan.workloads] == ["chunking"]
    assert plan.scale == Scale.FULL


def test_who_is_named_is_there_or_told_of() -> None:
    """OpenSMTPD is no part of the usual table either."""
    plan = plan_of(read_options(["--peers", "opensmtpd"]))
    assert {peer.name for peer in plan.peers} | plan.absent.keys() >= {"mailsuite", "opensmtpd"}
    assert "postfix" not in {peer.name for peer in plan.peers} | plan.absent.keys()
