"""Which records an address leads by: for a person who asks why its mail goes where it goes."""

from collections.abc import Sequence

from mailsuite.address import Address
from mailsuite.directory.backend import Lookups
from mailsuite.directory.records import AddressRecord, DomainRecord
from mailsuite.maybe import Maybe, then


class Trail(Lookups):
    """What *records* tell; *found* are the addresses among them that there are, in the order of the lookup."""

    def __init__(self, records: Lookups) -> None:
        self._records = records
        self.found: dict[Address, None] = {}

    def first_domain(self) -> Maybe[str | None]:
        """See `Lookups`."""
        return self._records.first_domain()

    def domain(self, name: str) -> Maybe[DomainRecord | None]:
        """See `Lookups`."""
        return self._records.domain(name)

    def wildcards(self, domain: str) -> Maybe[Sequence[str]]:
        """See `Lookups`."""
        return self._records.wildcards(domain)

    def address(self, local: str, domain: str) -> Maybe[AddressRecord | None]:
        """See `Lookups`."""

        def keep(record: AddressRecord | None) -> AddressRecord | None:
            if record is not None:
                self.found[Address(local, domain)] = None
            return record

        return then(self._records.address(local, domain), keep)
