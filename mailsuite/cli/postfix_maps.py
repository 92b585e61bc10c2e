"""Postfix's tables become domains, users and aliases here."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import click

from mailsuite.address import POSTMASTER
from mailsuite.admin import domains as admin
from mailsuite.administered import administered
from mailsuite.cli.accounts import make_mail_folder, open_accounts, tell
from mailsuite.cli.bulk_import import add_aliases
from mailsuite.cli.output import progress
from mailsuite.cli.rows import Row
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsError, BadName
from mailsuite.directory.postfix_maps import Entry, entries, targets, whole
from mailsuite.directory.rows import Imported, Rejected, User
from mailsuite.directory.secrets import Kept
from mailsuite.directory.spelling import parse_address, parse_domain

Say: TypeAlias = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Maps:
    """The lines of each table, and the *domain* of names that have none."""

    mailboxes: Iterable[str]
    virtual: Iterable[str]
    aliases: Iterable[str]
    domain: str


@dataclass(slots=True)
class _Done:
    """So many of what was planned are made, or were here."""

    users: int = 0
    aliases: int = 0
    catch_alls: int = 0
    alias_domains: int = 0


@dataclass(slots=True)
class _Plan:
    """What is to be made: users, aliases, and what whole domains lead to; and what cannot be used, in words.

    The number of an alias is its index in *lines*, which say where it stands: two tables have lines of one number.
    """

    users: dict[str, None] = field(default_factory=dict)
    aliases: list[Row] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    catch_alls: dict[str, str] = field(default_factory=dict)
    alias_domains: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def domains(self) -> dict[str, None]:
        """The domains that these need."""
        addresses = [*self.users, *(row.text("address") for row in self.aliases)]
        names = [*(address.rpartition("@")[2] for address in addresses), *self.catch_alls]
        return dict.fromkeys(name for name in names if name not in self.alias_domains)


def move_maps(settings: Settings, maps: Maps, dry_run: bool) -> None:
    """Make of *maps* what they say; what cannot be made is named at the end, and makes the exit code 1."""
    plan = _planned(maps)
    with open_accounts(settings) as accounts:
        if dry_run:
            with accounts.rehearsed() as rehearsed:
                done = _make(settings, rehearsed, plan, _quiet)
            numbers = (
                counted(done.users, "user"), counted(done.aliases, "alias", "aliases"),
                counted(done.catch_alls, "catch-all"),
            )  # fmt: skip
            domains = counted(done.alias_domains, "alias domain")
            click.echo(f"{', '.join(numbers)} and {domains} would be made, or are here.")
        else:
            _make(settings, accounts, plan, click.echo, partial(make_mail_folder, settings))
    for text in plan.wrong:
        click.echo(text, err=True)
    if plan.wrong:
        raise click.ClickException(f"{counted(len(plan.wrong), 'entry', 'entries')} cannot be used")


def _planned(maps: Maps) -> _Plan:
    plan = _Plan()
    for entry in entries(maps.mailboxes, colon=False):
        # (A whole domain there says that all its addresses are one mailbox's: that is a catch-all.)
        if entry.key.startswith("@"):
            plan.wrong.append(f"mailboxes, line {entry.line}: {entry.key} is no address; a catch-all is for it")
            continue
        with_key = _keyed(plan, "mailboxes", entry, maps.domain)
        if with_key:
            plan.users[with_key] = None
    for entry in entries(maps.virtual, colon=False):
        if entry.key.startswith("@"):
            _whole_domain(plan, entry, maps.domain)
        elif "@" in entry.key or maps.domain or "." not in entry.key:
            _alias(plan, "virtual", entry, maps.domain)
    for entry in entries(maps.aliases, colon=True):
        _alias(plan, "aliases", entry, maps.domain)
    return plan


def _alias(plan: _Plan, table: str, entry: Entry, domain: str) -> None:
    # A line "example.com anything" says that this is a domain of aliases.
    if table == "virtual" and "@" not in entry.key and "." in entry.key:
        return
    address = _keyed(plan, table, entry, domain)
    if not address:
        return
    try:
        found = targets(entry.value, domain or address.rpartition("@")[2])
    except ValueError as error:
        plan.wrong.append(f"{table}, line {entry.line}: {error}")
        return
    if found != [address]:
        plan.aliases.append(Row(len(plan.lines), {"address": address, "targets": found}))
        plan.lines.append(f"{table}, line {entry.line}")


def _whole_domain(plan: _Plan, entry: Entry, domain: str) -> None:
    try:
        key = parse_domain(entry.key[1:])
        if entry.value.startswith("@"):
            plan.alias_domains[key] = parse_domain(entry.value[1:])
            return
        (plan.catch_alls[key],) = targets(entry.value, domain or key)
    except BadName as error:
        plan.wrong.append(f"virtual, line {entry.line}: {error}")
    except ValueError:
        plan.wrong.append(f"virtual, line {entry.line}: a catch-all has one target, and that is an address")


def _keyed(plan: _Plan, table: str, entry: Entry, domain: str) -> str:
    """Return the key of *entry* as an address in key form; empty where it is none, and that is told."""
    try:
        if entry.wrong:
            raise BadName(entry.wrong)
        return str(parse_address(whole(entry.key, domain)))
    except BadName as error:
        plan.wrong.append(f"{table}, line {entry.line}: {error}")
        return ""


def _make(
    settings: Settings, accounts: Accounts, plan: _Plan, say: Say, make_folder: Callable[[User], None] | None = None
) -> _Done:
    """Make what is planned, and *say* so; return how much of it there is then. Without *make_folder* no folders."""
    site = administered(settings)
    there = {found.name for found in accounts.domains.list()}
    aliased = {row.text("address") for row in plan.aliases}
    # In the order of the tables: the first of all is where <Postmaster> goes.
    for name in [name for name in plan.domains if name not in there]:
        with _told(plan):
            # A postmaster that is an alias there is no user here.
            own = admin.needs_postmaster(site, name) and f"{POSTMASTER}@{name}" not in aliased
            accounts.domains.add(name, None, own)
            say(f"Added the domain {name}.")
    done = _Done()
    for name, other in plan.alias_domains.items():
        if name in there:
            done.alias_domains += 1
            continue
        with _told(plan):
            # (It gets no postmaster, so no folder either.)
            tell(admin.add(site, accounts, name, alias_of=other))
            done.alias_domains += 1
            say(f"Added the domain {name}, an alias of {other}.")
    done.users = _add_users(accounts, plan, say, make_folder)
    with progress("aliases", len(plan.aliases)) as advance:
        done.aliases, wrong = add_aliases(accounts, plan.aliases, advance, stop=False)
    plan.wrong += [f"{plan.lines[number]}: {reason}" for number, reason in sorted(wrong.items())]
    say(f"{counted(done.aliases, 'alias is', 'aliases are')} here.")
    for name, target in plan.catch_alls.items():
        with _told(plan):
            accounts.domains.set_catch_all(name, target)
            done.catch_alls += 1
            say(f"The catch-all of {name} is {target}.")
    return done


def _add_users(accounts: Accounts, plan: _Plan, say: Say, make_folder: Callable[[User], None] | None) -> int:
    """Add those who are not there; return how many of the planned ones there are then."""
    there = {user.name for user in accounts.users.list()}
    names = [name for name in plan.users if name not in there]
    done = 0
    with progress("users", len(names)) as advance:
        # Of passwords these tables tell nothing.
        for outcome in accounts.import_users([(name, "") for name in names], lambda name, _: Kept(""), advance):
            if isinstance(outcome, Imported):
                if make_folder is not None:
                    make_folder(outcome.user)
                done += 1
            elif isinstance(outcome, Rejected):
                plan.wrong.append(outcome.reason)
    say(f"Added {counted(done, 'user')}; they log in once they have passwords: mailsuite user passwd.")
    return len(plan.users) - len(names) + done


def _quiet(text: str) -> None:
    """Say nothing."""


@contextmanager
def _told(plan: _Plan) -> Iterator[None]:
    try:
        yield
    except AccountsError as error:
        plan.wrong.append(str(error))
