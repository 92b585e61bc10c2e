"""The one order in which an address is looked up, whatever keeps the records.

=====  ==========================================================================================
order  rule
=====  ==========================================================================================
1      a domain that is not ours, an address literal too: foreign
2      exactly this mailbox or alias; an address that is both is an alias
3      plus-address: ``alice+anything`` is ``alice``, up to the first plus sign
4      postmaster and abuse (RFC 2142 §2, RFC 5321 §4.5.1): the site's postmaster, then
       ``postmaster`` of this domain, then ``postmaster`` of the domain that was added first; so too
       where rule 2 finds only something suspended or broken
5      the domain's catch-all
6      unknown
=====  ==========================================================================================

``<Postmaster>`` without a domain (RFC 5321 §4.1.1.3) begins at rule 4, in the domain that was added first.
"""

from typing import Protocol

from mailsuite.address import Address
from mailsuite.directory.expansion import Expansion
from mailsuite.directory.records import AddressRecord, DomainRecord
from mailsuite.meaning import Foreign, Mailboxes, Meaning, Unknown

POSTMASTER = "postmaster"
# RFC 2142 §4 and §5: the names that every domain of ours answers to.
ROLES = frozenset({POSTMASTER, "abuse"})
DELIMITER = "+"


class Lookups(Protocol):
    """What the order needs to know; names are in key form."""

    def first_domain(self) -> str | None:
        """Return the domain that was added first."""

    def domain(self, name: str) -> DomainRecord | None:
        """Return the domain *name*."""

    def address(self, local: str, domain: str) -> AddressRecord | None:
        """Return what is recorded for exactly *local* at *domain*."""


class Resolver:
    """Looks addresses up. *postmaster* is the site's, if the configuration names one."""

    def __init__(self, records: Lookups, postmaster: Address | None = None) -> None:
        self._records = records
        self._postmaster = postmaster

    def find(self, address: Address) -> Meaning:
        """Say what *address* means here, by all the rules."""
        found = self.owned(address)
        if not isinstance(found, Unknown) or not address.domain:
            return found
        domain = self._records.domain(address.key[1])
        if domain is None or domain.catch_all is None:
            return found
        caught = self.listed(domain.catch_all)
        return found if caught is None else self._meaning(caught)

    def owned(self, address: Address) -> Meaning:
        """Say what *address* means here but for the catch-all: so also whose address it is (RFC 6409 §6.1)."""
        local, domain = address.key
        if not domain:
            role = self._role(self._records.first_domain()) if local == POSTMASTER else None
            return role or Unknown()
        if self._records.domain(domain) is None:
            return Foreign()
        record = self.listed(address)
        found: Meaning = Unknown() if record is None else self._meaning(record)
        if local in ROLES and not isinstance(found, Mailboxes):
            return self._role(domain) or found
        return found

    def members(self, address: Address) -> tuple[Address, ...] | None:
        """Return the targets of the alias *address*, not followed further; ``None`` where it is not one."""
        record = self.listed(address)
        return record.targets if record is not None and record.targets else None

    def listed(self, address: Address) -> AddressRecord | None:
        """Return the record of *address* itself, or of the base of a plus-address."""
        local, domain = address.key
        record = self._records.address(local, domain)
        if record is not None:
            return record
        base, plus, _ = local.partition(DELIMITER)
        return self._records.address(base, domain) if plus and base else None

    def _meaning(self, record: AddressRecord) -> Meaning:
        return Expansion(self.listed).meaning(record)

    def _role(self, domain: str | None) -> Mailboxes | None:
        """Return the mailboxes that mail for the role addresses of *domain* goes to."""
        for place in (domain, self._records.first_domain()):
            for address in (self._postmaster, Address(POSTMASTER, place) if place else None):
                record = self.listed(address) if address is not None else None
                found = None if record is None else self._meaning(record)
                if isinstance(found, Mailboxes):
                    return found
        return None
