"""Quotas as they stand in the accounts: of a mailbox, of all of a domain's, and what a domain gives to each of them.

``None`` is left to who comes next: mailbox, domain, ``[quota]`` of the configuration.
"""

from collections.abc import Iterator
from typing import NamedTuple

from mailsuite.address import Address
from mailsuite.directory.errors import NoSuch
from mailsuite.directory.references import domain_id
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.sql import Connection, transaction
from mailsuite.meaning import Mailbox, Quota

# Each mailbox under its address, with what a lookup says of it (`sql_records`).
_MAILBOXES = """
    SELECT a.local, d.name, m.id, m.path, coalesce(m.quota_octets, d.mailbox_octets),
        coalesce(m.quota_messages, d.mailbox_messages), d.quota_octets, d.quota_messages
    FROM domains d JOIN addresses a ON a.domain_id = d.id JOIN mailboxes m ON m.id = a.mailbox_id"""
_OWN = """
    SELECT m.id, m.quota_octets, m.quota_messages FROM domains d JOIN addresses a ON a.domain_id = d.id
    JOIN mailboxes m ON m.id = a.mailbox_id WHERE d.name = ? AND a.local = ?"""
_DOMAIN = "SELECT quota_octets, quota_messages, mailbox_octets, mailbox_messages FROM domains WHERE name = ?"


class DomainQuotas(NamedTuple):
    """What all mailboxes of a domain may hold *together*, and *each* that has no quota of its own."""

    together: Quota
    each: Quota


class Quotas:
    """Reads and sets quotas."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def mailbox(self, address: str) -> Quota:
        """Return the quota that the mailbox of *address* has of its own. Raises `NoSuch`."""
        return Quota(*self._own(parse_address(address))[1:])

    def set_mailbox(self, address: str, quota: Quota) -> None:
        """Give the mailbox of *address* a quota of its own. Raises `NoSuch`."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE mailboxes SET quota_octets = ?, quota_messages = ? WHERE id = ?",
                (quota.octets, quota.messages, self._own(parse_address(address))[0]),
            )

    def domain(self, name: str) -> DomainQuotas:
        """Return the quotas of the domain *name*. Raises `NoSuch`."""
        key = parse_domain(name)
        domain_id(self._connection, key)
        octets, messages, *each = self._connection.execute(_DOMAIN, (key,)).fetchone()
        return DomainQuotas(Quota(octets, messages), Quota(*each))

    def set_domain(self, name: str, quotas: DomainQuotas) -> None:
        """Give the domain *name* these quotas. Raises `NoSuch`."""
        key = parse_domain(name)
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE domains SET quota_octets = ?, quota_messages = ?, mailbox_octets = ?, mailbox_messages = ?"
                " WHERE id = ?",
                (*_row(quotas.together), *_row(quotas.each), domain_id(self._connection, key)),
            )

    def mailboxes(self, domain: str | None = None, local: str | None = None) -> Iterator[tuple[str, Mailbox]]:
        """Yield each mailbox, of *domain*, or of that address, under its name; both are in key form."""
        asked = {"d.name = ?": domain, "a.local = ?": local}
        said = {condition: value for condition, value in asked.items() if value is not None}
        where = f" WHERE {' AND '.join(said)}" if said else ""
        rows = self._connection.execute(f"{_MAILBOXES}{where} ORDER BY d.name, a.local", tuple(said.values()))
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
