"""App passwords: each for one device or program of a user, drawn here, good for all services or for some."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from mailsuite.database import transaction
from mailsuite.directory.errors import BadName, Exists, NoSuch
from mailsuite.directory.records import PASSWORD
from mailsuite.directory.spelling import shown
from mailsuite.directory.sql import Connection
from mailsuite.directory.users import Users

# Services that a credential can be for; IAuthenticator's *scope*.
SCOPES = ("smtp", "pop3")
LABEL_CHARACTERS = 64
# Of one user: each costs a wrong password of theirs some microseconds.
MOST = 50
# Without what is mistaken for another: 32 of them, so that twenty are 100 bits.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS, _IN_GROUP = 4, 5

_LIST = """
    SELECT c.label, c.scope, c.last_used FROM credentials c JOIN logins l ON l.id = c.login_id
    WHERE l.name = ? AND c.kind = ? AND c.label != '' ORDER BY c.id"""
_ADD = """
    INSERT INTO credentials (login_id, kind, scope, label, stored)
    SELECT id, ?, ?, ?, ? FROM logins WHERE name = ?"""
_REMOVE = """
    DELETE FROM credentials WHERE kind = ? AND label = ? AND login_id = (SELECT id FROM logins WHERE name = ?)"""


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One of a user's. *scopes* are the services that it is good for, *last_used* is in POSIX seconds."""

    label: str
    scopes: tuple[str, ...]
    last_used: int | None = None


def drawn() -> str:
    """Return a new one: four groups of five letters and digits, 100 bits that nobody guesses."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_IN_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


class AppPasswords:
    """Adds, lists and removes app passwords. All raise `NoSuch` where there is no such user."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._users = Users(connection)

    def list(self, address: str) -> tuple[AppPassword, ...]:
        """Return those of the user *address*, the oldest first."""
        rows = self._connection.execute(_LIST, (self._users.show(address).name, PASSWORD))
        return tuple(AppPassword(label, tuple(scope.split()) or SCOPES, used) for label, scope, used in rows)

    def add(self, address: str, label: str, scopes: Collection[str], hashed: str) -> AppPassword:
        """Keep *hashed* (`Passwords.hash_random`) for the device *label* of the user; no *scopes*: for all services.

        Raises `BadName` for an unfit label and for one too many, `Exists`.
        """
        if not _is_label(label):
            raise BadName(f"{shown(label)} is no label; expected 1 to {LABEL_CHARACTERS} printable characters")
        name = self._users.show(address).name
        wanted = tuple(scope for scope in SCOPES if scope in scopes)
        with transaction(self._connection):
            present = self.list(name)
            if any(each.label == label for each in present):
                raise Exists(
                    f"{name} has an app password {shown(label)}; remove it first with:"
                    f' mailsuite user app-password remove {name} --label "{label}"'
                )
            if len(present) >= MOST:
                raise BadName(f"{name} has {MOST} app passwords, which is the most; remove one that is not used")
            self._connection.execute(_ADD, (PASSWORD, " ".join(wanted), label, hashed, name))
        return AppPassword(label, wanted or SCOPES)

    def remove(self, address: str, label: str) -> None:
        """Take back the one for *label*. Raises `NoSuch`."""
        name = self._users.show(address).name
        with transaction(self._connection):
            if not _is_label(label) or not self._connection.execute(_REMOVE, (PASSWORD, label, name)).rowcount:
                raise NoSuch(f"{name} has no app password {shown(label)}; see mailsuite user app-password list {name}")


def _is_label(text: str) -> bool:
    return 0 < len(text) <= LABEL_CHARACTERS and text.isprintable()
