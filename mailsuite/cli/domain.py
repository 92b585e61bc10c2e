"""``mailsuite domain``: which domains are ours."""

from dataclasses import asdict

import click

from mailsuite.cli.accounts import as_json, make_mail_folder, open_accounts, tell_of_mail
from mailsuite.cli.output import print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.resolve import POSTMASTER
from mailsuite.directory.rows import Domain
from mailsuite.directory.spelling import login_name, parse_domain

catch_all = click.option("--catch-all", metavar="ADDRESS", help="Where mail for unknown addresses of the domain goes.")


@click.group()
def domain() -> None:
    """Add, list, change and remove the domains that mail is accepted for.

    \b
    Example:
      mailsuite domain add example.com
      mailsuite domain set example.com --catch-all alice@example.com
    """


@domain.command()
@click.argument("name", metavar="DOMAIN")
@catch_all
@with_site
def add(settings: Settings, name: str, catch_all: str | None) -> None:
    """Accept mail for DOMAIN.

    A mailbox postmaster@DOMAIN is made with it, unless [directory] postmaster names another address. It can
    log in once it has a password: mailsuite user passwd postmaster@DOMAIN.

    \b
    Example:
      mailsuite domain add example.com
    """
    with open_accounts(settings) as accounts:
        address = f"{POSTMASTER}@{parse_domain(name)}"
        elsewhere = login_name(settings.directory.postmaster) not in (None, address)
        added = accounts.domains.add(name, catch_all, postmaster=not elsewhere)
        click.echo(f"Added {added.name}.")
        if not elsewhere:
            make_mail_folder(settings, accounts.users.show(address))


@domain.command(name="list")
@as_json
@with_site
def list_(settings: Settings, as_json: bool) -> None:
    """List all domains."""
    with open_accounts(settings) as accounts:
        found = list(accounts.domains.list())
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        rows = [(each.name, each.users, each.aliases, each.catch_all or "-") for each in found]
        print_table(("domain", "users", "aliases", "catch-all"), rows)


@domain.command(name="set")
@click.argument("name", metavar="DOMAIN")
@catch_all
@click.option("--no-catch-all", is_flag=True, help="Refuse mail for unknown addresses.")
@with_site
def set_(settings: Settings, name: str, catch_all: str | None, no_catch_all: bool) -> None:
    """Change DOMAIN.

    \b
    Example:
      mailsuite domain set example.com --catch-all alice@example.com
    """
    if (catch_all is None) is not no_catch_all:
        raise click.UsageError("give either --catch-all ADDRESS or --no-catch-all")
    with open_accounts(settings) as accounts:
        changed = accounts.domains.set_catch_all(name, catch_all)
    click.echo(f"The catch-all of {changed.name} is {changed.catch_all or 'off'}.")


@domain.command()
@click.argument("name", metavar="DOMAIN")
@as_json
@with_site
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show DOMAIN."""
    with open_accounts(settings) as accounts:
        found = accounts.domains.show(name)
    if as_json:
        print_json(asdict(found))
    else:
        print_table(("", found.name), _facts(found))


@domain.command()
@click.argument("name", metavar="DOMAIN")
@click.option("--force", is_flag=True, help="Remove its users and aliases too, and what leads there from elsewhere.")
@with_site
def remove(settings: Settings, name: str, force: bool) -> None:
    """Accept no more mail for DOMAIN. Mail on disk stays where it is."""
    with open_accounts(settings) as accounts:
        users = accounts.domains.remove(name, force)
    click.echo(f"Removed {parse_domain(name)}.")
    for user in users:
        tell_of_mail(settings, user)


def _facts(found: Domain) -> list[tuple[str, object]]:
    return [("users", found.users), ("aliases", found.aliases), ("catch-all", found.catch_all or "-")]
