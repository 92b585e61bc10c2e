"""``mailsuite alias``: addresses whose mail goes to others."""

from dataclasses import asdict

import click

from mailsuite.cli.accounts import day, force, open_accounts
from mailsuite.cli.bulk_import import import_aliases
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.replies import chosen
from mailsuite.directory.rows import Alias


@click.group()
def alias() -> None:
    """Add, list and remove aliases: addresses whose mail goes to users, other aliases, or addresses elsewhere.

    \b
    Example:
      mailsuite alias add sales@example.com alice@example.com friend@elsewhere.example
      mailsuite alias add '*-bills@example.com' alice@example.com
      mailsuite alias reject old@example.com --text "Please write to sales@example.com"
    """


@alias.command()
@click.argument("address")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--keep", is_flag=True, help="Let a user's own mailbox keep a copy: ADDRESS is a TARGET too.")
@with_site
def add(settings: Settings, address: str, targets: tuple[str, ...], keep: bool) -> None:
    """Let mail for ADDRESS go to each TARGET, besides the targets that it has already.

    A user's own address can be an alias too, if it is among its targets: so the user keeps a copy. An asterisk in a
    new ADDRESS stands for any characters, or none: such an alias gets what no user or other alias has the name of, and
    of several the one that says most. A target of
    another system gets the mail as it is, from an address of ours that leads back to the sender (see mailsuite srs).

    \b
    Example:
      mailsuite alias add sales@example.com alice@example.com bob@example.com
      mailsuite alias add alice@example.com alice@elsewhere.example --keep
      mailsuite alias add '*-bills@example.com' bob@example.com
    """
    with open_accounts(settings) as accounts:
        added = accounts.aliases.add(address, (address, *targets) if keep else targets)
    click.echo(_sentence(added))


@alias.command(name="list")
@click.argument("domain", required=False)
@as_json
@with_site
def list_(settings: Settings, domain: str | None, as_json: bool) -> None:
    """List all aliases, or those of DOMAIN, and the addresses that are answered with a reply of their own."""
    with open_accounts(settings) as accounts:
        found = list(accounts.aliases.list(domain))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        print_table(("alias", "targets", "reply"), [_row(each) for each in found])


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


@alias.command()
@click.argument("address")
@click.option("--code", type=int, default=550, show_default=True, help="The reply code (RFC 5321).")
@click.option("--status", help="The enhanced status code (RFC 3463); by default one that goes with the code.")
@click.option("--text", default="This address takes no mail", show_default=True, help="What is said.")
@click.option("--off", is_flag=True, help="Answer with no such reply any more.")
@with_site
def reject(settings: Settings, address: str, code: int, status: str | None, text: str, off: bool) -> None:
    """Answer mail for ADDRESS with a reply of your choice: of a user, an alias, or one that leads nowhere.

    What it was before it is again with --off. Codes that begin with 4 let the other server come again. ADDRESS may
    have asterisks, as with alias add. Mail for postmaster and abuse is never refused.

    \b
    Example:
      mailsuite alias reject old@example.com --text "Please write to sales@example.com"
      mailsuite alias reject moving@example.com --code 450 --text "Back tomorrow"
      mailsuite alias reject old@example.com --off
    """
    with open_accounts(settings) as accounts:
        if off:
            left = accounts.aliases.accept(address)
            click.echo(f"{address} has no reply of its own any more." if left is None else _sentence(left))
        else:
            click.echo(_sentence(accounts.aliases.reject(address, chosen(code, text, status))))


def _sentence(found: Alias) -> str:
    if not found.reply:
        return f"{found.name} goes to {', '.join(found.targets)}."
    return f"{found.name} is answered with: {_row(found)[2]}"


def _row(found: Alias) -> tuple[str, str, str]:
    reply = f"from {day(found.since)}: {found.reply}" if found.since else found.reply
    return found.name, ", ".join(found.targets) or "-", reply or "-"


alias.add_command(import_aliases)
