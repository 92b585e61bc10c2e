"""What a message costs in function calls: the part of the benchmarks that is the same on every machine."""

from pathlib import Path

import pytest

from benchmarks.calls import count
from benchmarks.check import CALLS_TOLERANCE, grown, read
from benchmarks.loads import sink

pytestmark = pytest.mark.system


@pytest.mark.skipif(bool(sink.missing()), reason=sink.missing())
def test_no_work_needs_more_calls_than_it_did(tmp_path: Path) -> None:
    """Where one is meant to: ``python -m benchmarks.check --record-calls`` writes the new counts down."""
    found = count(tmp_path)
    usual = read().calls

    assert found.keys() == usual.keys()
    assert grown(found, usual, CALLS_TOLERANCE) == [], f"found {found}, usually {usual}"
