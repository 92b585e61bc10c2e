"""The README's commands do what it says: they are taken from its text and run, in a folder of the test's own."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from twisted.application.service import IService
from twisted.python import usage

from mailsuite.cli import main
from mailsuite.tap import Options, makeService

README = Path(__file__).parents[1] / "README.rst"


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each command line of *program* that stands in a block of the README."""
    lines = [line.strip() for line in README.read_text().splitlines() if line.startswith("    ")]
    return [shlex.split(line)[1:] for line in lines if line.split(" ")[0] == program]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of ``/srv/mail``."""
    return tmp_path_factory.mktemp("readme") / "mail"


def moved(arguments: list[str], folder: Path) -> list[str]:
    """Return *arguments* with *folder* in the place of ``/srv/mail``."""
    return [argument.replace("/srv/mail", str(folder)) for argument in arguments]


def test_a_site_is_made_as_the_readme_says(folder: Path) -> None:
    """init, user add (asked for the password twice) and check end well, in the README's order."""
    found = commands("mailsuite")
    assert [arguments[0] for arguments in found] == ["init", "user", "check"]

    for arguments in found:
        result = CliRunner().invoke(main, moved(arguments, folder), input="a good password\na good password\n")
        assert result.exit_code == 0, result.output

    (service,) = commands("twistd")
    options = Options()
    options.parent = usage.Options()
    options.parent.update({"uid": None, "nodaemon": True})
    options.parseOptions(moved(service[1:], folder))
    assert IService.providedBy(makeService(options))


def test_the_first_screen_shows_both_commands() -> None:
    """Whoever opens the README sees how to run and how to test it without scrolling."""
    first = README.read_text().splitlines()[:30]

    assert "    make run" in first
    assert "    make test" in first


def test_bad_options_are_told(folder: Path) -> None:
    """twistd's own options are strict."""
    with pytest.raises(usage.UsageError):
        Options().parseOptions(["--no-such-option"])
