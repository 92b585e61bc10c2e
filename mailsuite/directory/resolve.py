"""The one order in which an address is looked up, whatever keeps the records.

=====  ==========================================================================================
order  rule
=====  ==========================================================================================
1      a domain that is not ours, or that only sends (class send-only), an address literal too:
       foreign; one whose mail we pass on (class relay or backup): relayed, whatever the local part
2      exactly this mailbox or alias; an address that is both is an alias
3      plus-address: ``alice+anything`` is ``alice``, up to the first plus sign
4      postmaster and abuse (RFC 2142 §2, RFC 5321 §4.5.1): the site's postmaster, then
       ``postmaster`` of this domain, then ``postmaster`` of the local domain that was added first;
       so too where rule 2 finds only something suspended or broken
5      the domain's catch-all
6      postmaster and abuse again: the same mailboxes even if they are suspended, since this mail is
       never refused
7      unknown
=====  ==========================================================================================

``<Postmaster>`` without a domain (RFC 5321 §4.1.1.3) begins at rule 4, in the local domain that was added first. So
does postmaster at our own host name, which reports name (RFC 3461 §9.3), where rule 1 calls that foreign.
A member of an alias whose domain is not local is an address elsewhere: mail goes on to it.
"""

from mailsuite.address import Address, domain_key
from mailsuite.directory.backend import Lookups
from mailsuite.directory.expansion import Expansion
from mailsuite.directory.records import AddressRecord
from mailsuite.directory.rows import LOCAL
from mailsuite.maybe import value_of
from mailsuite.meaning import Foreign, Mailbox, Mailboxes, Meaning, Relayed, Unknown

POSTMASTER = "postmaster"
# RFC 2142 §4 and §5: the names that every domain of ours answers to.
ROLES = frozenset({POSTMASTER, "abuse"})
DELIMITER = "+"

# What mail for a domain of another class than local means (rule 1), but for those that only send.
PASSED_ON: dict[str, Meaning] = {"relay": Relayed(), "backup": Relayed(backup=True)}


class Resolver:
    """Looks addresses up in *records*. *postmaster* is the site's, if the configuration names one; *hostname* is our
    name.

    The rules are coroutines, so that records may have to be waited for; over records that are at hand they never wait
    (`mailsuite.maybe.step`, `mailsuite.maybe.at_once`).
    """

    def __init__(self, records: Lookups, postmaster: Address | None = None, hostname: str = "") -> None:
        self._records = records
        self._postmaster = postmaster
        self._hostname = domain_key(hostname)

    async def find(self, address: Address) -> Meaning:
        """Say what *address* means here, by all the rules."""
        found = await self._in_use(address)
        local, domain = address.key
        if isinstance(found, Foreign) and (local, domain) == (POSTMASTER, self._hostname):
            return await self.find(Address(POSTMASTER, ""))
        if isinstance(found, Foreign | Relayed | Mailboxes) or local not in (ROLES if domain else {POSTMASTER}):
            return found
        primary = await value_of(self._records.first_domain())
        return await self._role(domain or primary, suspended_too=True) or found

    async def belongs(self, address: Address, mailbox: Mailbox) -> bool:
        """Say whether the user of *mailbox* may send as *address* (RFC 6409 §6.1).

        What has a mailbox of its own, or is a plus-address of one, belongs to that alone, even where an alias of the
        same name gives others a copy. Else it belongs to all whom its mail reaches, but not by catch-all. The class
        of the domain makes no difference to the first: that is what a domain that only sends is for.
        """
        local, domain = address.key
        for name in dict.fromkeys((local, local.partition(DELIMITER)[0])):
            record = await value_of(self._records.address(name, domain))
            if record is not None and record.mailbox is not None:
                return record.mailbox == mailbox and not record.suspended
        found = await self.owned(address)
        return isinstance(found, Mailboxes) and mailbox in found.mailboxes

    async def _in_use(self, address: Address) -> Meaning:
        """Say what *address* means here by the rules that pass over suspended mailboxes."""
        found = await self.owned(address)
        if not isinstance(found, Unknown) or not address.domain:
            return found
        domain = await value_of(self._records.domain(address.key[1]))
        if domain is None or domain.catch_all is None:
            return found
        caught = await self.listed(domain.catch_all)
        return found if caught is None else await self._meaning(caught)

    async def owned(self, address: Address) -> Meaning:
        """Say what *address* means here by its own name: without the catch-all and what comes after it."""
        local, domain = address.key
        if not domain:
            primary = await value_of(self._records.first_domain())
            return (await self._role(primary) if local == POSTMASTER else None) or Unknown()
        place = await value_of(self._records.domain(domain))
        if place is None or place.domain_class != LOCAL:
            return Foreign() if place is None else PASSED_ON.get(place.domain_class, Foreign())
        record = await self._recorded(address)
        found: Meaning = Unknown() if record is None else await self._meaning(record)
        if local in ROLES and not isinstance(found, Mailboxes):
            return await self._role(domain) or found
        return found

    async def members(self, address: Address) -> tuple[Address, ...] | None:
        """Return the targets of the alias *address*, not followed further; ``None`` where it is not one."""
        record = await self.listed(address)
        return record.targets if record is not None and record.targets else None

    async def listed(self, address: Address) -> AddressRecord | None:
        """Return the record of *address* itself, or of the base of a plus-address, in a local domain."""
        return None if await self.is_remote(address) else await self._recorded(address)

    async def is_remote(self, address: Address) -> bool:
        """Say whether mail for *address* does not end here: its domain is none of ours, or not a local one."""
        place = await value_of(self._records.domain(address.key[1]))
        return place is None or place.domain_class != LOCAL

    async def _recorded(self, address: Address) -> AddressRecord | None:
        local, domain = address.key
        record = await value_of(self._records.address(local, domain))
        if record is not None:
            return record
        base, plus, _ = local.partition(DELIMITER)
        return await value_of(self._records.address(base, domain)) if plus and base else None

    async def _meaning(self, record: AddressRecord, suspended_too: bool = False) -> Meaning:
        return await Expansion(self._recorded, self.is_remote, suspended_too).meaning(record)

    async def _role(self, domain: str | None, suspended_too: bool = False) -> Mailboxes | None:
        """Return the mailboxes that mail for the role addresses of *domain* goes to."""
        for place in (domain, await value_of(self._records.first_domain())):
            for address in (self._postmaster, Address(POSTMASTER, place) if place else None):
                record = await self.listed(address) if address is not None else None
                found = None if record is None else await self._meaning(record, suspended_too)
                if isinstance(found, Mailboxes):
                    return found
        return None
