"""What the accounts say about one domain, one address or one login, in SQL: indexed reads, nothing else."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property

from mailsuite.address import Address
from mailsuite.directory.records import PASSWORD, AddressRecord, Credential, DomainRecord, LoginRecord, Reject
from mailsuite.directory.sql import Connection
from mailsuite.meaning import Cap, Login, Mailbox, Quota, Refused

_DOMAIN = """
    SELECT d.name, d.catch_all_local, d.catch_all_domain, d.class, o.name, d.senders
    FROM domains d LEFT JOIN domains o ON o.id = d.alias_of WHERE d.name = ?"""
_DOMAINS = "SELECT name FROM domains WHERE class = ? ORDER BY name"
_FIRST_DOMAIN = "SELECT name FROM domains WHERE class = 'local' ORDER BY id LIMIT 1"
# A mailbox is suspended when it has logins and every one of them is.
_ADDRESS = """
    SELECT a.id, m.id, m.path, coalesce((SELECT min(suspended) FROM logins WHERE mailbox_id = m.id), 0),
        a.reject_code, a.reject_status, a.reject_text, a.reject_from, coalesce(m.quota_octets, d.mailbox_octets),
        coalesce(m.quota_messages, d.mailbox_messages), d.quota_octets, d.quota_messages
    FROM domains d JOIN addresses a ON a.domain_id = d.id LEFT JOIN mailboxes m ON m.id = a.mailbox_id
    WHERE d.name = ? AND a.local = ?"""
_LOCALS = "SELECT a.local FROM domains d JOIN addresses a ON a.domain_id = d.id WHERE d.name = ? ORDER BY a.local"
_WILDCARDS = """
    SELECT a.local FROM domains d JOIN addresses a ON a.domain_id = d.id WHERE d.name = ? AND a.wildcard = 1"""
_TARGETS = "SELECT local, domain FROM alias_targets WHERE address_id = ? ORDER BY position"
_LOGIN = """
    SELECT l.id, l.name, l.suspended + l.frozen, l.must_change, m.id, m.path
    FROM logins l LEFT JOIN mailboxes m ON m.id = l.mailbox_id WHERE l.name = ?"""
# Its own, then those of its domain.
_CAPS = """
    SELECT c.counted, c.seconds, c.most, coalesce(d.name, '') FROM submission_caps c
    LEFT JOIN domains d ON d.id = c.domain_id
    WHERE c.login_id = ? OR c.domain_id = (SELECT id FROM domains WHERE name = ?)
    ORDER BY c.domain_id IS NOT NULL, c.counted, c.seconds"""
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


class SqlRecords:
    """Reads records over one connection, which *opening* makes when it is first needed; names are in key form."""

    def __init__(self, opening: Callable[[], Connection]) -> None:
        self._opening = opening

    @cached_property
    def _connection(self) -> Connection:
        return self._opening()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads inside see one and the same state."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

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
        name, local, target, domain_class, alias_of, senders = row
        catch_all = None if local is None else Address(local, target)
        return DomainRecord(name, catch_all, domain_class, alias_of or "", senders)

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
        number, mailbox, path, suspended, code, status, text, since, *quotas = row
        targets = tuple(Address(*target) for target in self._connection.execute(_TARGETS, (number,)))
        reject = None if code is None else Reject(Refused(code, status, text), since or 0.0)
        box = None if mailbox is None else Mailbox(mailbox, path, "", Quota(*quotas[:2]), Quota(*quotas[2:]))
        return AddressRecord(number, box, bool(suspended), targets, reject)

    def wildcards(self, domain: str) -> tuple[str, ...]:
        """Return the local parts of the wildcard aliases of *domain*, with their asterisks."""
        return tuple(local for (local,) in self._connection.execute(_WILDCARDS, (_text(domain),)))

    def current(self, mailbox: Mailbox) -> Mailbox | None:
        """Return *mailbox* as it is now, by its number; ``None`` where it was removed. Numbers are never used again.
        """
        row = self._connection.execute(_MAILBOX, (mailbox.id,)).fetchone()
        return None if row is None else Mailbox(*row)

    def login(self, name: str) -> LoginRecord | None:
        """Return the login *name* with its passwords."""
        row = self._connection.execute(_LOGIN, (_text(name),)).fetchone()
        if row is None:
            return None
        number, name, suspended, must_change, mailbox, path = row
        found = self._connection.execute(_CREDENTIALS, (number,)).fetchall()
        credentials = tuple(Credential(*rest) for kind, *rest in found if kind == PASSWORD)
        secrets = {kind: stored for kind, _, _, stored, _ in found if kind != PASSWORD}
        caps = self._connection.execute(_CAPS, (number, name.rpartition("@")[2])).fetchall()
        login = Login(
            number, name, _mailbox(mailbox, path), bool(must_change), tuple(Cap(*cap) for cap in caps)
        )
        return LoginRecord(login, bool(suspended), credentials, secrets)

    def all_have(self, kind: str) -> bool:
        """Say whether whoever has a password has a secret of *kind*, too. Looks at all of them."""
        (lacking,) = self._connection.execute(f"SELECT EXISTS (SELECT 1 {_WITHOUT})", (kind,)).fetchone()
        return not lacking

    def held_by_all(self, kinds: Collection[str]) -> frozenset[str]:
        """Return those of *kinds* of which everybody has a secret who has a password."""
        return frozenset(kind for kind in kinds if self.all_have(kind))

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
    """Return *name* fit to be bound: one that no database could keep becomes one that nothing stored has."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return ""
    return "" if "\0" in name else name
