"""``mailsuite user``: who has a mailbox, and how they log in."""

import click

from mailsuite.cli.accounts import (
    as_json,
    force,
    keeper,
    mail_path,
    make_mail_folder,
    open_accounts,
    password_stdin,
    read_password,
    tell_of_mail,
)
from mailsuite.cli.output import print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.cli.user_import import import_
from mailsuite.config import Settings
from mailsuite.directory.rows import User
from mailsuite.directory.spelling import parse_address
from mailsuite.logins import mechanisms_of
from mailsuite.mailbox.sharing import Sharing, is_shared


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
        accounts.users.refuse_taken(address)
        if no_password:
            added = accounts.users.add(address)
        else:
            kept = keeper(settings)(str(parse_address(address)), read_password(password_stdin))
            added = accounts.users.add(address, kept.hashed, kept.secrets)
    click.echo(f"Added {added.name}.")
    make_mail_folder(settings, added)


@user.command(name="list")
@click.argument("domain", required=False)
@as_json
@with_site
def list_(settings: Settings, domain: str | None, as_json: bool) -> None:
    """List all users, or those of DOMAIN."""
    with open_accounts(settings) as accounts:
        found = list(accounts.users.list(domain))
    if as_json:
        print_json([_json(settings, each) for each in found])
    else:
        rows = [(each.name, _state(each), mail_path(settings, each)) for each in found]
        print_table(("user", "state", "mail"), rows)


@user.command(name="set")
@click.argument("address")
@click.option("--suspend/--resume", "suspended", default=None, help="Switch login and mail off, or on again.")
@with_site
def set_(settings: Settings, address: str, suspended: bool | None) -> None:
    """Change the user ADDRESS. A suspended user cannot log in, and mail for it is refused, but for what goes to
    postmaster or abuse and to nobody else: that is always taken.

    \b
    Example:
      mailsuite user set alice@example.com --suspend
    """
    if suspended is None:
        raise click.UsageError("give --suspend or --resume")
    with open_accounts(settings) as accounts:
        changed = accounts.users.set_suspended(address, suspended)
    click.echo(f"{changed.name} is {_state(changed)}.")


@user.command()
@click.argument("address")
@as_json
@with_site
def show(settings: Settings, address: str, as_json: bool) -> None:
    """Show the user ADDRESS, the aliases that lead to it, and the mechanisms by which it can log in."""
    with open_accounts(settings) as accounts:
        found = accounts.users.show(address)
        aliases = accounts.aliases.leading_to(address)
        mechanisms = mechanisms_of(settings, accounts.users.kinds(address))
    if as_json:
        print_json({**_json(settings, found), "aliases": aliases, "mechanisms": mechanisms})
    else:
        shown = ", ".join(aliases) or "-"
        rows = [("state", _state(found)), ("mail", mail_path(settings, found)), ("aliases", shown)]
        rows.append(("logs in by", " ".join(mechanisms) or "-"))
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
        name = accounts.users.show(address).name
        kept = keeper(settings)(name, read_password(password_stdin))
        accounts.users.set_password(name, kept.hashed, kept.secrets)
    click.echo(f"{name} has a new password.")


@user.command()
@click.argument("address")
@force
@with_site
def remove(settings: Settings, address: str, force: bool) -> None:
    """Remove the user ADDRESS. Its mail stays on disk; the command says where."""
    with open_accounts(settings) as accounts:
        removed = accounts.users.remove(address, force)
    path = mail_path(settings, removed)
    if is_shared(path):
        # Messages that the others have hidden wait no more for this one.
        Sharing(path).leave(removed.name)
    click.echo(f"Removed {removed.name}.")
    tell_of_mail(settings, removed)


user.add_command(import_)


def _state(found: User) -> str:
    if found.suspended:
        return "suspended"
    return "active" if found.has_password else "without a password"


def _json(settings: Settings, found: User) -> dict[str, object]:
    return {
        "name": found.name,
        "suspended": found.suspended,
        "has_password": found.has_password,
        "mail": mail_path(settings, found),
    }
