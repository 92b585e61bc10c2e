"""``mailsuite cap``: how much a login, or a domain, may send before its mail is held."""

import click

from mailsuite.cli.accounts import as_json, open_accounts
from mailsuite.cli.output import print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.limits import default_caps
from mailsuite.meaning import Cap, Counted
from mailsuite.policy.caps import DAY, HOUR

_SPANS = {"hour": HOUR, "day": DAY}
_whom = click.argument("whom", metavar="USER|DOMAIN")


def _number(context: click.Context, option: click.Parameter, text: str) -> int | None:
    """Return the number that *text* is, 0 for "none", ``None`` for "default"."""
    if text == "default":
        return None
    if text != "none" and not (text.isascii() and text.isdigit() and int(text) < 1 << 63):
        raise click.BadParameter(f'{text!r} is no cap; expected a number, "none" or "default"')
    return 0 if text == "none" else int(text)


@click.group()
def cap() -> None:
    """Cap what users submit: beyond that their mail is held in the queue, and they and the administrator are told.

    Caps of every login are in [caps] of the configuration; a login or a domain has its own by this command. What is
    held is listed by mailsuite queue list --held, and goes on by mailsuite queue release.

    \b
    Example:
      mailsuite cap set alice@example.com recipients day 5000
      mailsuite cap show example.com
    """


@cap.command(name="set")
@_whom
@click.argument("counted", type=click.Choice(["messages", "recipients"]))
@click.argument("span", type=click.Choice(list(_SPANS)))
@click.argument("most", metavar="N|none|default", callback=_number)
@with_site
def set_(settings: Settings, whom: str, counted: Counted, span: str, most: int | None) -> None:
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
        accounts.caps.set(whom, counted, _SPANS[span], most)
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
        own = accounts.caps.show(whom)
        domain = whom.rpartition("@")[2]
        found = [(whom, each) for each in own]
        if domain != whom:
            found += [(f"all of {domain}", each) for each in accounts.caps.show(domain)]
    if "@" in whom:
        said = {(each.counted, each.seconds) for each in own}
        found += [("[caps]", each) for each in default_caps(settings) if (each.counted, each.seconds) not in said]
    if as_json:
        print_json([
            {"by": by, "counted": each.counted, "seconds": each.seconds, "most": each.most or None}
            for by, each in found
        ])  # fmt: skip
    else:
        print_table(("by", "counted", "in", "at most"), [(by, *_cells(each)) for by, each in found])


def _cells(cap: Cap) -> tuple[object, ...]:
    names = {seconds: name for name, seconds in _SPANS.items()}
    return cap.counted, names.get(cap.seconds, f"{cap.seconds} s"), cap.most or "any number"
