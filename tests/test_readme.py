"""The README's commands do what it says: they are taken from its text and run, in a folder of the test's own."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from twisted.application.service import IService
from twisted.python import usage

from mailsuite.cli import main
from mailsuite.tap import Options, makeService
from tests.commands import commands, moved

README = Path(__file__).parents[1] / "README.rst"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of ``/srv/mail``."""
    return tmp_path_factory.mktemp("readme") / "mail"


def test_a_site_is_made_as_the_readme_says(folder: Path) -> None:
    """init, user add (asked for the password twice) and check end well, in the README's order."""
    found = commands("README.rst", "mailsuite")
    assert [arguments[0] for arguments in found] == ["init", "user", "check"]

    for arguments in found:
        result = CliRunner().invoke(main, moved(arguments, folder), input="a good password\na good password\n")
        assert result.exit_code == 0, result.output

    (service,) = commands("README.rst", "twistd")
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
