"""The mark of a running service: what it says after a crash, and that one serves a site at a time."""

import os
from pathlib import Path

import pytest

from mailsuite.mailbox.run_mark import RunMark, SiteInUse

CRASH = 1_700_000_000.0


def test_the_mark_tells_an_unclean_stop(tmp_path: Path) -> None:
    """Set and not cleared, it says when the last barrier was."""
    first = RunMark(str(tmp_path), lambda: 0.0)
    assert first.left_behind() is None
    first.set()
    os.utime(tmp_path / "running", (CRASH, CRASH))

    assert RunMark(str(tmp_path), lambda: 0.0).left_behind() == CRASH
    first.clear()
    assert first.left_behind() is None


def test_a_barrier_renews_it(tmp_path: Path) -> None:
    """At most every few seconds, and it is no trouble when it is gone."""
    now = [100.0]
    mark = RunMark(str(tmp_path), lambda: now[0])
    mark.set()
    os.utime(tmp_path / "running", (CRASH, CRASH))
    mark.committed()
    renewed = mark.left_behind()
    assert renewed is not None and renewed != CRASH
    os.utime(tmp_path / "running", (CRASH, CRASH))
    now[0] += 1
    mark.committed()
    assert mark.left_behind() == CRASH
    mark.clear()
    now[0] += 100
    mark.committed()


def test_only_one_serves_a_site(tmp_path: Path) -> None:
    """A second one is refused, with what to do; after the first has ended it may."""
    first, second = RunMark(str(tmp_path), lambda: 0.0), RunMark(str(tmp_path), lambda: 0.0)
    first.take()

    with pytest.raises(SiteInUse, match="stop that one first"):
        second.take()

    first.clear()
    second.take()
    second.clear()
