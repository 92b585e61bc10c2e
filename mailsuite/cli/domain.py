"""``mailsuite domain``: which domains are ours, and what becomes of mail for them."""

import click

from mailsuite.admin import domains as admin
from mailsuite.administered import administered
from mailsuite.cli.accounts import open_accounts, tell
from mailsuite.cli.bulk_import import import_domains
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.rows import CLASSES, LOCAL, SENDERS, Domain, DomainClass, SenderRule

ABOUT_CLASSES = """\b
Classes:
  local      mail ends here, in mailboxes and aliases
  relay      mail is taken from anybody and passed on, by [routes] or MX
  backup     the same, as the backup MX of another system; see mailsuite backup-mx
  send-only  users of the domain send from here, mail for it is not taken
"""

ABOUT_SENDERS = """\b
Who may send from addresses of the domain that are nobody's mailbox:
  own      nobody: each user only from the mailbox's address, with +anything
  reached  whom their mail reaches by an alias or as postmaster (the default)
  caught   whom their mail reaches by the catch-all, too
  domain   everybody who has a mailbox in the domain
"""

alias_of = click.option(
    "--alias-of", metavar="OTHER", help="Look up in the domain OTHER what this one has no address for."
)
catch_all = click.option("--catch-all", metavar="ADDRESS", help="Where mail for unknown addresses of the domain goes.")
domain_class = click.option("--class", "domain_class", type=click.Choice(CLASSES), help="What becomes of its mail.")


@click.group()
def domain() -> None:
    """Add, list, change and remove the domains that mail is accepted for.

    \b
    Example:
      mailsuite domain add example.com
      mailsuite domain set example.com --catch-all alice@example.com
      mailsuite domain add example.net --class backup
      mailsuite domain add example.de --alias-of example.com
    """


@domain.command(epilog=ABOUT_CLASSES)
@click.argument("name", metavar="DOMAIN")
@domain_class
@catch_all
@alias_of
@with_site
def add(
    settings: Settings, name: str, domain_class: DomainClass | None, catch_all: str | None, alias_of: str | None
) -> None:
    """Accept mail for DOMAIN, by default as one of class local.

    A mailbox postmaster@DOMAIN is made with a local one, unless [directory] postmaster names another address. It
    can log in once it has a password: mailsuite user passwd postmaster@DOMAIN. A domain that is an alias of OTHER has
    all of OTHER's addresses besides its own, its catch-all and its postmaster too.

    \b
    Example:
      mailsuite domain add example.com
      mailsuite domain add example.net --class backup
      mailsuite domain add example.de --alias-of example.com
    """
    with open_accounts(settings) as accounts:
        done = admin.add(administered(settings), accounts, name, domain_class or LOCAL, catch_all, alias_of)
    click.echo(f"Added {_classed(done.value)}.")
    tell(done)


@domain.command(name="list")
@as_json
@with_site
def list_(settings: Settings, as_json: bool) -> None:
    """List all domains."""
    with open_accounts(settings) as accounts:
        found = list(accounts.domains.list())
    if as_json:
        print_json([admin.as_json(each) for each in found])
    else:
        rows = [
            (each.name, each.domain_class, each.users, each.aliases, each.catch_all or "-", each.alias_of or "-")
            for each in found
        ]
        print_table(("domain", "class", "users", "aliases", "catch-all", "alias of"), rows)


@domain.command(name="set", epilog=f"{ABOUT_CLASSES}\n{ABOUT_SENDERS}")
@click.argument("name", metavar="DOMAIN")
@catch_all
@click.option("--no-catch-all", is_flag=True, help="Refuse mail for unknown addresses.")
@domain_class
@alias_of
@click.option("--no-alias-of", is_flag=True, help="Have no other domain's addresses any more.")
@click.option("--senders", type=click.Choice(SENDERS), help="Who may send from its addresses.")
@click.option("--force", is_flag=True, help="Change the class although users or aliases get no more mail by it.")
@with_site
def set_(
    settings: Settings, name: str, catch_all: str | None, no_catch_all: bool, domain_class: DomainClass | None,
    alias_of: str | None, no_alias_of: bool, senders: SenderRule | None, force: bool,
) -> None:
    """Change DOMAIN: one thing at a time.

    \b
    Example:
      mailsuite domain set example.com --catch-all alice@example.com
      mailsuite domain set example.com --class relay
      mailsuite domain set example.com --senders caught
    """
    given = [value for value in (catch_all, domain_class, alias_of, senders) if value is not None]
    if len(given) + no_catch_all + no_alias_of != 1:
        raise click.UsageError(
            "give one of --catch-all ADDRESS, --no-catch-all, --class CLASS, --alias-of OTHER, --no-alias-of and"
            " --senders RULE"
        )
    with open_accounts(settings) as accounts:
        if domain_class is not None:
            done = admin.set_class(administered(settings), accounts, name, domain_class, force)
            click.echo(f"{done.value.name} is of class {done.value.domain_class}.")
            tell(done)
        elif senders is not None:
            changed = accounts.domains.set_senders(name, senders)
            click.echo(f"From addresses of {changed.name} may send: {changed.senders}.")
        elif alias_of is not None or no_alias_of:
            done = admin.set_alias_of(administered(settings), accounts, name, alias_of)
            other = done.value.alias_of
            told = f"an alias of {other}" if other else "no alias of another domain"
            click.echo(f"{done.value.name} is {told}.")
            tell(done)
        else:
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
        print_json(admin.as_json(found))
    else:
        print_table(("", found.name), _facts(found))


@domain.command()
@click.argument("name", metavar="DOMAIN")
@click.option("--force", is_flag=True, help="Remove its users and aliases too, and what leads there from elsewhere.")
@with_site
def remove(settings: Settings, name: str, force: bool) -> None:
    """Accept no more mail for DOMAIN. Mail on disk stays where it is."""
    with open_accounts(settings) as accounts:
        removed = admin.remove(administered(settings), accounts, name, force)
    click.echo(f"Removed {removed.value}.")
    for note in removed.notes:
        click.echo(note)


def _classed(found: Domain) -> str:
    if found.alias_of:
        return f"{found.name}, an alias of {found.alias_of}"
    return found.name if found.domain_class == LOCAL else f"{found.name}, of class {found.domain_class}"


def _facts(found: Domain) -> list[tuple[str, object]]:
    return [
        ("class", found.domain_class),
        ("users", found.users),
        ("aliases", found.aliases),
        ("catch-all", found.catch_all or "-"),
        ("alias of", found.alias_of or "-"),
        ("senders", found.senders),
    ]


domain.add_command(import_domains)
