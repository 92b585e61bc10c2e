"""A site in a folder that its user cannot get to is there, and no command says otherwise."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.site import edit, new_site, run
from tests.kept_out import hand_over, kept_out, open_folder


@pytest.fixture
def config() -> Iterator[Path]:
    """The configuration of a site with a queue, beside the folder ``closed`` that the rest of it is in."""
    with open_folder() as folder:
        (folder / "closed").mkdir()
        made = new_site(folder / "closed" / "site", "--unprivileged", "--interface", "127.0.0.1")
        made.rename(folder / "mailsuite.toml")
        edit(folder / "mailsuite.toml", 'state_dir = "."', 'state_dir = "closed/site"')
        yield folder / "mailsuite.toml"


def come_out(config: Path) -> None:
    """Move the site to where its user gets to it; what else is in ``closed`` stays there."""
    edit(config, 'state_dir = "closed/site"', 'state_dir = "site"')
    (config.parent / "closed" / "site").rename(config.parent / "site")
    hand_over(config.parent / "site")


@pytest.mark.parametrize(
    "command",
    [
        ["user", "list"],
        ["queue", "list"],
        ["db", "status"],
        ["export", "mbox", "postmaster@example.org", "/nowhere"],
        ["explain", "message", "4fk2m9a1-1"],
    ],
)
def test_a_command_says_what_keeps_it_out(config: Path, command: list[str]) -> None:
    """Who may not pass which folder, and what lets him; never that something is missing, or has to be made."""
    with kept_out(config.parent / "closed") as who:
        result = run(*command, "-c", config)

    assert result.exit_code == 1
    assert f"the user {who} may not pass the folder {config.parent}/closed, which" in result.stderr
    assert not any(word in result.stderr for word in ("there is no", "init", "makes it"))


def test_a_check_says_what_keeps_it_out(config: Path) -> None:
    """Once for each place that cannot be looked at, and the remedy is none that makes anything."""
    with kept_out(config.parent / "closed"):
        result = run("check", "--json", "-c", config)
    errors = [each for each in json.loads(result.stdout) if each["level"] == "error"]

    assert [each["where"] for each in errors if "may not pass" in each["what"]] == [
        "state_dir", "directory.path", "srs.secrets",
    ]  # fmt: skip
    assert not any(each["mend"].startswith(("make", "mkdir", "restore")) for each in errors)


def test_places_of_their_own_are_told_by_themselves(config: Path) -> None:
    """The site can be got to; its mail, queue and log cannot."""
    come_out(config)
    with config.open("a") as file:
        for table, name in (("store", "mail"), ("queue", "queue"), ("log", "log/mail.log")):
            file.write(f'[{table}]\npath = "../closed/{name}"\n')
    with kept_out(config.parent / "closed"):
        found = json.loads(run("check", "--json", "-c", config).stdout)
        seen = json.loads(run("verify", "--repair", "--json", "-c", config).stdout)

    assert [each["where"] for each in found if "may not pass" in each["what"]] == [
        "store.path", "log.path", "queue.path",
    ]  # fmt: skip
    # Mailboxes that are not seen are not missing, and are not made.
    assert [(each["kind"], each["state"]) for each in seen if "may not pass" in each["text"]] == [
        ("unreadable", "left"), ("queue-file", "left"),
    ]  # fmt: skip
    assert not any(each["kind"] == "missing-folder" for each in seen)


def test_a_backup_without_the_queue_or_the_mail_is_none(config: Path) -> None:
    """What cannot be seen is not left out in silence."""
    come_out(config)
    (config.parent / "backup").mkdir()
    hand_over(config.parent / "backup")
    for table, name in (("store", "mail"), ("queue", "queue")):
        with config.open("a") as file:
            file.write(f'[{table}]\npath = "../closed/{name}"\n')
        with kept_out(config.parent / "closed"):
            result = run("backup", config.parent / "backup", "-c", config)
        config.write_text(config.read_text().replace("../closed", "../elsewhere"))

        assert result.exit_code == 1
        assert f"{config.parent}/closed/{name}" in result.stderr
        assert "may not pass" in result.stderr


def test_a_list_for_backups_is_not_put_where_we_cannot_get(config: Path) -> None:
    """Its folder may well be there."""
    come_out(config)
    with kept_out(config.parent / "closed"):
        result = run("backup-mx", "export", "example.org", "-o", config.parent / "closed" / "x" / "list", "-c", config)

    assert result.exit_code == 1
    assert "the list could not be written: " in result.stderr
    assert "may not pass" in result.stderr


def test_mail_of_another_server_may_be_where_we_cannot_get(config: Path) -> None:
    """The homes of old users are their own: where their mail is was said rightly."""
    come_out(config)
    lines = config.parent / "userdb"
    lines.write_text(f"me@example.org:::::{config.parent}/closed\n")
    with kept_out(config.parent / "closed") as who:
        result = run("import", "dovecot", lines, "-c", config)

    assert result.exit_code == 1
    assert f"{config.parent}/closed/Maildir cannot be reached: the user {who} may not pass" in result.stderr
