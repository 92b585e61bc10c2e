"""``mailsuite cap``: how much a login, or a domain, may send before its mail is held."""

import click

from mailsuite.admin import caps as admin
from mailsuite.administered import administered
from mailsuite.cli.accounts import open_accounts
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.database import LARGEST
from mailsuite.meaning import Cap, Counted

_whom = click.argument("whom", metavar="USER|DOMAIN")


def _number(context: click.Context, option: click.Parameter, text: str) -> int | None:
    """Return the number that *text* is, 0 for "none", ``None`` for "default"."""
    if text in ("default", "none"):
        return None if text == "default" else 0
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not found:
        # What is kept as 0 is the contrary of what 0 seems to say.
        raise click.BadParameter('0 is no cap; no limit is "none", and to let nothing be sent: mailsuite user freeze')
    if not 0 < found <= LARGEST:
        raise click.BadParameter(f'{text!r} is no cap; expected a number, "none" or "default"')
    return found


@click.group()
def cap() -> None:
    """Cap what users submit: beyond that their mail is held in the queue, and they and the administrator are told.

    Caps of every login are in [caps] of the configuration; a login or a domain has its own by this command. What is
    held is listed by mailsuite queue list --held, and goes on by mailsuite queue release.

    \b
    Example:
      mailsuite cap set alice@example.com recipients day 5000
      mailsuite cap show example.com
      mailsuite cap list
    """


@cap.command(name="set")
@_whom
@click.argument("counted", type=click.Choice(["messages", "recipients"]))
@click.argument("span", type=click.Choice(list(admin.SPANS)))
@click.argument("most", metavar="N|none|default", callback=_number)
@with_site
def set_(settings: Settings, whom: str, counted: Counted, span: admin.Span, most: int | None) -> None:
    """Let a login, or all logins of a domain together, send so many messages, or to so many new recipients, in a time.

    A recipient is new to whom nothing was sent within a day. "none" sets no limit, "default" takes the cap off: what
    [caps] says holds again.

    \b
    Example:
      mailsuite cap set alice@example.com messages hour 500
      mailsuite cap set example.com recipients day 20000
      mailsuite cap set alice@example.com messages hour default
    """
    with open_accounts(settings) as accounts:
        accounts.caps.set(whom, counted, admin.SPANS[span], most)
    told = "as [caps] says" if most is None else str(most) if most else "any number of"
    click.echo(f"{whom}: {told} {counted} in {'an' if span == 'hour' else 'a'} {span}.")


@cap.command()
@_whom
@as_json
@with_site
def show(settings: Settings, whom: str, as_json: bool) -> None:
    """Show the caps that hold for a login, its domain's and everybody's with them, or those of a domain.

    \b
    Example:
      mailsuite cap show alice@example.com --json
    """
    with open_accounts(settings) as accounts:
        found = list(admin.in_force(administered(settings), accounts, whom))
    if as_json:
        print_json([admin.as_json(by, each) for by, each in found])
    else:
        print_table(("by", "counted", "in", "at most"), [(by, *_cells(each)) for by, each in found])


@cap.command(name="list")
@click.argument("domain", required=False)
@as_json
@with_site
def list_(settings: Settings, domain: str | None, as_json: bool) -> None:
    """List all logins and domains that have caps of their own, or DOMAIN and its logins.

    \b
    Example:
      mailsuite cap list
      mailsuite cap list example.com --json
    """
    with open_accounts(settings) as accounts:
        found = list(accounts.caps.list(domain))
    if as_json:
        print_json([admin.listed_as_json(whom, caps) for whom, caps in found])
    else:
        rows = [(whom, *_cells(each)) for whom, caps in found for each in caps]
        print_table(("by", "counted", "in", "at most"), rows)


def _cells(cap: Cap) -> tuple[object, ...]:
    names = {seconds: name for name, seconds in admin.SPANS.items()}
    return cap.counted, names.get(cap.seconds, f"{cap.seconds} s"), cap.most or "any number"
