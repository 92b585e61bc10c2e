"""How the program is started once more, and what is looked at before."""

from pathlib import Path

import pytest

from mailsuite.workers.program import Program, program

TWISTD = {"logger": None, "syslog": False, "prefix": "twisted", "logfile": None, "nodaemon": True, "rundir": "."}


@pytest.mark.parametrize(
    ("options", "log"),
    [
        ({}, []),
        ({"logfile": "-"}, ["--logfile=-"]),
        ({"logfile": "a b.log"}, ["--logfile={here}/a b.log"]),
        ({"nodaemon": False}, ["--logfile={here}/twistd.log"]),
        ({"syslog": True}, ["--syslog", "--prefix=twisted"]),
        ({"logger": "my.own", "logfile": "x.log"}, ["--logger=my.own"]),
    ],
)
def test_it_logs_as_we_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], log: list[str]
) -> None:
    """By the options of twistd, whatever folder twistd goes to; a log that is a file is there then."""
    monkeypatch.chdir(tmp_path)
    made = program("mailsuite.toml", {**TWISTD, **options})
    made.check_log()

    assert made.log == [each.format(here=tmp_path) for each in log]
    assert made.config == f"{tmp_path}/mailsuite.toml"
    assert [path.name for path in tmp_path.iterdir()] == [
        Path(each).name for each in made.log if each.startswith("--logfile=/")
    ]


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said which."""
    path = f"{tmp_path}/nowhere/twistd.log"
    with pytest.raises(FileNotFoundError, match=r"nowhere/twistd\.log"):
        Program("x", [f"--logfile={path}"]).check_log()


def test_a_log_that_is_there_stays(tmp_path: Path) -> None:
    """What is in it, too."""
    path = tmp_path / "twistd.log"
    path.write_text("before")
    Program("x", [f"--logfile={path}"]).check_log()

    assert path.read_text() == "before"
