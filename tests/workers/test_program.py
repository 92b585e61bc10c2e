"""What is looked at before another program takes our place."""

from pathlib import Path

import pytest

from mailsuite.workers.program import Program


@pytest.mark.parametrize("options", [[], ["--logfile=-"], ["--syslog", "--prefix=mail"], ["--logger=a.b"]])
def test_a_log_that_is_no_file(options: list[str]) -> None:
    """Nothing is opened."""
    Program("x", options).check_log()


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said which."""
    path = f"{tmp_path}/nowhere/twistd.log"
    with pytest.raises(FileNotFoundError, match=r"nowhere/twistd\.log"):
        Program("x", [f"--logfile={path}"]).check_log()


def test_a_log_that_can(tmp_path: Path) -> None:
    """What is in it stays, and one that is not there is made, as twistd would."""
    path, new = tmp_path / "twistd.log", tmp_path / "a new.log"
    path.write_text("before")
    Program("x", [f"--logfile={path}"]).check_log()
    Program("x", [f"--logfile={new}"]).check_log()

    assert path.read_text() == "before" and new.read_text() == ""
