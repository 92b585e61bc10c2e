"""What the accounts file says about one domain, one address or one login: indexed reads, nothing else."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

from mailsuite.address import Address
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.meaning import Login, Mailbox


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """A domain of ours: its class, and where its unclaimed mail goes."""

    name: str
    catch_all: Address | None
    domain_class: str = LOCAL


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """An address of ours: an alias where it has *targets*, a mailbox where it has one, or both."""

    id: int
    mailbox: Mailbox | None
    suspended: bool
    targets: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """One stored password of a login; *scope* names the services it is good for, and empty means all.

    *label* is empty for the login's own one, of which secrets are made, else says which device it is for.
    """

    id: int
    scope: str
    stored: str = field(repr=False)
    label: str = ""


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A login, its passwords, and by their kinds the secrets that mechanisms need (`directory.secrets`)."""

    login: Login
    suspended: bool
    credentials: tuple[Credential, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


# The kind of a credential that is a password's hash.
PASSWORD = "password"  # noqa: S105 (the name of a kind)

_DOMAIN = "SELECT name, class, catch_all_local, catch_all_domain FROM domains WHERE name = ?"
_DOMAINS = "SELECT name FROM domains WHERE class = ? ORDER BY name"
_FIRST_DOMAIN = "SELECT name FROM domains WHERE class = 'local' ORDER BY id LIMIT 1"
# A mailbox is suspended when it has logins and every one of them is.
_ADDRESS = """
    SELECT a.id, m.id, m.path, coalesce((SELECT min(suspended) FROM logins WHERE mailbox_id = m.id), 0)
    FROM domains d JOIN addresses a ON a.domain_id = d.id LEFT JOIN mailboxes m ON m.id = a.mailbox_id
    WHERE d.name = ? AND a.local = ?"""
_LOCALS = "SELECT a.local FROM domains d JOIN addresses a ON a.domain_id = d.id WHERE d.name = ? ORDER BY a.local"
_TARGETS = "SELECT local, domain FROM alias_targets WHERE address_id = ? ORDER BY position"
_LOGIN = """
    SELECT l.id, l.name, l.suspended, m.id, m.path
    FROM logins l LEFT JOIN mailboxes m ON m.id = l.mailbox_id WHERE l.name = ?"""
_MAILBOX = "SELECT id, path FROM mailboxes WHERE id = ?"
# Mailboxes whose address is in a domain, some at a time.
_MAILBOXES = """
    SELECT DISTINCT m.id, m.path FROM domains d JOIN addresses a ON a.domain_id = d.id
    JOIN mailboxes m ON m.id = a.mailbox_id WHERE d.name = ? AND m.id > ? ORDER BY m.id LIMIT 500"""
_CREDENTIALS = "SELECT kind, id, scope, stored, label FROM credentials WHERE login_id = ? ORDER BY id"
# Somebody has a password and lacks what a mechanism needs.
_WITHOUT = """
    FROM credentials p WHERE p.kind = 'password' AND p.label = '' AND NOT EXISTS
    (SELECT 1 FROM credentials s WHERE s.login_id = p.login_id AND s.kind = ?)"""


class Records:
    """Reads records over one connection, which *opening* makes when it is first needed; names are in key form."""

    def __init__(self, opening: Callable[[], sqlite3.Connection]) -> None:
        self._opening = opening

    @classmethod
    def of(cls, path: str) -> "Records":
        """Return the records of the accounts file *path* for lookups alone; `connect` opens it."""
        return cls(partial(connect_for_lookups, path))

    @classmethod
    def open(cls, path: str) -> "Records":
        """Return the records of *path*, opened. Raises `NoAccounts` or `NewerSchema`."""
        records = cls.of(path)
        records.connect()
        return records

    def connect(self) -> None:
        """Open the file now and not at the first read. Raises `NoAccounts` or `NewerSchema`."""
        self.generation()

    def close(self) -> None:
        """Close the connection; the next read opens it again."""
        connection = self.__dict__.pop("_connection", None)
        if connection is not None:
            connection.close()

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        return self._opening()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads inside see one and the same state."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def data_version(self) -> int:
        """Return a number that differs whenever another connection has changed the file."""
        (number,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(number)

    def generation(self) -> int:
        """Return the number that every change of an account raises."""
        (number,) = self._connection.execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()
        return int(number)

    def first_domain(self) -> str | None:
        """Return the local domain that was added first: the site's primary one."""
        row = self._connection.execute(_FIRST_DOMAIN).fetchone()
        return None if row is None else str(row[0])

    def domain(self, name: str) -> DomainRecord | None:
        """Return the domain *name*."""
        row = self._connection.execute(_DOMAIN, (_text(name),)).fetchone()
        if row is None:
            return None
        name, domain_class, local, target = row
        return DomainRecord(name, None if local is None else Address(local, target), domain_class)

    def domains(self, domain_class: str) -> tuple[str, ...]:
        """Return the domains of one class, by name."""
        return tuple(name for (name,) in self._connection.execute(_DOMAINS, (domain_class,)))

    def locals(self, domain: str) -> tuple[str, ...]:
        """Return the local part of every mailbox and alias of *domain*."""
        return tuple(local for (local,) in self._connection.execute(_LOCALS, (_text(domain),)))

    def mailboxes(self, domain: str, after: int) -> tuple[Mailbox, ...]:
        """Return some mailboxes of *domain*: those that come next behind the number *after*."""
        return tuple(Mailbox(*row) for row in self._connection.execute(_MAILBOXES, (_text(domain), after)))

    def address(self, local: str, domain: str) -> AddressRecord | None:
        """Return what is recorded for exactly *local* at *domain*."""
        row = self._connection.execute(_ADDRESS, (_text(domain), _text(local))).fetchone()
        if row is None:
            return None
        number, mailbox, path, suspended = row
        targets = tuple(Address(*target) for target in self._connection.execute(_TARGETS, (number,)))
        return AddressRecord(number, _mailbox(mailbox, path), bool(suspended), targets)

    def mailbox(self, number: int) -> Mailbox | None:
        """Return the mailbox *number*; ``None`` where it was removed. Numbers are never used again."""
        row = self._connection.execute(_MAILBOX, (number,)).fetchone()
        return None if row is None else Mailbox(*row)

    def login(self, name: str) -> LoginRecord | None:
        """Return the login *name* with its passwords."""
        row = self._connection.execute(_LOGIN, (_text(name),)).fetchone()
        if row is None:
            return None
        number, name, suspended, mailbox, path = row
        found = self._connection.execute(_CREDENTIALS, (number,)).fetchall()
        credentials = tuple(Credential(*rest) for kind, *rest in found if kind == PASSWORD)
        secrets = {kind: stored for kind, _, _, stored, _ in found if kind != PASSWORD}
        return LoginRecord(Login(number, name, _mailbox(mailbox, path)), bool(suspended), credentials, secrets)

    def all_have(self, kind: str) -> bool:
        """Say whether whoever has a password has a secret of *kind*, too. Looks at all of them."""
        (lacking,) = self._connection.execute(f"SELECT EXISTS (SELECT 1 {_WITHOUT})", (kind,)).fetchone()
        return not lacking

    def lacking(self, kind: str) -> int:
        """Return how many have a password and no secret of *kind*."""
        (count,) = self._connection.execute(f"SELECT count(*) {_WITHOUT}", (kind,)).fetchone()
        return int(count)

    def site_secret(self) -> bytes:
        """Return the root of what is made up here."""
        (secret,) = self._connection.execute("SELECT value FROM meta WHERE name = 'site_secret'").fetchone()
        return bytes(secret)


def _mailbox(number: int | None, path: str) -> Mailbox | None:
    return None if number is None else Mailbox(number, path)


def _text(name: str) -> str:
    """Return *name* fit to be bound: one with a lone surrogate becomes one that nothing stored has."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "\0"
    return name
