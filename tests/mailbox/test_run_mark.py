"""The mark of a running service: what it says after a crash, and that one serves a site at a time."""

import os
import stat
from pathlib import Path

import pytest

from mailsuite.mailbox.run_mark import NotOurs, RunMark, SiteInUse
from tests.kept_out import hand_over, kept_out, open_folder

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


def test_a_folder_of_somebody_else_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tried, who owns it, and what may be done: as where twistd was given another user."""
    with open_folder() as folder:
        owner = folder.owner()
        with kept_out(folder) as who, monkeypatch.context() as patched:
            if os.geteuid() == os.stat(folder).st_uid:
                # Who is not root can be nobody else in earnest.
                patched.setattr(os, "geteuid", lambda: 54321)
                who = "number 54321"
            with pytest.raises(NotOurs) as told:
                RunMark(str(folder), lambda: 0.0).take()

    assert str(told.value) == (
        f"the user {who} may not write in state_dir {folder}, which belongs to {owner}: run as that user"
        f" (twistd --uid), or give all in it to {who}"
    )


def test_a_folder_that_cannot_be_got_to_is_told_so() -> None:
    """It is another folder that keeps us out."""
    with open_folder() as folder:
        (folder / "closed" / "site").mkdir(parents=True)
        hand_over(folder / "closed" / "site")
        with kept_out(folder / "closed") as who, pytest.raises(NotOurs) as told:
            RunMark(str(folder / "closed" / "site"), lambda: 0.0).take()

    assert str(told.value).startswith(f"state_dir {folder}/closed/site cannot be reached: the user {who} may not pass")


def test_a_folder_that_is_shared_is_nobody_else_s() -> None:
    """Whoever may write there may serve, whosever it is."""
    with open_folder() as folder:
        folder.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
        mark = RunMark(str(folder), lambda: 0.0)
        mark.take()
        mark.release()
