"""The site that a command works on: its settings, and the user it belongs to."""

import codecs
import functools
import getpass
import os
import pwd
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from mailsuite.address import domain_key
from mailsuite.config import ConfigError, Settings, load
from mailsuite.config.endpoints import place
from mailsuite.directory.passwords import Passwords
from mailsuite.reach import closed_folder, present

P = ParamSpec("P")
R = TypeVar("R")

PLACES = ("mailsuite.toml", "/etc/mailsuite/mailsuite.toml")


class BadConfiguration(click.ClickException):
    """The site's configuration cannot be used; the command ends with exit code 2."""

    exit_code = 2


class NoConfiguration(BadConfiguration):
    """There is none in the usual places; *what* says so, without what to do, which is not the same everywhere."""

    def __init__(self) -> None:
        self.what = f"there is no {PLACES[0]} in this folder and no {PLACES[1]}"
        super().__init__(f"{self.what}: name the file with --config, or make a site with mailsuite init")


config_option = click.option(
    "-c", "--config", "config", metavar="FILE", type=click.Path(dir_okay=False),
    help=f"The site's configuration (default: {PLACES[0]} here, then {PLACES[1]}).",
)


def with_site(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Give *command* the option ``--config`` and, as its first argument, the site's settings.

    A command run as root goes on as the owner of ``state_dir``, so that every file it makes
    belongs to the user the service runs as.
    """

    @config_option
    @functools.wraps(command)
    def on_site(*args: Any, config: str | None, **options: Any) -> R:
        settings = site_settings(config_path(config))
        become_owner(settings.state_dir)
        return command(settings, *args, **options)

    return on_site


def config_path(given: str | None) -> str:
    """Return the configuration file to use: *given*, or the first that is in its usual place."""
    if given is not None:
        return given
    closed: list[str] = []
    for usual in PLACES:
        try:
            if present(usual):
                return usual
        except OSError as error:
            closed.append(f"{usual} cannot be reached: {error.strerror}")
    raise BadConfiguration("\n".join(closed)) if closed else NoConfiguration()


def site_settings(path: str) -> Settings:
    """Return the settings in *path*; what is wrong with them ends the command."""
    try:
        return load(path)
    except ConfigError as error:
        raise BadConfiguration(str(error)) from error


def become_owner(folder: str) -> None:
    """If we are root, become the owner of *folder* for good: group, groups and user.

    Raises `BadConfiguration` where there is no such folder, or its owner, whom we are by then, cannot get there.
    """
    if os.geteuid() != 0:
        return
    try:
        status = os.stat(folder)
    except OSError as error:
        raise BadConfiguration(f"state_dir {folder}: {error.strerror}") from error
    if status.st_uid == 0:
        return
    gid, groups = _groups(status)
    _load_while_root()
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(status.st_uid)
    if (closed := closed_folder(folder)) is not None:
        raise BadConfiguration(
            f"a command run as root goes on as the owner of state_dir, who cannot get to {folder}: {closed.what};"
            f" to mend it: {closed.mend}"
        )


def _load_while_root() -> None:
    """Use what loads modules at its first use: the owner may not be able to read where Python lies."""
    # (idna: what connects takes names of hosts so. The domain that is not ASCII: punycode, and tables of letters.)
    for codec in ("utf-8-sig", "idna"):
        codecs.lookup(codec)
    domain_key("bücher.example")
    getpass.getuser()
    Passwords().hash("x")
    place("tcp6:0")


def _groups(status: os.stat_result) -> tuple[int, list[int]]:
    try:
        owner = pwd.getpwuid(status.st_uid)
    except KeyError:
        return status.st_gid, [status.st_gid]
    return owner.pw_gid, os.getgrouplist(owner.pw_name, owner.pw_gid)
