"""The accounts of another server become users here, and their Maildirs are brought."""

import os
from collections.abc import Sequence

import click

from mailsuite.admin.domains import needs_postmaster
from mailsuite.administered import administered
from mailsuite.cli.accounts import hash_keeper, make_mail_folder, open_accounts
from mailsuite.cli.moving import Old, bring_tree, look_over, report
from mailsuite.cli.output import progress
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsError, BadName, NoSuch
from mailsuite.directory.old_accounts import BadLine, OldAccount, placed
from mailsuite.directory.passwords import UnfitPassword
from mailsuite.directory.rows import Imported, Rejected, User
from mailsuite.directory.spelling import parse_address
from mailsuite.reach import present

# Where neither the line nor an option says where mail is.
USUAL_MAIL = "%h/Maildir"


def move_accounts(
    settings: Settings, lines: Sequence[OldAccount | BadLine], domain: str | None, mail: str | None,
    maildirs: Old, dry_run: bool,
) -> None:
    """Make users of *lines*, and bring their mail: by the pattern *mail*, by what a line says where that is empty, or
    not at all for ``None``.

    Lines that cannot be used are named at the end, and make the exit code 1.
    """
    wrong = {each.line: each.reason for each in lines if isinstance(each, BadLine)}
    accounts_there = [each for each in lines if isinstance(each, OldAccount)]
    with open_accounts(settings) as accounts:
        users = _users(settings, accounts, accounts_there, domain, wrong, dry_run)
    for old, user in users if mail is not None else ():
        where = placed(mail, old.name, old.home) if mail else old.mail or placed(USUAL_MAIL, old.name, old.home)
        try:
            there = present(where) and os.path.isdir(where)
        except OSError as error:
            wrong[old.line] = f"{where} cannot be reached: {error.strerror}"
            continue
        try:
            if not there:
                who = f"{user} would come" if isinstance(user, str) else f"{user.name} is here"
                wrong[old.line] = f"{who}, but there is no Maildir {where}; where it is says --mail"
            elif isinstance(user, str):
                report(look_over(user, where, maildirs))
            else:
                report(bring_tree(settings, user, where, maildirs, dry_run))
        except click.ClickException as error:
            wrong[old.line] = error.message
    for number, reason in sorted(wrong.items()):
        click.echo(f"line {number}: {reason}", err=True)
    if wrong:
        raise click.ClickException(f"{counted(len(wrong), 'line was', 'lines were')} not brought whole")


def _users(
    settings: Settings, accounts: Accounts, found: Sequence[OldAccount], domain: str | None, wrong: dict[int, str],
    dry_run: bool,
) -> Sequence[tuple[OldAccount, User | str]]:
    """Return those of *found* that are users here, after they were made; in a *dry_run* the names of those that would
    be."""
    named: list[tuple[OldAccount, str]] = []
    for old in found:
        try:
            named.append((old, str(parse_address(_whole(old.name, domain)))))
        except AccountsError as error:
            wrong[old.line] = str(error)
    there = {user.name: user for user in accounts.users.list()}
    made = [(old, name) for old, name in named if name not in there]
    if dry_run:
        fit = [(old, name) for old, name in made if _is_fit(settings, old, name, wrong)]
        here = counted(len(named) - len(made), "is", "are")
        click.echo(f"{counted(len(fit), 'user')} would be added, {here} here already.")
        return [(old, there.get(name, name)) for old, name in named if name in there or (old, name) in fit]
    _add_domains(settings, accounts, [name for _, name in made])
    for old, name in made:
        if not old.stored:
            try:
                there[name] = accounts.users.add(name)
                make_mail_folder(settings, there[name])
            except AccountsError as error:
                wrong[old.line] = str(error)
    hashed = [(old, name) for old, name in made if old.stored]
    with progress("users", len(hashed)) as advance:
        rows = [(name, old.stored) for old, name in hashed]
        for outcome in accounts.import_users(rows, hash_keeper(settings), advance):
            if isinstance(outcome, Imported):
                there[outcome.user.name] = outcome.user
                make_mail_folder(settings, outcome.user)
            elif isinstance(outcome, Rejected):
                wrong[hashed[outcome.index][0].line] = outcome.reason
    added = counted(sum(name in there for _, name in made), "user")
    click.echo(f"Added {added}; {counted(len(named) - len(made), 'was', 'were')} here already.")
    return [(old, there[name]) for old, name in named if name in there]


def _is_fit(settings: Settings, old: OldAccount, name: str, wrong: dict[int, str]) -> bool:
    """Say whether what is stored of the password can be kept; else it is *wrong*."""
    try:
        if old.stored:
            hash_keeper(settings)(name, old.stored)
    except UnfitPassword as error:
        wrong[old.line] = str(error)
    return old.line not in wrong


def _add_domains(settings: Settings, accounts: Accounts, names: Sequence[str]) -> None:
    for domain in dict.fromkeys(name.rpartition("@")[2] for name in names):
        try:
            accounts.domains.show(domain)
        except NoSuch:
            added = accounts.domains.add(domain, None, needs_postmaster(administered(settings), domain))
            click.echo(f"Added the domain {added.name}.")


def _whole(name: str, domain: str | None) -> str:
    if "@" in name:
        return name
    if domain is None:
        raise BadName(f"{name} has no domain; say which with --domain")
    return f"{name}@{domain}"
