"""``mailsuite user``: who has a mailbox, and how they log in."""

import time
from datetime import UTC, datetime

import click

from mailsuite.admin import users as admin
from mailsuite.admin.site import Done
from mailsuite.administered import administered
from mailsuite.cli.accounts import (
    day,
    force,
    mail_path,
    open_accounts,
    password_stdin,
    read_password,
    tell,
)
from mailsuite.cli.app_password import app_password
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.owners import details_as_json, users
from mailsuite.cli.site import with_site
from mailsuite.cli.user_import import import_
from mailsuite.config import Settings
from mailsuite.directory.rows import User


def _midnight(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Return when the day *text* begins, as POSIX time."""
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no day; expected one such as 2027-01-31") from error


@click.group()
def user() -> None:
    """Add, list, change and remove users: each is a login and a mailbox of the same name.

    \b
    Example:
      mailsuite user add alice@example.com
      mailsuite user import - < users.txt
    """


@user.command()
@click.argument("address")
@password_stdin
@click.option("--no-password", is_flag=True, help="Give it none: it gets mail and cannot log in yet.")
@with_site
def add(settings: Settings, address: str, password_stdin: bool, no_password: bool) -> None:
    """Make the user ADDRESS with a password and a mailbox.

    \b
    Example:
      mailsuite user add alice@example.com
      pass show alice | head -n 1 | mailsuite user add alice@example.com --password-stdin
    """
    if password_stdin and no_password:
        raise click.UsageError("--password-stdin and --no-password exclude each other")
    with open_accounts(settings) as accounts:
        # Before anybody is asked for a password.
        accounts.users.refuse_taken(address)
        password = None if no_password else read_password(password_stdin)
        added = admin.add(administered(settings), accounts, address, password)
    click.echo(f"Added {added.value.name}.")
    tell(added)


@user.command(name="list")
@click.argument("domain", required=False)
@as_json
@with_site
def list_(settings: Settings, domain: str | None, as_json: bool) -> None:
    """List all users, or those of DOMAIN."""
    found = users(settings, domain)
    if as_json:
        print_json([admin.as_json(administered(settings), each) for each in found])
    else:
        rows = [(each.name, _state(each), mail_path(settings, each)) for each in found]
        print_table(("user", "state", "mail"), rows)


@user.command(name="set")
@click.argument("address")
@click.option("--suspend/--resume", "suspended", default=None, help="Switch login and mail off, or on again.")
@click.option("--must-change/--no-must-change", "must_change", default=None, help="Let nobody log in by the password"
              " that there is, or let them again.")
@with_site
def set_(settings: Settings, address: str, suspended: bool | None, must_change: bool | None) -> None:
    """Change the user ADDRESS. A suspended user cannot log in, and mail for it is refused, but for what goes to
    postmaster or abuse and to nobody else: that is always taken.

    A user who must change the password gets mail, and logs in by app passwords alone until there is a new one, which
    mailsuite user passwd sets: mail programs are told so.

    \b
    Example:
      mailsuite user set alice@example.com --suspend
      mailsuite user set alice@example.com --must-change
    """
    if suspended is None and must_change is None:
        raise click.UsageError("give --suspend or --resume, or --must-change or --no-must-change")
    with open_accounts(settings) as accounts:
        changed = accounts.users.show(address)
        if suspended is not None:
            changed = accounts.users.set_suspended(address, suspended)
        if must_change is not None:
            changed = accounts.users.set_must_change(address, must_change)
    click.echo(f"{changed.name} is {_state(changed)}.")


@user.command()
@click.argument("address")
@with_site
def freeze(settings: Settings, address: str) -> None:
    """Keep the user ADDRESS from logging in; its mail is kept as before. (user set --suspend refuses that, too.)

    \b
    Example:
      mailsuite user freeze alice@example.com
    """
    _freeze(settings, address, True)


@user.command()
@click.argument("address")
@with_site
def thaw(settings: Settings, address: str) -> None:
    """Let the user ADDRESS log in again."""
    _freeze(settings, address, False)


@user.command()
@click.argument("address")
@click.option("--until", callback=_midnight, metavar="YYYY-MM-DD", help="The day from which mail is refused, at 0:00"
              " UTC.")
@click.option("--forward", "targets", metavar="TARGET", multiple=True, help="Where mail goes until then; repeatable.")
@click.option("--no-copy", is_flag=True, help="Put no copy of what is forwarded into the mailbox.")
@click.option("--text", default=admin.LEFT, show_default=True, help="What is said then.")
@click.option("--cancel", is_flag=True, help="Let the user stay; what mail is forwarded to, alias remove takes off.")
@with_site
def leave(
    settings: Settings, address: str, until: int | None, targets: tuple[str, ...], no_copy: bool, text: str,
    cancel: bool,
) -> None:
    """Let the user ADDRESS leave: mail is forwarded until a day, and then answered with 550 5.1.6 and the text.

    Login and mailbox stay as they are: user freeze and user remove see to these. With the user the reply is removed;
    alias reject gives one to whom is here no more.

    \b
    Example:
      mailsuite user leave alice@example.com --until 2027-01-31 --forward alice@new.example \\
        --text "Alice has left; please write to bob@example.com"
      mailsuite user leave alice@example.com --cancel
    """
    if (until is None) is not cancel:
        raise click.UsageError("give one of --until DAY and --cancel")
    with open_accounts(settings) as accounts:
        if until is None:
            found = admin.stay(accounts, address)
        else:
            found = Done(admin.leave(accounts, address, until, targets, not no_copy, text))
    click.echo(f"{found.value.name} is {_state(found.value)}.")
    tell(found)


@user.command()
@click.argument("address")
@as_json
@with_site
def show(settings: Settings, address: str, as_json: bool) -> None:
    """Show the user ADDRESS, whose mailbox it reads, where its mail goes besides, the aliases that lead to it, and the
    mechanisms by which it can log in."""
    found, details = details_as_json(settings, address)
    if as_json:
        print_json(details)
    else:
        rows = [("state", _state(found)), ("mail", details["mail"])]
        rows.append(("reads the mail of", details["reads"]))
        rows.append(("its mail goes to", ", ".join(details["targets"]) or "-"))
        known = details["aliases"] is not None
        rows.append(("aliases", ", ".join(details["aliases"]) or "-" if known else "not known here"))
        rows.append(("logs in by", " ".join(details["mechanisms"]) or "-"))
        print_table(("", found.name), rows)


@user.command()
@click.argument("address")
@password_stdin
@with_site
def passwd(settings: Settings, address: str, password_stdin: bool) -> None:
    """Give the user ADDRESS a new password.

    \b
    Example:
      mailsuite user passwd alice@example.com
    """
    with open_accounts(settings) as accounts:
        accounts.users.show(address)
        name = admin.set_password(administered(settings), accounts, address, read_password(password_stdin))
    click.echo(f"{name} has a new password.")


@user.command()
@click.argument("address")
@force
@with_site
def remove(settings: Settings, address: str, force: bool) -> None:
    """Remove the user ADDRESS. Its mail stays on disk; the command says where."""
    with open_accounts(settings) as accounts:
        removed = admin.remove(administered(settings), accounts, address, force)
    click.echo(f"Removed {removed.value.name}.")
    for note in removed.notes:
        click.echo(note)


user.add_command(import_)
user.add_command(app_password)


def _freeze(settings: Settings, address: str, frozen: bool) -> None:
    with open_accounts(settings) as accounts:
        changed = accounts.users.set_frozen(address, frozen)
    click.echo(f"{changed.name} is {_state(changed)}.")


def _state(found: User) -> str:
    if found.suspended:
        return "suspended, and to change the password" if found.must_change else "suspended"
    state = "active" if found.has_password else "without a password"
    if found.must_change:
        state = "to change the password"
    if found.frozen:
        state = "frozen"
    if found.leaves is None:
        return state
    if found.leaves <= time.time():
        return f"{state}, its mail refused"
    return f"{state}, leaving on {day(found.leaves)}"
