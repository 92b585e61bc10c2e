"""Quotas as they stand in the accounts: of a mailbox, of all of a domain's, and what a domain gives to each of them.

``None`` is left to who comes next: mailbox, domain, ``[quota]`` of the configuration.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from mailsuite.address import Address
from mailsuite.database import transaction
from mailsuite.directory.errors import NoSuch
from mailsuite.directory.references import domain_id
from mailsuite.directory.spelling import parse_address, parse_domain, place_of
from mailsuite.directory.sql import Connection
from mailsuite.meaning import Mailbox, Quota

# Each mailbox under its address, with what a lookup says of it (`sql_records`).
_MAILBOXES = """
    SELECT a.local, d.name, m.id, m.path, coalesce(m.quota_octets, d.mailbox_octets),
        coalesce(m.quota_messages, d.mailbox_messages), d.quota_octets, d.quota_messages
    FROM domains d JOIN addresses a ON a.domain_id = d.id JOIN mailboxes m ON m.id = a.mailbox_id"""
_OWN = """
    SELECT m.id, m.quota_octets, m.quota_messages FROM domains d JOIN addresses a ON a.domain_id = d.id
    JOIN mailboxes m ON m.id = a.mailbox_id WHERE d.name = ? AND a.local = ?"""
# A domain stands before its mailboxes.
_OWNERS = """
    SELECT home, local, octets, messages, each_octets, each_messages FROM (
        SELECT name AS home, '' AS local, quota_octets AS octets, quota_messages AS messages,
            mailbox_octets AS each_octets, mailbox_messages AS each_messages FROM domains
        UNION ALL
        SELECT d.name, a.local, m.quota_octets, m.quota_messages, NULL, NULL FROM domains d
        JOIN addresses a ON a.domain_id = d.id JOIN mailboxes m ON m.id = a.mailbox_id
    ) AS found WHERE coalesce(octets, messages, each_octets, each_messages) IS NOT NULL AND (home, local) > (?, ?)"""
_DOMAIN = "SELECT quota_octets, quota_messages, mailbox_octets, mailbox_messages FROM domains WHERE name = ?"


class DomainQuotas(NamedTuple):
    """What all mailboxes of a domain may hold *together*, and *each* that has no quota of its own."""

    together: Quota
    each: Quota


class OwnQuota(NamedTuple):
    """What a mailbox, or all of a domain's, may hold by a quota of its own; *each* is what a domain gives to each."""

    name: str
    quota: Quota
    each: Quota


# The fields of a `Quota` that are to be others; what is not named stays.
Changes: TypeAlias = Mapping[str, int | None]


class Quotas:
    """Reads and sets quotas."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def mailbox(self, address: str) -> Quota:
        """Return the quota that the mailbox of *address* has of its own. Raises `NoSuch`."""
        return Quota(*self._own(parse_address(address))[1:])

    def change_mailbox(self, address: str, changes: Changes) -> Quota:
        """Give the mailbox of *address* a quota of its own; return all of it. Raises `NoSuch`."""
        with transaction(self._connection):
            number, *before = self._own(parse_address(address))
            quota = replace(Quota(*before), **changes)
            self._connection.execute(
                "UPDATE mailboxes SET quota_octets = ?, quota_messages = ? WHERE id = ?", (*_row(quota), number)
            )
        return quota

    def domain(self, name: str) -> DomainQuotas:
        """Return the quotas of the domain *name*. Raises `NoSuch`."""
        key = parse_domain(name)
        domain_id(self._connection, key)
        octets, messages, *each = self._connection.execute(_DOMAIN, (key,)).fetchone()
        return DomainQuotas(Quota(octets, messages), Quota(*each))

    def change_domain(self, name: str, together: Changes, each: Changes) -> DomainQuotas:
        """Give all mailboxes of the domain *name* a quota, and each of them; return both. Raises `NoSuch`."""
        with transaction(self._connection):
            before = self.domain(name)
            quotas = DomainQuotas(replace(before.together, **together), replace(before.each, **each))
            self._connection.execute(
                "UPDATE domains SET quota_octets = ?, quota_messages = ?, mailbox_octets = ?, mailbox_messages = ?"
                " WHERE name = ?",
                (*_row(quotas.together), *_row(quotas.each), parse_domain(name)),
            )
        return quotas

    def list(self, domain: str | None = None, after: str = "") -> Iterator[OwnQuota]:
        """Yield who has a quota of its own: domains by name, each before its mailboxes, or *domain* and these; only
        those that come *after* that one. Raises `NoSuch`."""
        if domain is None:
            rows = self._connection.execute(f"{_OWNERS} ORDER BY home, local", place_of(after))
        else:
            key = parse_domain(domain)
            domain_id(self._connection, key)
            rows = self._connection.execute(f"{_OWNERS} AND home = ? ORDER BY home, local", (*place_of(after), key))
        for home, local, octets, messages, *each in rows:
            yield OwnQuota(str(Address(local, home)) if local else home, Quota(octets, messages), Quota(*each))

    def mailboxes(
        self, domain: str | None = None, local: str | None = None, after: str = ""
    ) -> Iterator[tuple[str, Mailbox]]:
        """Yield each mailbox, of *domain*, or of that address, under its name; both are in key form. Only those that
        come *after* that address."""
        asked = {"d.name = ?": domain, "a.local = ?": local}
        said = {condition: value for condition, value in asked.items() if value is not None}
        where = " AND ".join(["(d.name, a.local) > (?, ?)", *said])
        rows = self._connection.execute(
            f"{_MAILBOXES} WHERE {where} ORDER BY d.name, a.local", (*place_of(after), *said.values())
        )
        for name, home, number, path, *quotas in rows:
            yield str(Address(name, home)), Mailbox(number, path, "", Quota(*quotas[:2]), Quota(*quotas[2:]))

    def _own(self, address: Address) -> tuple[int, int | None, int | None]:
        row = self._connection.execute(_OWN, (address.domain, address.local)).fetchone()
        if row is None:
            raise NoSuch(f"no mailbox {address} here; see: mailsuite user list {address.domain}")
        number, octets, messages = row
        return number, octets, messages


def _row(quota: Quota) -> tuple[int | None, int | None]:
    return quota.octets, quota.messages
