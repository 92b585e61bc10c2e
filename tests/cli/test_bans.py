"""``mailsuite bans``: what it takes, prints and refuses."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailsuite.config import load
from mailsuite.policy.ban_file import BanFile
from mailsuite.policy.bans import LOGINS, SERVER, Ban
from tests.cli.site import edit, new_site, run

LONG_AFTER = 4_000_000_000.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's configuration."""
    return new_site(tmp_path_factory.mktemp("bans") / "site", "--unprivileged")


@pytest.fixture
def site(made: Path) -> Path:
    """The site, without a ban."""
    for path in made.parent.glob("bans.sqlite*"):
        path.unlink()
    return made


def listed(site: Path) -> list[dict[str, str | None]]:
    """Return what the list has, as JSON."""
    result = run("bans", "list", "--json", "--config", site)
    assert result.exit_code == 0, result.output
    found: list[dict[str, str | None]] = json.loads(result.stdout)
    return found


def test_add_list_and_remove(site: Path) -> None:
    """Each kind of subject in its one form, with a reason and an end."""
    for words in (
        ["192.0.2.9/24", "--for", "7d", "--reason", "guesses"],
        ["2001:DB8::1", "--logins"],
        ["Alice@Example.org", "--forever"],
    ):
        result = run("bans", "add", *words, "--config", site)
        assert result.exit_code == 0, result.output
    found = listed(site)
    assert [(each["subject"], each["covers"], each["by"], each["reason"]) for each in found] == [
        ("192.0.2.0/24", "all", "operator", "guesses"),
        ("2001:db8::1", "logins", "operator", ""),
        ("alice@example.org", "logins", "operator", ""),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", found[0]["until"] or "")
    assert found[2]["until"] is None

    shown = run("bans", "list", "--config", site).stdout
    assert shown.startswith("banned ")
    assert re.search(r"^alice@example\.org +logins +removed +operator$", shown, re.M)

    result = run("bans", "remove", "192.0.2.77/24", "alice@example.org", "--config", site)
    assert result.exit_code == 0, result.output
    assert [each["subject"] for each in listed(site)] == ["2001:db8::1"]


def test_a_ban_that_is_there_is_replaced(site: Path) -> None:
    """The server's by an operator's, too."""
    BanFile.of(str(site.parent)).keep([Ban("192.0.2.7", LONG_AFTER, "guesses", SERVER, LOGINS, 1.0)], [], 1.0)
    assert listed(site)[0]["by"] == "server"

    assert run("bans", "add", "192.0.2.7", "--for", "1h", "--reason", "again", "--config", site).exit_code == 0
    (ban,) = listed(site)
    assert (ban["by"], ban["reason"]) == ("operator", "again")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", "192.0.2.300"], 2, "nothing that can be banned"),
        (["add", "example.org"], 2, "alice@example.com"),
        (["add", "al ice@"], 1, "is not the local part of an address"),
        (["add", "0.0.0.0/0"], 2, "0.0.0.0/0 is a great part of the world; expected at most a /8 for IPv4"),
        (["add", "192.0.2.7/7", "--logins"], 2, "at most a /8 for IPv4"),
        (["add", "::/0"], 2, "at most a /16 for IPv6"),
        (["add", "192.0.2.7", "--for", "soon"], 2, "no span of time"),
        (["add", "192.0.2.7", "--for", "36501d"], 2, "is too long; expected 36500d at most"),
        (["add", "192.0.2.7", "--for", "0m"], 2, "names no time; to lift a ban: mailsuite bans remove 192.0.2.7"),
        (["add", "192.0.2.7", "--for", "1h", "--forever"], 2, "exclude each other"),
        (["add", "192.0.2.7", "--reason", "caf\udce9"], 2, "the reason has to be text in UTF-8"),
        (["add"], 2, "ADDRESS|NETWORK|LOGIN"),
        (["remove"], 2, "ADDRESS|NETWORK|LOGIN"),
        (["remove", "192.0.2.7"], 1, "not banned: 192.0.2.7; see mailsuite bans list"),
    ],
)
def test_what_is_refused(site: Path, words: list[str], status: int, said: str) -> None:
    """It says what was expected, and bans nobody."""
    result = run("bans", *words, "--config", site)

    assert result.exit_code == status, result.output
    assert said in result.stderr
    assert listed(site) == []


def test_a_mistyped_login_is_told(site: Path) -> None:
    """The ban is made, since guessers know names that nobody has; who is there has no note."""
    assert run("user", "add", "alice@example.org", "--no-password", "--config", site).exit_code == 0

    wrong = run("bans", "add", "alcie@example.org", "--config", site)
    right = run("bans", "add", "Alice@example.org", "--config", site)

    assert (wrong.exit_code, right.exit_code) == (0, 0)
    assert wrong.stderr.startswith("Note: There is no login alcie@example.org here: ")
    assert right.stderr == ""
    assert {each["subject"] for each in listed(site)} == {"alcie@example.org", "alice@example.org"}


def test_without_a_default_it_asks_how_long(site: Path) -> None:
    """Where the server itself bans nobody."""
    edit(site, "[tls]", "[limits]\nban_time = 0\n\n[tls]")
    try:
        result = run("bans", "add", "192.0.2.7", "--config", site)
        assert result.exit_code == 2
        assert "--for SPAN or --forever" in result.stderr
    finally:
        edit(site, "[limits]\nban_time = 0\n\n[tls]", "[tls]")


def test_a_file_of_a_newer_version(site: Path) -> None:
    """It is left alone, and named."""
    file = BanFile.of(load(str(site)).state_dir)
    file.bans(0)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    for words in (["list"], ["add", "192.0.2.7"], ["remove", "192.0.2.7"]):
        result = run("bans", *words, "--config", site)
        assert result.exit_code == 1
        assert f"{file.path} has version 2" in result.stderr
