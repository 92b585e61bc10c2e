"""Domains of ours: each with a postmaster (RFC 5321 §4.5.1, RFC 2142), perhaps with a catch-all."""

import sqlite3
from collections.abc import Iterator

from mailsuite.address import Address
from mailsuite.directory.errors import Exists, StillNeeded
from mailsuite.directory.references import dangling, domain_id, prune, refuse_broken, refuse_dangling, refuse_lost
from mailsuite.directory.resolve import POSTMASTER
from mailsuite.directory.rows import Domain, User
from mailsuite.directory.schema import transaction
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.users import Users, delete_user, insert_user

_DOMAINS = """
    SELECT name, catch_all_local, catch_all_domain,
        (SELECT count(*) FROM addresses a WHERE a.domain_id = domains.id AND a.mailbox_id IS NOT NULL),
        (SELECT count(*) FROM addresses a WHERE a.domain_id = domains.id
            AND EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id))
    FROM domains"""


class Domains:
    """Adds, changes and removes domains."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, name: str, catch_all: str | None = None, postmaster: bool = True) -> Domain:
        """Make *name* a domain of ours, with a user postmaster@NAME unless *postmaster* says no.

        That user has no password yet. Raises `BadName`, `Exists`, or `LeadsNowhere` for the catch-all.
        """
        key = parse_domain(name)
        with transaction(self._connection):
            if self._connection.execute("SELECT 1 FROM domains WHERE name = ?", (key,)).fetchone():
                raise Exists(f"the domain {key} is here already; see: mailsuite domain show {key}")
            self._connection.execute("INSERT INTO domains (name) VALUES (?)", (key,))
            if postmaster:
                insert_user(self._connection, Address(POSTMASTER, key), None)
            if catch_all is not None:
                self._catch(key, catch_all)
        return self.show(key)

    def show(self, name: str) -> Domain:
        """Return the domain *name*. Raises `NoSuch`."""
        key = parse_domain(name)
        domain_id(self._connection, key)
        return _domain(self._connection.execute(f"{_DOMAINS} WHERE name = ?", (key,)).fetchone())

    def list(self) -> Iterator[Domain]:
        """Yield every domain by name."""
        return map(_domain, self._connection.execute(f"{_DOMAINS} ORDER BY name"))

    def set_catch_all(self, name: str, address: str | None) -> Domain:
        """Let mail for unknown addresses of the domain go to *address*; ``None`` refuses it again.

        Raises `NoSuch`, or `LeadsNowhere` where *address* is not a user or alias of ours.
        """
        key = self.show(name).name
        with transaction(self._connection):
            if address is None:
                self._connection.execute(
                    "UPDATE domains SET catch_all_local = NULL, catch_all_domain = NULL WHERE name = ?", (key,)
                )
            else:
                self._catch(key, address)
        return self.show(key)

    def remove(self, name: str, force: bool = False) -> tuple[User, ...]:
        """Remove the domain; return the users that went with it, whose mail stays on disk.

        Raises `StillNeeded` where it has users (but for a postmaster without a password) or aliases, or where
        addresses of other domains lead here; *force* removes the first and takes it out of the others.
        """
        domain = self.show(name)
        users = tuple(Users(self._connection).list(domain.name))
        if not force:
            _refuse_inhabited(domain, users)
        with transaction(self._connection):
            before = dangling(self._connection, domain.name)
            for user in users:
                delete_user(self._connection, user, force=True)
            number = domain_id(self._connection, domain.name)
            self._connection.execute("DELETE FROM addresses WHERE domain_id = ?", (number,))
            self._connection.execute("DELETE FROM domains WHERE id = ?", (number,))
            if force:
                prune(self._connection, domain.name)
            else:
                refuse_dangling(self._connection, domain.name, before, domain.name)
        return users

    def _catch(self, key: str, address: str) -> None:
        target = parse_address(address)
        refuse_lost(self._connection, target, f"the catch-all of {key}")
        refuse_broken(self._connection, target)
        self._connection.execute(
            "UPDATE domains SET catch_all_local = ?, catch_all_domain = ? WHERE name = ?",
            (target.local, target.domain, key),
        )


def _refuse_inhabited(domain: Domain, users: tuple[User, ...]) -> None:
    bare = f"{POSTMASTER}@{domain.name}"
    inhabitants = [user.name for user in users if user.has_password or user.name != bare]
    if inhabitants or domain.aliases:
        raise StillNeeded(
            f"{domain.name} still has {len(inhabitants)} users and {domain.aliases} aliases;"
            " remove these first, or use --force, which removes them too (mail stays on disk)"
        )


def _domain(row: tuple[str, str | None, str, int, int]) -> Domain:
    name, local, domain, users, aliases = row
    return Domain(name, "" if local is None else str(Address(local, domain)), users, aliases)
