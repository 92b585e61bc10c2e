"""``mailsuite token``: what it takes, prints and refuses."""

import json
from pathlib import Path

import pytest

from tests.cli.site import new_site, run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's configuration."""
    return new_site(tmp_path_factory.mktemp("tokens") / "site", "--unprivileged")


def test_add_list_and_remove(site: Path) -> None:
    """A token is shown once, and alone on standard output."""
    made = run("token", "add", "billing", "--config", site)
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("billing~")
    assert made.stdout.count("\n") == 1
    assert "not shown again" in made.stderr
    reader = json.loads(run("token", "add", "looker", "--scope", "read", "--json", "--config", site).stdout)
    assert (reader["label"], reader["scope"]) == ("looker", "read")

    listed = run("token", "list", "--config", site).stdout
    assert [line.split()[:2] for line in listed.splitlines()[1:]] == [["billing", "write"], ["looker", "read"]]
    assert made.stdout.strip().partition("~")[2] not in listed
    found = json.loads(run("token", "list", "--json", "--config", site).stdout)
    assert [each["last_used"] for each in found] == [None, None]

    assert run("token", "remove", "looker", "billing", "--config", site).exit_code == 0
    assert json.loads(run("token", "list", "--json", "--config", site).stdout) == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", "a b"], 1, "is no label"),
        (["add", "x", "--scope", "all"], 2, "'read', 'write'"),
        (["remove", "nobody"], 1, "see mailsuite token list"),
        (["remove"], 2, "LABEL"),
    ],
)
def test_what_is_refused(site: Path, words: list[str], status: int, said: str) -> None:
    """It says what was expected."""
    result = run("token", *words, "--config", site)

    assert (result.exit_code, said in result.stderr) == (status, True), result.output
