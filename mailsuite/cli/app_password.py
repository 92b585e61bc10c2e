"""``mailsuite user app-password``: passwords for single devices and programs of a user."""

import sys

import click

from mailsuite.admin import app_passwords as admin
from mailsuite.admin.times import when
from mailsuite.cli.accounts import open_accounts
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.app_passwords import SCOPES, AppPassword

label = click.option("--label", required=True, metavar="TEXT", help="For which device or program it is.")


@click.group(name="app-password")
def app_password() -> None:
    """Give a device or program of a user a password of its own, which can be taken back alone.

    It is drawn here and shown once. Programs log in by it as by any password (PLAIN, LOGIN, USER and PASS); CRAM-MD5,
    DIGEST-MD5, APOP and SCRAM know the user's own one alone.

    \b
    Example:
      mailsuite user app-password add alice@example.com --label "old phone" --scope pop3
      mailsuite user app-password remove alice@example.com --label "old phone"
    """


@app_password.command()
@click.argument("address")
@label
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="Good for this service alone;"
              " may be given twice (default: for all).")
@as_json
@with_site
def add(settings: Settings, address: str, label: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Draw a password for one device of the user ADDRESS and show it: this once, and never again.

    \b
    Example:
      mailsuite user app-password add alice@example.com --label scanner --scope smtp
    """
    with open_accounts(settings) as accounts:
        drawn = admin.add(accounts, address, label, scopes)
    if as_json:
        print_json({"user": drawn.name, **admin.as_json(drawn.added), "password": drawn.password})
        return
    click.echo(drawn.password)
    good = f"good for {' and '.join(drawn.added.scopes)}"
    click.echo(f"is the password of {drawn.name} for {label}, {good}. It is not shown again.", file=sys.stderr)


@app_password.command(name="list")
@click.argument("address")
@as_json
@with_site
def list_(settings: Settings, address: str, as_json: bool) -> None:
    """List the app passwords of the user ADDRESS, with the time of their last use, ten minutes more or less."""
    with open_accounts(settings) as accounts:
        found = accounts.app_passwords.list(address)
    if as_json:
        print_json([admin.as_json(each) for each in found])
    else:
        print_table(
            ("label", "good for", "last used"), [(each.label, " ".join(each.scopes), _used(each)) for each in found]
        )


@app_password.command()
@click.argument("address")
@label
@with_site
def remove(settings: Settings, address: str, label: str) -> None:
    """Take an app password of the user ADDRESS back: nobody logs in by it from now on."""
    with open_accounts(settings) as accounts:
        accounts.app_passwords.remove(address, label)
        name = accounts.users.show(address).name
    click.echo(f"{name} has no app password for {label} any more.")


def _used(found: AppPassword) -> str:
    return "never" if found.last_used is None else when(found.last_used)
