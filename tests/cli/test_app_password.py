"""``mailsuite user app-password`` and the forced change of a password."""

import json
import re
from pathlib import Path

import pytest

from mailsuite.config import load
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.passwords import Passwords
from tests.cli.site import new_site, run

ALICE = "alice@example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with alice, who has no password of her own."""
    config = new_site(tmp_path_factory.mktemp("app") / "site", "--unprivileged")
    assert run("user", "add", ALICE, "--no-password", "--config", config).exit_code == 0
    return config


def stored(site: Path, name: str) -> list[str]:
    """Return what is kept of the user's passwords."""
    with Accounts.open(load(str(site)).directory.path) as accounts:
        rows = accounts.users._connection.execute(
            "SELECT stored FROM credentials c JOIN logins l ON l.id = c.login_id WHERE l.name = ?", (name,)
        )
        return [row[0] for row in rows]


def test_add_list_and_remove(site: Path) -> None:
    """It is shown once, alone on standard output; what is kept is a hash of it."""
    made = run("user", "app-password", "add", "Alice@Example.org", "--label", "phone", "--config", site)
    assert made.exit_code == 0, made.output
    password = made.stdout.strip()
    assert re.fullmatch(r"\S{23}", password)
    assert "good for smtp and pop3. It is not shown again" in made.stderr
    (kept,) = stored(site, ALICE)
    assert Passwords().fits(password, kept)

    made = run(
        "user", "app-password", "add", ALICE, "--label", "scanner", "--scope", "smtp", "--json", "--config", site
    )
    shown = json.loads(made.stdout)
    assert (shown["user"], shown["label"], shown["scopes"], shown["last_used"]) == (ALICE, "scanner", ["smtp"], None)
    assert any(Passwords().fits(shown["password"], each) for each in stored(site, ALICE))

    listed = run("user", "app-password", "list", ALICE, "--config", site)
    assert re.findall(r"^(\w+) +(smtp(?: pop3)?) +never$", listed.stdout, re.M) == [
        ("phone", "smtp pop3"), ("scanner", "smtp"),
    ]  # fmt: skip
    found = json.loads(run("user", "app-password", "list", ALICE, "--json", "--config", site).stdout)
    assert [each["label"] for each in found] == ["phone", "scanner"]
    assert password not in listed.stdout

    for label in ("phone", "scanner"):
        removed = run("user", "app-password", "remove", ALICE, "--label", label, "--config", site)
        assert removed.exit_code == 0, removed.output
    assert stored(site, ALICE) == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", ALICE], 2, "--label"),
        (["add", ALICE, "--label", ""], 1, "is no label"),
        (["add", ALICE, "--label", "x", "--scope", "imap"], 2, "'imap' is not one of"),
        (["add", "nobody@example.org", "--label", "x"], 1, "no user nobody@example.org"),
        (["list", "nobody@example.org"], 1, "no user nobody@example.org"),
        (["remove", ALICE, "--label", "x"], 1, f"see mailsuite user app-password list {ALICE}"),
    ],
)
def test_what_is_refused(site: Path, words: list[str], status: int, said: str) -> None:
    """With what was expected."""
    result = run("user", "app-password", *words, "--config", site)

    assert result.exit_code == status, result.output
    assert said in result.stderr


def test_a_forced_change(site: Path) -> None:
    """It is shown, and over with a new password."""
    changed = run("user", "set", ALICE, "--must-change", "--config", site)
    assert changed.stdout == f"{ALICE} is to change the password.\n"
    assert json.loads(run("user", "show", ALICE, "--json", "--config", site).stdout)["must_change"] is True
    assert run("user", "set", ALICE, "--no-must-change", "--config", site).exit_code == 0
    assert run("user", "set", ALICE, "--must-change", "--resume", "--config", site).exit_code == 0
    with Accounts.open(load(str(site)).directory.path) as accounts:
        assert accounts.users.show(ALICE).must_change
        accounts.users.set_password(ALICE, "new")
        assert not accounts.users.show(ALICE).must_change

    assert run("user", "set", ALICE, "--config", site).exit_code == 2
