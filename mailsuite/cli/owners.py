"""Whose mailboxes there are, whoever keeps the accounts: for commands that change none of them."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import click

from mailsuite.admin import users as admin
from mailsuite.administered import administered
from mailsuite.backends import backend, is_ours
from mailsuite.cli.accounts import open_accounts
from mailsuite.config import Settings
from mailsuite.directory.elsewhere import Elsewhere, Told
from mailsuite.directory.errors import AccountsError, Away, in_one_line
from mailsuite.directory.rows import User
from mailsuite.maybe import value_of
from mailsuite.meaning import Mailbox
from mailsuite.pathnames import path_address

T = TypeVar("T")


def user(settings: Settings, address: str) -> User:
    """Return the user *address*."""
    if not is_ours(settings):
        return _told(settings, address).user
    with open_accounts(settings) as accounts:
        return accounts.users.show(address)


def users(settings: Settings, domain: str | None) -> Sequence[User]:
    """Return all users, or those of *domain*."""
    if not is_ours(settings):
        return _asked(settings, lambda kept: kept.users(domain))
    with open_accounts(settings) as accounts:
        return list(accounts.users.list(domain))


def details_as_json(settings: Settings, address: str) -> tuple[User, dict[str, Any]]:
    """Return the user *address*, and for programs what is known of it; which aliases lead there is ``None`` where
    only a back end could list them."""
    site = administered(settings)
    if is_ours(settings):
        with open_accounts(settings) as accounts:
            return accounts.users.show(address), admin.details_as_json(site, accounts, address)
    told = _told(settings, address)
    return told.user, {
        **admin.as_json(site, told.user),
        "reads": str(path_address(told.user.mailbox.path) or told.user.name),
        "targets": told.targets,
        "aliases": None,
        "mechanisms": site.mechanisms(told.kinds),
    }


def elsewhere(settings: Settings, whom: str | None) -> Sequence[tuple[str, Mailbox]]:
    """Return the mailboxes of *whom* (a user, a domain, or everybody), each under its name, with its quota, where the
    accounts are not ours."""
    if whom is None or "@" not in whom:
        return _asked(settings, lambda kept: kept.mailboxes(whom))
    found = _told(settings, whom).user
    return [(found.name, found.mailbox)]


def _told(settings: Settings, address: str) -> Told:
    return _asked(settings, lambda kept: kept.show(address))


def _asked(settings: Settings, ask: Callable[[Elsewhere], Awaitable[T]]) -> T:
    """Return what *ask* finds out; what stands in the way ends the command with exit code 1."""
    # A tenth of a second that commands need not take where the accounts are ours.
    from twisted.internet import reactor

    from mailsuite.cli.settled import run_here, settled

    async def asked() -> T:
        kept = backend(settings, reactor, time.monotonic, run_here)
        kept.start()
        try:
            return await ask(Elsewhere(kept, settings.directory.backend))
        finally:
            await value_of(kept.stop())

    try:
        return settled(asked())
    except AccountsError as error:
        raise click.ClickException(str(error)) from error
    except Away as error:
        raise click.ClickException(f"the accounts do not answer now: {in_one_line(error)}; try again") from error
