"""``mailsuite bans``: who is kept out for a time, and letting somebody in again."""

import time

import click

from mailsuite.cli.accounts import as_json
from mailsuite.cli.output import print_json, print_table
from mailsuite.cli.queue_filters import span
from mailsuite.cli.queue_words import when
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.spelling import parse_address
from mailsuite.policy.ban_file import BanFile, BanFileError
from mailsuite.policy.bans import ALL, LOGINS, OPERATOR, Ban, network_subject


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
    try:
        found = BanFile.of(settings.state_dir).bans(time.time())
    except BanFileError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json([_json(ban) for ban in found])
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
    key = _subject(subject)
    now = time.time()
    lasts = seconds if seconds is not None else settings.limits.ban_time
    if seconds == 0:
        raise click.UsageError("--for names no time; to lift a ban: mailsuite bans remove " + subject)
    if not (forever or lasts):
        raise click.UsageError("[limits] ban_time is 0: say --for SPAN or --forever")
    covers = LOGINS if logins or "@" in key else ALL
    ban = Ban(key, None if forever else now + lasts, reason, OPERATOR, covers, now)
    try:
        BanFile.of(settings.state_dir).keep([ban], [], now)
    except BanFileError as error:
        raise click.ClickException(str(error)) from error
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
    keys = [_subject(each) for each in subjects]
    try:
        removed = BanFile.of(settings.state_dir).remove(keys)
    except BanFileError as error:
        raise click.ClickException(str(error)) from error
    for key in removed:
        click.echo(f"{key} is banned no more.")
    missing = [key for key in keys if key not in removed]
    if missing:
        raise click.ClickException(f"not banned: {', '.join(missing)}; see mailsuite bans list")


def _subject(text: str) -> str:
    if "@" in text:
        try:
            return str(parse_address(text))
        except AccountsError as error:
            raise click.ClickException(str(error)) from error
    try:
        return network_subject(text)
    except ValueError as error:
        raise click.UsageError(
            f"{text!r} is nothing that can be banned; expected an address such as 192.0.2.7, a network such as"
            " 192.0.2.0/24, or a login such as alice@example.com"
        ) from error


def _until(until: float | None) -> str:
    return "removed" if until is None else when(until)


def _json(ban: Ban) -> dict[str, object]:
    return {
        "subject": ban.subject,
        "covers": ban.covers,
        "since": when(ban.since),
        "until": None if ban.until is None else when(ban.until),
        "by": ban.by,
        "reason": ban.reason,
    }
