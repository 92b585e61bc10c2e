"""``mailsuite alias``: addresses whose mail goes to others."""

from dataclasses import asdict

import click

from mailsuite.cli.accounts import as_json, force, open_accounts
from mailsuite.cli.output import print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.rows import Alias


@click.group()
def alias() -> None:
    """Add, list and remove aliases: addresses whose mail goes to users, other aliases, or addresses elsewhere.

    \b
    Example:
      mailsuite alias add sales@example.com alice@example.com friend@elsewhere.example
    """


@alias.command()
@click.argument("address")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@with_site
def add(settings: Settings, address: str, targets: tuple[str, ...]) -> None:
    """Let mail for ADDRESS go to each TARGET, besides the targets that it has already.

    A user's own address can be an alias too, if it is among its targets: so the user keeps a copy. A target of
    another system gets the mail as it is, from an address of ours that leads back to the sender (see mailsuite srs).

    \b
    Example:
      mailsuite alias add sales@example.com alice@example.com bob@example.com
      mailsuite alias add alice@example.com alice@example.com alice@elsewhere.example
    """
    with open_accounts(settings) as accounts:
        added = accounts.aliases.add(address, targets)
    click.echo(_sentence(added))


@alias.command(name="list")
@click.argument("domain", required=False)
@as_json
@with_site
def list_(settings: Settings, domain: str | None, as_json: bool) -> None:
    """List all aliases, or those of DOMAIN."""
    with open_accounts(settings) as accounts:
        found = list(accounts.aliases.list(domain))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        print_table(("alias", "targets"), [(each.name, ", ".join(each.targets)) for each in found])


@alias.command()
@click.argument("address")
@click.argument("targets", metavar="[TARGET...]", nargs=-1)
@force
@with_site
def remove(settings: Settings, address: str, targets: tuple[str, ...], force: bool) -> None:
    """Remove each TARGET from the alias ADDRESS, or the whole alias where none is named.

    \b
    Example:
      mailsuite alias remove sales@example.com bob@example.com
    """
    with open_accounts(settings) as accounts:
        left = accounts.aliases.remove(address, targets, force)
    click.echo(f"Removed {address}." if left is None else _sentence(left))


def _sentence(found: Alias) -> str:
    return f"{found.name} goes to {', '.join(found.targets)}."
