"""``mailsuite token``: who may use the HTTP API (docs/admin-api.rst)."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mailsuite.admin.times import when
from mailsuite.admin.tokens import SCOPES, Scope, Token, TokenError, TokenFolder
from mailsuite.administered import tokens
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings


@click.group()
def token() -> None:
    """Make, list and take back tokens of the HTTP API; what is changed holds for the next request.

    The API is served where the configuration has a listener with service = "admin".

    \b
    Example:
      mailsuite token add billing
      mailsuite token add monitoring --scope read
      mailsuite token remove billing
    """


@token.command()
@click.argument("label")
@click.option("--scope", type=click.Choice(SCOPES), default="write", show_default=True, help="To look, or to change.")
@as_json
@with_site
def add(settings: Settings, label: str, scope: Scope, as_json: bool) -> None:
    """Draw a token for the program or person LABEL and show it: this once, and never again.

    \b
    Example:
      mailsuite token add billing
    """
    with _folder(settings) as folder:
        drawn = folder.add(label, scope, time.time())
    if as_json:
        print_json({"label": label, "scope": scope, "token": drawn})
        return
    click.echo(drawn)
    may = "look at the site and change it" if scope == "write" else "look at the site"
    click.echo(f"is the token of {label}, who may {may}. It is not shown again.", file=sys.stderr)


@token.command(name="list")
@as_json
@with_site
def list_(settings: Settings, as_json: bool) -> None:
    """List the tokens, with the time of their last use, a minute more or less."""
    with _folder(settings) as folder:
        found = folder.list()
    if as_json:
        print_json([_json(each) for each in found])
    else:
        rows = [(each.label, each.scope, when(each.made), _used(each) or "never") for each in found]
        print_table(("label", "scope", "made", "last used"), rows)


@token.command()
@click.argument("labels", metavar="LABEL...", nargs=-1, required=True)
@with_site
def remove(settings: Settings, labels: tuple[str, ...]) -> None:
    """Take tokens back: nobody uses the API by them from now on."""
    with _folder(settings) as folder:
        for label in labels:
            folder.remove(label)
            click.echo(f"The token of {label} is good for nothing any more.")


@contextmanager
def _folder(settings: Settings) -> Iterator[TokenFolder]:
    try:
        yield tokens(settings)
    except TokenError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"the tokens cannot be used: {error}") from error


def _used(found: Token) -> str | None:
    return None if found.last_used is None else when(found.last_used)


def _json(found: Token) -> dict[str, object]:
    return {"label": found.label, "scope": found.scope, "made": when(found.made), "last_used": _used(found)}
