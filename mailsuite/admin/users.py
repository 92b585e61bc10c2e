"""Users: a change, with the password that is kept of it, and with the mail folder."""

from collections.abc import Sequence
from typing import Any

from mailsuite.admin.mail_folders import left_mail, mail_path, make_mail_folder
from mailsuite.admin.site import Done, Site
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.replies import chosen
from mailsuite.directory.rows import User
from mailsuite.directory.spelling import parse_address
from mailsuite.mailbox.sharing import Sharing, is_shared

# What is said of who has left, unless something else is; with the status of a mailbox that has moved (RFC 3463).
LEFT = "This person is no longer here"
MOVED = "5.1.6"


def add(site: Site, accounts: Accounts, address: str, password: str | None) -> Done[User]:
    """Make the user *address*, with its mail folder; without a *password* it cannot log in.

    Raises what `Users.add` raises, or `UnfitPassword`.
    """
    accounts.users.refuse_taken(address)
    if password is None:
        return make_mail_folder(site, accounts.users.add(address))
    kept = site.keep(str(parse_address(address)), password)
    return make_mail_folder(site, accounts.users.add(address, kept.hashed, kept.secrets))


def set_password(site: Site, accounts: Accounts, address: str, password: str) -> str:
    """Give the user a new password; return its name. Raises `NoSuch` or `UnfitPassword`."""
    name = accounts.users.show(address).name
    kept = site.keep(name, password)
    accounts.users.set_password(name, kept.hashed, kept.secrets)
    return name


def remove(site: Site, accounts: Accounts, address: str, force: bool = False) -> Done[User]:
    """Remove the user; its mail stays on disk. See `Users.remove`."""
    removed = accounts.users.remove(address, force)
    path = mail_path(site, removed)
    if is_shared(path):
        # Messages that the others have hidden wait no more for this one.
        Sharing(path).leave(removed.name)
    left = left_mail(site, removed)
    return Done(removed, (left,) if left else ())


def leave(
    accounts: Accounts, address: str, until: int, targets: Sequence[str] = (), copy: bool = True, text: str = LEFT
) -> User:
    """Let the user leave: its mail goes to *targets* until *until* (POSIX seconds), and is refused with *text* then.

    With *copy* the mailbox gets a copy of what goes to them. See `Aliases.leave`.
    """
    accounts.aliases.leave(address, until, chosen(550, text, MOVED), targets, copy)
    return accounts.users.show(address)


def stay(accounts: Accounts, address: str) -> Done[User]:
    """Let the user stay; where its mail goes besides stays as it is, since that may be older than the leave, and is
    noted. Raises `NoSuch`."""
    name = accounts.users.show(address).name
    accounts.aliases.accept(name)
    targets = accounts.aliases.targets(name)
    onward = ", ".join(target for target in targets if target != name)
    copy = "" if name in targets else ", and not into the mailbox"
    note = f"Mail for {name} still goes to {onward}{copy}; that ends by: mailsuite alias remove {name}"
    return Done(accounts.users.show(name), (note,) if onward else ())


def as_json(site: Site, found: User) -> dict[str, Any]:
    """Return *found* for programs. *leaves* is in POSIX seconds."""
    return {
        "name": found.name,
        "suspended": found.suspended,
        "frozen": found.frozen,
        "leaves": found.leaves,
        "has_password": found.has_password,
        "must_change": found.must_change,
        "mail": mail_path(site, found),
    }


def details_as_json(site: Site, accounts: Accounts, address: str) -> dict[str, Any]:
    """Return the user *address* for programs, with whose mailbox it reads, where its mail goes (unless that is there
    alone), the aliases that lead to it, and how it can log in.

    Raises `NoSuch`.
    """
    found = accounts.users.show(address)
    return {
        **as_json(site, found),
        "reads": accounts.users.owner(address),
        "targets": accounts.aliases.targets(address),
        "aliases": accounts.aliases.leading_to(address),
        "mechanisms": site.mechanisms(accounts.users.kinds(address)),
    }
