"""What counts as a regression."""

from pathlib import Path

import pytest

from benchmarks import check, workloads
from benchmarks.calibration import calibrate
from benchmarks.check import CASES, grown, record, turns
from benchmarks.workloads.workload import Scale
from tests.benchmarks.examples import results, rounds

CASE = "4 KiB, 20 new"


@pytest.mark.parametrize(("found", "expected"), [(125.0, []), (125.1, ["a"]), (50.0, [])])
def test_at_the_tolerance_all_is_well(found: float, expected: list[str]) -> None:
    """One past it is not; less is always welcome."""
    assert grown({"a": found}, {"a": 100.0}, 1.25) == expected


def test_what_has_no_record_is_not_compared() -> None:
    """A case that is new."""
    assert grown({"new": 9.0}, {}, 1.25) == []


def test_cpu_is_told_in_turns_of_the_loop() -> None:
    """Medians; on a machine that is half as fast both are twice as much."""
    found = results(*rounds(CASE, "mailsuite", "cpu", 400.0, 500.0, 900.0), *rounds(CASE, "postfix", "cpu", 1.0))
    assert turns(found, 10e-6) == {f"inbound, {CASE}": pytest.approx(50.0)}
    assert turns(results(*rounds(CASE, "mailsuite", "cpu", 1000.0)), 20e-6) == {f"inbound, {CASE}": pytest.approx(50)}


def test_only_some_cases_are_compared() -> None:
    """Those that are steady."""
    assert turns(results(*rounds("4 KiB, 100 new", "mailsuite", "cpu", 400.0)), 1.0) == {}


def test_what_is_compared_is_measured() -> None:
    """A case that was renamed would be missed in every run."""
    cases = [(each.name, case) for each in workloads.ALL for case in each.all_cases()]
    assert {(name, case.name) for name, case in cases if case.scale == Scale.QUICK} >= CASES


def test_one_part_of_the_record_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other stays."""
    monkeypatch.setattr(check, "RECORD", tmp_path / "recorded.json")
    record(cpu={"a": 1.26}, calls={"b": 2.0})
    record(calls={"b": 3.0})

    assert check.read() == check.Record({"a": 1.3}, {"b": 3.0})


def test_the_loop_takes_time() -> None:
    """It is what all is divided by."""
    assert calibrate() > 0.0
