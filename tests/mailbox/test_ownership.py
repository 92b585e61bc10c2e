"""Who serves a site: what the next one is told of how this one has stopped."""

from pathlib import Path

import pytest

from mailsuite.mailbox import ownership as module
from mailsuite.mailbox.ownership import Ownership
from mailsuite.mailbox.restore_mark import HalfRestored, RestoreMark
from mailsuite.mailbox.run_mark import RunMark


@pytest.fixture
def site(tmp_path: Path) -> Ownership:
    """One that is being served."""
    served = Ownership(RunMark(str(tmp_path), lambda: 0.0), str(tmp_path / "mail"), lambda: 0.0)
    served.begin()
    return served


def test_what_is_not_promised_is_on_the_disk_before_the_mark_goes(
    site: Ownership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks at the sums of mailboxes after a clean stop."""
    there: list[bool] = []
    monkeypatch.setattr(module, "sync_volume", lambda path: there.append((tmp_path / "running").exists()))

    site.end()

    assert there == [True]
    assert not (tmp_path / "running").exists()


def test_a_disk_that_fails_at_the_end(site: Ownership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop was no clean one; and the next one may serve."""

    def fail(path: str) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(module, "sync_volume", fail)
    site.end()
    next_one = RunMark(str(tmp_path), lambda: 0.0)
    next_one.take()

    assert next_one.left_behind() is not None
    next_one.release()


@pytest.mark.parametrize("text", ['{"source": "/backup"}', "[]", "damaged"])
def test_a_restore_that_was_not_finished(tmp_path: Path, text: str) -> None:
    """Nobody serves a part of the mail; the refusal says what to do, and keeps nobody from doing it."""
    (tmp_path / "restoring").write_text(text)
    mark = RunMark(str(tmp_path), lambda: 0.0)
    served = Ownership(mark, str(tmp_path / "mail"), lambda: 0.0)

    with pytest.raises(HalfRestored, match=r"run 'mailsuite restore (/backup|FOLDER)' again"):
        served.begin()
    assert not (tmp_path / "running").exists()
    mark.take()
    RestoreMark(str(tmp_path)).clear()
    mark.release()
    served.begin()
    served.end()
