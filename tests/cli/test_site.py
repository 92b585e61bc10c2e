"""Which site a command works on, and as whom."""

import json
import os
import pwd
from pathlib import Path

import pytest

from mailsuite.cli import COMMANDS, main, site
from mailsuite.reach import Closed
from tests.cli.site import edit, new_site, run
from tests.kept_out import kept_out, open_folder


def test_the_configuration_in_the_current_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No option is needed inside a site."""
    config = new_site(tmp_path)
    monkeypatch.chdir(config.parent)

    assert run("settings").exit_code == 0


def test_the_system_wide_configuration_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever one stands."""
    config = new_site(tmp_path / "site")
    monkeypatch.setattr(site, "PLACES", ("mailsuite.toml", str(config)))
    monkeypatch.chdir(tmp_path)

    assert run("settings").exit_code == 0


def test_without_a_configuration_a_command_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and what to do."""
    monkeypatch.setattr(site, "PLACES", ("mailsuite.toml", "/nowhere/mailsuite.toml"))
    monkeypatch.chdir(tmp_path)
    result = run("settings")

    assert result.exit_code == 2
    assert "no mailsuite.toml in this folder and no /nowhere/mailsuite.toml" in result.stderr


@pytest.mark.parametrize("written", [".", "../site"])
def test_a_link_is_where_relative_path_names_begin(tmp_path: Path, written: str) -> None:
    """As docs/configuration.rst has it. Where that is not what was meant, it is said instead of an empty site."""
    config = new_site(tmp_path / "site")
    edit(config, 'state_dir = "."', f'state_dir = "{written}"')
    (tmp_path / "etc" / "mail").mkdir(parents=True)
    link = tmp_path / "etc" / "mail" / "mailsuite.toml"
    link.symlink_to(config)
    for command in (["user", "list"], ["check"]):
        result = run(*command, "-c", link)

        assert result.exit_code == 2
        assert f"{tmp_path}/site has one: relative path names begin at the folder of the link" in result.output
    edit(config, f'state_dir = "{written}"', f'state_dir = "{tmp_path}/site"')
    assert run("user", "list", "-c", link).exit_code == 0


def test_a_link_may_stand_in_the_folder_of_the_site(tmp_path: Path) -> None:
    """Configurations that are kept elsewhere, in a repository say, are linked to from there."""
    config = new_site(tmp_path / "site")
    (tmp_path / "kept").mkdir()
    config.rename(tmp_path / "kept" / "mailsuite.toml")
    config.symlink_to(tmp_path / "kept" / "mailsuite.toml")

    assert run("user", "list", "-c", config).exit_code == 0


def test_a_bad_configuration_ends_every_command_with_2(tmp_path: Path) -> None:
    """With line and key on standard error."""
    config = new_site(tmp_path / "site")
    edit(config, "state_dir", "state_dri")
    result = run("settings", "-c", config)

    assert result.exit_code == 2
    assert "state_dri: unknown key; did you mean state_dir?" in result.stderr


def test_a_mail_program_is_told_all_it_asks_for(tmp_path: Path) -> None:
    """Protocol, server, port, security and user name; the port for servers is not among them."""
    config = new_site(tmp_path / "site")
    assert run("user", "add", "me@example.org", "--no-password", "-c", config).exit_code == 0
    ways = json.loads(run("settings", "Me@example.org", "--json", "-c", config).stdout)

    assert [(way["mail"], way["port"], way["security"]) for way in ways] == [
        ("incoming, POP3", 995, "SSL/TLS"), ("incoming, POP3", 110, "STARTTLS"),
        ("outgoing, SMTP", 465, "SSL/TLS"), ("outgoing, SMTP", 587, "STARTTLS"),
    ]  # fmt: skip
    assert {(way["server"], way["user_name"]) for way in ways} == {("mail.example.org", "me@example.org")}


@pytest.mark.parametrize(
    ("interface", "server"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("localhost.localdomain", "localhost.localdomain"),
        ("pop.localhost", "pop.localhost"),
        ("\\:\\:1", "::1"),
        ("fe80\\:\\:1%eth0", "mail.example.org"),
        ("192.0.2.1", "mail.example.org"),
        ("inside.example.org", "mail.example.org"),
    ],
)
def test_an_endpoint_may_name_its_interface(tmp_path: Path, interface: str, server: str) -> None:
    """By address or by name: what only this machine reaches is told as it is, all else by our own name."""
    config = new_site(tmp_path / "site")
    edit(config, '"tcp6:587"', f"'tcp6:587:interface={interface}'")
    ways = json.loads(run("settings", "--json", "-c", config).stdout)

    assert [way["server"] for way in ways if way["port"] == 587] == [server]


def test_settings_are_for_a_user_that_exists(tmp_path: Path) -> None:
    """A slip of the finger does not become a user name; with no name at all there is a place for it."""
    config = new_site(tmp_path / "site")
    result = run("settings", "nobody@example.org", "-c", config)

    assert result.exit_code == 1
    assert "no user nobody@example.org here" in result.stderr
    assert "ADDRESS" in run("settings", "-c", config).stdout


class Switches:
    """Notes who the process would have become."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: int) -> None:
        self.calls: list[tuple[str, object]] = []
        status = list(os.stat("/"))
        status[4], status[5] = owner, 54321
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(os, "stat", lambda path: os.stat_result(status))
        for name in ("setgroups", "setgid", "setuid"):
            monkeypatch.setattr(os, name, lambda value, name=name: self.calls.append((name, value)))


def test_root_becomes_the_owner_groups_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the user id is given away, groups could not be changed any more."""
    nobody = pwd.getpwnam("nobody")
    switches = Switches(monkeypatch, nobody.pw_uid)
    site.become_owner("/site")

    assert [name for name, _ in switches.calls] == ["setgroups", "setgid", "setuid"]
    assert switches.calls[1:] == [("setgid", nobody.pw_gid), ("setuid", nobody.pw_uid)]


def test_an_owner_without_a_name_has_the_folder_s_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where numbers need no names."""
    switches = Switches(monkeypatch, 43210)
    site.become_owner("/site")

    assert switches.calls == [("setgroups", [54321]), ("setgid", 54321), ("setuid", 43210)]


def test_root_stays_root_in_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody else to become."""
    switches = Switches(monkeypatch, 0)
    site.become_owner("/site")

    assert switches.calls == []


def test_others_stay_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root can become somebody else."""
    switches = Switches(monkeypatch, 43210)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    site.become_owner("/site")

    assert switches.calls == []


def test_root_is_told_that_the_owner_cannot_get_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root sees the site well, and need not know that somebody else looks at it."""
    switches = Switches(monkeypatch, 43210)
    monkeypatch.setattr(site, "closed_folder", lambda path: Closed(f"mail may not pass {path}", "chmod o+x /"))
    with pytest.raises(site.BadConfiguration) as told:
        site.become_owner("/site")

    assert switches.calls[-1] == ("setuid", 43210)
    assert told.value.message.endswith("who cannot get to /site: mail may not pass /site; to mend it: chmod o+x /")


def test_a_usual_place_that_cannot_be_looked_at_is_not_called_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be a site."""
    with open_folder() as folder:
        (folder / "closed").mkdir()
        monkeypatch.setattr(site, "PLACES", ("mailsuite.toml", f"{folder}/closed/mailsuite.toml"))
        monkeypatch.chdir(folder)
        with kept_out(folder / "closed"):
            result = run("settings")

    assert result.exit_code == 2
    assert f"{folder}/closed/mailsuite.toml cannot be reached: the user " in result.stderr
    assert "there is no" not in result.stderr


def test_every_command_has_help() -> None:
    """Each says in a line what it does, and in full with --help."""
    overview = run("--help")

    assert overview.exit_code == 0
    assert "First steps:" in overview.output
    for name in COMMANDS:
        assert f"  {name} " in overview.output
        assert run(name, "--help").exit_code == 0


def test_an_unknown_command_is_wrong_usage() -> None:
    """Exit code 2."""
    assert run("frobnicate").exit_code == 2
    assert main.name is not None


def test_the_version_is_printed() -> None:
    """For reports of trouble."""
    assert run("--version").output.startswith("mailsuite, version ")
