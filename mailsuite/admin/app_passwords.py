"""App passwords: drawn here, and shown once."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from mailsuite.admin.times import when
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.app_passwords import AppPassword, drawn
from mailsuite.directory.passwords import Passwords


@dataclass(frozen=True, slots=True)
class Drawn:
    """A new app password of the user *name*. Nobody can be told *password* again."""

    name: str
    added: AppPassword
    password: str = field(repr=False)


def add(accounts: Accounts, address: str, label: str, scopes: Collection[str]) -> Drawn:
    """Draw a password for one device of the user *address*; no *scopes*: for all services.

    Raises what `AppPasswords.add` raises.
    """
    password = drawn()
    name = accounts.users.show(address).name
    added = accounts.app_passwords.add(name, label, scopes, Passwords().hash_random(password))
    return Drawn(name, added, password)


def as_json(found: AppPassword) -> dict[str, Any]:
    """Return *found* for programs."""
    used = None if found.last_used is None else when(found.last_used)
    return {"label": found.label, "scopes": found.scopes, "last_used": used}
