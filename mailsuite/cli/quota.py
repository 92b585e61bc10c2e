"""``mailsuite quota``: how much may lie in mailboxes, how much does, and counting them anew."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from mailsuite.admin import quotas as admin
from mailsuite.administered import administered
from mailsuite.backends import is_ours
from mailsuite.cli.accounts import open_accounts
from mailsuite.cli.output import as_json, print_json, print_table, progress
from mailsuite.cli.owners import elsewhere
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.directory.quotas import Changes, OwnQuota
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.storage_rules import amount
from mailsuite.limits import quota_rules
from mailsuite.mailbox.layout import maildir
from mailsuite.mailbox.maildirsize import Usage
from mailsuite.meaning import NO_QUOTA, Mailbox, Quota
from mailsuite.service.notices import in_units, percent

# What an option says that takes a quota off: None is left to who comes next.
_DEFAULT = -1


def _size(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Return the octets, or the number, that *text* is; `_DEFAULT` where it gives the decision away."""
    if text is None:
        return None
    if text == "default":
        return _DEFAULT
    found = 0 if text == "none" else amount(text)
    if found is None:
        raise click.BadParameter(f'{text!r} is no quota; expected one such as 500M, 2G, 1000, "none" or "default"')
    return found


_whom = click.argument("whom", metavar="USER|DOMAIN")
_maybe_whom = click.argument("whom", metavar="[USER|DOMAIN]", required=False)


@click.group()
def quota() -> None:
    """Look at quotas of mailboxes and domains, set them, and count what lies in mailboxes.

    What neither a user nor the domain has a quota for is under that of [quota] in the configuration.

    \b
    Example:
      mailsuite quota set alice@example.com --octets 2G
      mailsuite quota set example.com --octets 500G --each-octets 5G
      mailsuite quota show alice@example.com
      mailsuite quota list
    """


@quota.command(name="set")
@_whom
@click.option("--octets", callback=_size, metavar="SIZE", help="How much may lie in it: 500M, 2G, none or 0, default.")
@click.option("--messages", callback=_size, metavar="N", help="How many messages may: a number, none or 0, default.")
@click.option("--each-octets", callback=_size, metavar="SIZE", help="Of DOMAIN: that of each mailbox without its own.")
@click.option("--each-messages", callback=_size, metavar="N", help="Of DOMAIN: that of each mailbox without its own.")
@with_site
def set_(
    settings: Settings,
    whom: str,
    octets: int | None,
    messages: int | None,
    each_octets: int | None,
    each_messages: int | None,
) -> None:
    """Give a user's mailbox, or all mailboxes of a domain together, a quota. It holds for the next message.

    "none" sets no limit, and so does 0; "default" leaves it to the domain, and for that to the configuration.

    \b
    Example:
      mailsuite quota set alice@example.com --octets 2G --messages 50000
      mailsuite quota set alice@example.com --octets default
      mailsuite quota set example.com --octets 500G --each-octets 5G
    """
    given, each = (octets, messages), (each_octets, each_messages)
    if all(value is None for value in (*given, *each)):
        raise click.UsageError("give --octets or --messages, or for a domain --each-octets or --each-messages")
    with open_accounts(settings) as accounts:
        if "@" in whom:
            if any(value is not None for value in each):
                raise click.UsageError("--each-octets and --each-messages are for a domain")
            quota = accounts.quotas.change_mailbox(whom, _changes(*given))
            click.echo(f"{parse_address(whom)}: {_said(quota)}.")
            return
        now = accounts.quotas.change_domain(whom, _changes(*given), _changes(*each))
    click.echo(f"{parse_domain(whom)} in all: {_said(now.together)}; each mailbox: {_said(now.each)}.")


@quota.command(name="list")
@click.argument("domain", required=False)
@as_json
@with_site
def list_(settings: Settings, domain: str | None, as_json: bool) -> None:
    """List all domains and mailboxes that have a quota of their own, or DOMAIN and its mailboxes. (What lies in
    mailboxes is shown by quota show.)

    \b
    Example:
      mailsuite quota list
      mailsuite quota list example.com --json
    """
    if is_ours(settings):
        with open_accounts(settings) as accounts:
            found = list(accounts.quotas.list(domain))
    else:
        # Nobody else keeps quotas of domains.
        boxes = elsewhere(settings, domain)
        found = [OwnQuota(name, box.quota, NO_QUOTA) for name, box in boxes if box.quota != NO_QUOTA]
    if as_json:
        print_json([admin.own_as_json(each) for each in found])
    else:
        rows = [(each.name, *_limits(each.quota), *_limits(each.each)) for each in found]
        print_table(("of", "octets", "messages", "each: octets", "each: messages"), rows)


@quota.command()
@_maybe_whom
@as_json
@with_site
def show(settings: Settings, whom: str | None, as_json: bool) -> None:
    """Show what lies in mailboxes, and what may: of all, of a DOMAIN's and of all of it together, or of one USER's.

    \b
    Example:
      mailsuite quota show
      mailsuite quota show alice@example.com --json
    """
    found, together = _mailboxes(settings, whom)
    with progress("Looking at mailboxes", len(found)) as advance:
        rows = [(name, box, _usage(settings, box)) for name, box in _each(found, advance)]
    default = quota_rules(settings).default
    total = Usage(sum(usage.octets for *_, usage in rows), sum(usage.messages for *_, usage in rows))
    if as_json:
        found_json = [admin.as_json(administered(settings), name, box, usage) for name, box, usage in rows]
        if together is not None and whom is not None:
            found_json.append({"domain": parse_domain(whom), **admin.amounts(together, total)})
        print_json(found_json)
        return
    table = [(name, *_cells(box.quota.otherwise(default), usage)) for name, box, usage in rows]
    if together is not None and whom is not None:
        table.append((f"{parse_domain(whom)} in all", *_cells(together, total)))
    print_table(("mailbox", "used", "of", "messages", "of", "full"), table)


@quota.command()
@_maybe_whom
@with_site
def recalculate(settings: Settings, whom: str | None) -> None:
    """Count what lies in mailboxes, and write their maildirsize anew: of all, of a DOMAIN's, or of one USER's.

    That happens by itself now and then; it is of use after another program has changed mailboxes without a word.

    \b
    Example:
      mailsuite quota recalculate example.com
    """
    found, _ = _mailboxes(settings, whom)
    site, wrong = administered(settings), 0
    with progress("Counting mailboxes", len(found)) as advance:
        for name, box in _each(found, advance):
            try:
                before, usage = admin.count(site, box)
            except OSError as error:
                path = maildir(settings.store.path, box)
                raise click.ClickException(f"{path} cannot be counted: {error.strerror}") from error
            if before is not None and before != usage:
                wrong += 1
                click.echo(f"{name}: was {_amounts(before)}, is {_amounts(usage)}")
    click.echo(f"Counted {counted(len(found), 'mailbox', 'mailboxes')}; {wrong} had another sum before.")


def _mailboxes(settings: Settings, whom: str | None) -> tuple[Sequence[tuple[str, Mailbox]], Quota | None]:
    """Return the mailboxes of *whom*, a user, a domain, or everybody; and of a domain what they may hold together."""
    of_domain = whom is not None and "@" not in whom
    if not is_ours(settings):
        found = elsewhere(settings, whom)
        shared = next((box.shared_quota for _, box in found), NO_QUOTA)
        return found, shared if of_domain else None
    with open_accounts(settings) as accounts:
        if whom is None:
            return list(accounts.quotas.mailboxes()), None
        if of_domain:
            together = accounts.quotas.domain(whom).together
            return list(accounts.quotas.mailboxes(parse_domain(whom))), together
        return [admin.of_address(accounts, whom)], None


def _each(found: Sequence[tuple[str, Mailbox]], advance: Any) -> Iterator[tuple[str, Mailbox]]:
    for name, box in found:
        yield name, box
        advance()


def _usage(settings: Settings, box: Mailbox) -> Usage:
    try:
        return admin.usage(administered(settings), box)
    except OSError as error:
        path = maildir(settings.store.path, box)
        raise click.ClickException(f"{path} cannot be looked at: {error.strerror}") from error


def _changes(octets: int | None, messages: int | None) -> Changes:
    given = {"octets": octets, "messages": messages}
    return {name: None if value == _DEFAULT else value for name, value in given.items() if value is not None}


def _limits(quota: Quota) -> tuple[object, object]:
    octets = "-" if quota.octets is None else in_units(quota.octets) if quota.octets else "any"
    return octets, "-" if quota.messages is None else quota.messages or "any"


def _said(quota: Quota) -> str:
    octets = "default size" if quota.octets is None else in_units(quota.octets) if quota.octets else "any size"
    if quota.messages is None:
        return f"{octets}, default number of messages"
    return f"{octets}, {counted(quota.messages, 'message') if quota.messages else 'any number of messages'}"


def _amounts(usage: Usage) -> str:
    return f"{in_units(usage.octets)} in {counted(usage.messages, 'message')}"


def _cells(quota: Quota, usage: Usage) -> tuple[object, ...]:
    full = f"{percent(*usage, quota)} %" if quota else "-"
    limit = in_units(quota.octets) if quota.octets else "-"
    return in_units(usage.octets), limit, usage.messages, quota.messages or "-", full
