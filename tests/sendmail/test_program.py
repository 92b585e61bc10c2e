"""What the program says that is sendmail's, where the work is that of a command."""

from pathlib import Path

import pytest

from mailsuite.cli import site
from mailsuite.sendmail.exit_codes import CONFIG
from mailsuite.sendmail.program import main
from tests.cli.site import run


@pytest.mark.parametrize(("name", "arguments", "instead"), [
    ("mailq", [], "queue list"),
    ("sendmail", ["-q"], "queue retry --all"),
    ("sendmail", ["-C", "x", "-bp"], "queue list"),
])  # fmt: skip
def test_without_a_configuration_nothing_is_advised_that_it_does_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, arguments: list[str], instead: str,
) -> None:  # fmt: skip
    """Which files were looked at, and a command that does take the option --config."""
    monkeypatch.setattr(site, "PLACES", ("mailsuite.toml", "/nowhere/mailsuite.toml"))
    monkeypatch.chdir(tmp_path)

    assert main(name, arguments) == CONFIG
    said = capsys.readouterr().err
    assert said == (
        f"{name}: there is no mailsuite.toml in this folder and no /nowhere/mailsuite.toml, and no other is looked"
        f" for: say mailsuite {instead} --config FILE, or have /nowhere/mailsuite.toml lead to the site's\n"
    )
    assert run(*instead.split(), "--config", tmp_path / "x", "--help").exit_code == 0
