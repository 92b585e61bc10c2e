"""Mailboxes that several logins read: whether one is shared, by whom, and when a message of it goes."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from mailsuite.admin.mail_folders import mail_path
from mailsuite.admin.site import Site
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.rows import User
from mailsuite.directory.spelling import parse_address
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.sharing import Sharing, is_shared

# A hundred years.
MOST_DAYS = 36_500


class InTheWay(Exception):
    """That cannot be done to the mailbox as it is now; the text says what stands in the way."""


@dataclass(frozen=True, slots=True)
class SharedMailbox:
    """How the mailbox of *name* is shared, if it is: by the logins *readers*; a message goes *days* after all of these
    have hidden it, or never."""

    name: str
    shared: bool
    days: int | None
    readers: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"mailbox": self.name, "shared": self.shared, "expire_hidden": self.days, "readers": self.readers}


def show(site: Site, accounts: Accounts, address: str) -> SharedMailbox:
    """Return how the mailbox that *address* reads is shared. Raises `NoSuch`."""
    path = mail_path(site, accounts.users.show(address))
    shared = is_shared(path)
    days = Sharing(path).days if shared else None
    return SharedMailbox(accounts.users.owner(address), shared, days, tuple(accounts.users.readers(address)))


def share(site: Site, accounts: Accounts, address: str, days: int | None) -> SharedMailbox:
    """Let several logins read the mailbox, each with its own marks; a message goes *days* after all have hidden it.

    Raises `NoSuch`, or `InTheWay` while somebody is logged in.
    """
    user = accounts.users.show(address)
    path = mail_path(site, user)
    with alone(site, user) if not is_shared(path) else nullcontext():
        Sharing(path).begin(days, accounts.users.readers(address))
    return show(site, accounts, address)


def unshare(site: Site, accounts: Accounts, address: str) -> SharedMailbox:
    """Let the mailbox be one login's alone, who sees all that is there.

    Raises `NoSuch`, or `InTheWay` where others read it, or while somebody is logged in.
    """
    user = accounts.users.show(address)
    owner = accounts.users.owner(address)
    others = [name for name in accounts.users.readers(address) if name != owner]
    if others:
        raise InTheWay(
            f"{', '.join(others)} would still read it; remove these first with: mailsuite user remove"
        )
    path = mail_path(site, user)
    with alone(site, user):
        if is_shared(path):
            Sharing(path).end()
    return show(site, accounts, address)


def refuse_reader(site: Site, accounts: Accounts, address: str, login: str) -> None:
    """Raise what `add_reader` would raise, and change nothing."""
    if not is_shared(mail_path(site, accounts.users.show(address))):
        owner = accounts.users.owner(address)
        raise InTheWay(f"{owner} is not shared; first: mailsuite mailbox set {owner} --shared")
    accounts.users.refuse_taken(login)


def add_reader(site: Site, accounts: Accounts, address: str, login: str, password: str) -> SharedMailbox:
    """Let *login*, which is new and has no mail of its own, read the shared mailbox.

    Raises `NoSuch`, `InTheWay` where the mailbox is not shared, `WrongClass`, `Exists` or `UnfitPassword`.
    """
    refuse_reader(site, accounts, address, login)
    kept = site.keep(str(parse_address(login)), password)
    added = accounts.users.add_reader(login, address, kept.hashed, kept.secrets)
    Sharing(mail_path(site, added)).join(added.name)
    return show(site, accounts, address)


@contextmanager
def alone(site: Site, user: User) -> Iterator[str]:
    """Yield the folder of the user's mailbox, which nobody else opens meanwhile. Raises `InTheWay`."""
    path = mail_path(site, user)
    locks = Locks(f"{site.state}/locks")
    try:
        if not locks.acquire(path):
            raise InTheWay(f"{user.name} is logged in: try again when that session is over")
        yield path
    finally:
        locks.close()
