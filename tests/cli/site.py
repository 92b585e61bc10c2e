"""Runs the command as a shell would, in folders that the tests own."""

import os
from pathlib import Path

from click.testing import CliRunner, Result

from mailsuite.cli import main


def run(*arguments: str | Path) -> Result:
    """Run ``mailsuite`` with *arguments*; an exception that no user should see is raised."""
    result = CliRunner().invoke(main, [os.fspath(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def new_site(folder: Path, *options: str) -> Path:
    """Make a site for example.org in *folder* and return its configuration file."""
    result = run(
        "init", folder, "--hostname", "mail.example.org", "--domain", "example.org", *options
    )
    assert result.exit_code == 0, result.output
    return folder / "mailsuite.toml"


def edit(config: Path, old: str, new: str) -> None:
    """Replace *old*, which must be there, by *new* in the configuration."""
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
