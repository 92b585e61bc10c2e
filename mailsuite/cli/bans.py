"""``mailsuite bans``: who is kept out for a time, and letting somebody in again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mailsuite.admin import bans as admin
from mailsuite.admin.times import when
from mailsuite.administered import administered
from mailsuite.cli.accounts import tell
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.cli.spans import span
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError
from mailsuite.policy.ban_file import BanFile, BanFileError


@click.group()
def bans() -> None:
    """List, add and lift bans of addresses, networks and logins; the running server goes by it within a second.

    The server bans who guesses passwords: [limits] guesses, network_guesses, account_guesses and ban_time. Its bans
    keep from logging in, and nobody from a login that was used from the same address before.

    \b
    Example:
      mailsuite bans list
      mailsuite bans add 192.0.2.0/24 --for 7d --reason "guesses passwords"
      mailsuite bans remove 192.0.2.0/24
    """


@bans.command(name="list")
@as_json
@with_site
def list_(settings: Settings, as_json: bool) -> None:
    """List the bans that stand, the oldest first."""
    with _told():
        found = BanFile.of(settings.state_dir).bans(time.time())
    if as_json:
        print_json([admin.as_json(ban) for ban in found])
    else:
        rows = [(ban.subject, ban.covers, _until(ban.until), ban.by, ban.reason) for ban in found]
        print_table(("banned", "from", "until", "by", "reason"), rows)


@bans.command()
@click.argument("subject", metavar="ADDRESS|NETWORK|LOGIN")
@click.option("--for", "seconds", callback=span, metavar="SPAN", help="How long: 90m, 12h, 7d (default: ban_time).")
@click.option("--forever", is_flag=True, help="Until it is removed.")
@click.option("--logins", is_flag=True, help="Keep it from logging in alone, and take mail from it.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who look at the list.")
@with_site
def add(
    settings: Settings, subject: str, seconds: float | None, forever: bool, logins: bool, reason: str
) -> None:
    """Keep out an IP address, a network such as 192.0.2.0/24, or whoever logs in as LOGIN.

    Unlike the server's own bans it holds for everybody who comes from there. Sessions that are open go on, but nobody
    logs in in them. A ban that there is already is replaced.

    \b
    Example:
      mailsuite bans add 2001:db8:7::/48 --for 12h
      mailsuite bans add alice@example.com --forever --reason "her password is known"
    """
    if forever and seconds is not None:
        raise click.UsageError("--for and --forever exclude each other")
    if seconds == 0:
        raise click.UsageError("--for names no time; to lift a ban: mailsuite bans remove " + subject)
    if not (forever or seconds or settings.limits.ban_time):
        raise click.UsageError("[limits] ban_time is 0: say --for SPAN or --forever")
    with _told():
        ban = tell(admin.add(administered(settings), subject, seconds, forever, logins, reason, time.time()))
    click.echo(f"{ban.subject} is banned {'until it is removed' if forever else 'until ' + _until(ban.until)}.")


@bans.command()
@click.argument("subjects", metavar="ADDRESS|NETWORK|LOGIN...", nargs=-1, required=True)
@with_site
def remove(settings: Settings, subjects: tuple[str, ...]) -> None:
    """Lift bans. An address is let in again by the subject that bans list has: its own, or its network's.

    \b
    Example:
      mailsuite bans remove 192.0.2.7 192.0.2.0/24
    """
    with _told():
        keys = [admin.subject(each) for each in subjects]
        removed = BanFile.of(settings.state_dir).remove(keys)
    for key in removed:
        click.echo(f"{key} is banned no more.")
    missing = [key for key in keys if key not in removed]
    if missing:
        raise click.ClickException(f"not banned: {', '.join(missing)}; see mailsuite bans list")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except admin.BadBan as error:
        raise click.UsageError(str(error)) from error
    except (AccountsError, BanFileError) as error:
        raise click.ClickException(str(error)) from error


def _until(until: float | None) -> str:
    return "removed" if until is None else when(until)
