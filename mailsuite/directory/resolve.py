"""The one order in which an address is looked up, whatever keeps the records.

=====  ==========================================================================================
order  rule
=====  ==========================================================================================
1      a return address of ours (``mailsuite.srs``), in any domain: the sender in it, or refused
2      a domain that is not ours, or that only sends (class send-only), an address literal too:
       foreign; one whose mail we pass on (class relay or backup): relayed, whatever the local part
3      exactly this mailbox or alias; an address that is both is an alias
4      plus-address: ``alice+anything`` is ``alice``, up to the first plus sign
5      a domain that is an alias of another: rules 3 and 4 in that one
6      postmaster and abuse (RFC 2142 §2, RFC 5321 §4.5.1): the site's postmaster, then
       ``postmaster`` of this domain, then ``postmaster`` of the local domain that was added first;
       so too where the rules before find only something refused, suspended or broken
7      wildcard alias: the one that says most of the local part, else of what is before its first
       plus sign; in this domain, then in the one that it is an alias of
8      the domain's catch-all, then that of the one that it is an alias of
9      postmaster and abuse again: the same mailboxes even if they are suspended, since this mail is
       never refused
10     unknown
=====  ==========================================================================================

Rule 1 is `mailsuite.directory.returned`. What rules 3, 4, 5 and 7 find may have a reply of its own in its place,
always or from some time on. ``<Postmaster>`` without a domain (RFC 5321 §4.1.1.3) begins at rule 6, in the local
domain that was added first. So does postmaster at our own host name, which reports name (RFC 3461 §9.3), where rule 2
calls that foreign. A member of an alias is found by rules 3, 4, 5 and 7; one whose domain is not local is an address
elsewhere: mail goes on to it. ``docs/addresses.rst`` has an example of each rule.
"""

from collections.abc import Sequence

from mailsuite.address import POSTMASTER, ROLES, Address, domain_key, subaddress
from mailsuite.directory.backend import Lookups
from mailsuite.directory.expansion import Expansion
from mailsuite.directory.records import AddressRecord, DomainRecord
from mailsuite.directory.rows import LOCAL, REACHED
from mailsuite.directory.wildcards import best
from mailsuite.maybe import value_of
from mailsuite.meaning import Foreign, Mailbox, Mailboxes, Meaning, Relayed, Unknown

# What mail for a domain of another class than local means (rule 2), but for those that only send.
PASSED_ON: dict[str, Meaning] = {"relay": Relayed(), "backup": Relayed(backup=True)}


class Resolver:
    """Looks addresses up in *records*. *postmaster* is the site's, if the configuration names one; *hostname* is our
    name. *now* is the time for which it is done, in POSIX seconds; at 0 nobody has left yet.

    The rules are coroutines, so that records may have to be waited for; over records that are at hand they never wait
    (`mailsuite.maybe.step`, `mailsuite.maybe.at_once`).
    """

    def __init__(
        self, records: Lookups, postmaster: Address | None = None, hostname: str = "", now: float = 0.0
    ) -> None:
        self._records = records
        self._now = now
        self._postmaster = postmaster
        self._hostname = domain_key(hostname)

    async def find(self, address: Address) -> Meaning:
        """Say what *address* means here, by all rules but the first."""
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
        same name gives others a copy. The class of the domain makes no difference to this: that is what a domain that
        only sends is for. All else goes by the domain's rule for senders (`mailsuite.directory.rows.SENDERS`), which
        for an alias of a domain is that domain's.
        """
        domain = await value_of(self._records.domain(address.key[1]))
        places = [] if domain is None else await self._places(domain)
        for place in places:
            found = [await self._exact(name, place.name) for name in _names(address.key[0])]
            records = [record for record in found if record is not None]
            for record in records:
                if record.mailbox is not None:
                    return record.mailbox == mailbox and not record.suspended
            if records:
                # Its own alias: what the other domain has by that name is another address.
                break
        rule = places[-1].senders if places else REACHED
        if rule == "own":
            return False
        if rule == "domain" and any(mailbox.path.partition("/")[0] == place.name for place in places):
            return True
        meaning = await (self._in_use(address) if rule == "caught" else self.owned(address))
        return isinstance(meaning, Mailboxes) and mailbox in meaning.mailboxes

    async def _in_use(self, address: Address) -> Meaning:
        """Say what *address* means here by the rules that pass over suspended mailboxes."""
        found = await self.owned(address)
        domain = await value_of(self._records.domain(address.key[1])) if isinstance(found, Unknown) else None
        for place in [] if domain is None else await self._places(domain):
            if place.catch_all is not None:
                caught = await self.listed(place.catch_all)
                return found if caught is None else await self._meaning(caught)
        return found

    async def owned(self, address: Address) -> Meaning:
        """Say what *address* means here by its own name: without the catch-all and what comes after it."""
        local, domain = address.key
        if not domain:
            primary = await value_of(self._records.first_domain())
            return (await self._role(primary) if local == POSTMASTER else None) or Unknown()
        place = await value_of(self._records.domain(domain))
        if place is None or place.domain_class != LOCAL:
            return Foreign() if place is None else PASSED_ON.get(place.domain_class, Foreign())
        record = await self._named(local, place)
        found: Meaning = Unknown() if record is None else await self._meaning(record)
        if local in ROLES and not isinstance(found, Mailboxes):
            role = await self._role(domain)
            if role is not None:
                return role
        if record is None:
            record = await self._wild(local, place)
            return Unknown() if record is None else await self._meaning(record)
        return found

    async def members(self, address: Address) -> tuple[Address, ...] | None:
        """Return the targets of the alias *address*, not followed further; ``None`` where it is not one."""
        record = await self.listed(address)
        return record.targets if record is not None and record.targets else None

    async def listed(self, address: Address) -> AddressRecord | None:
        """Return the record that *address* has in a local domain by its own name: by rules 3, 4, 5 and 7."""
        local, domain = address.key
        place = await value_of(self._records.domain(domain))
        if place is None or place.domain_class != LOCAL:
            return None
        return await self._named(local, place) or await self._wild(local, place)

    async def is_remote(self, address: Address) -> bool:
        """Say whether mail for *address* does not end here: its domain is none of ours, or not a local one."""
        place = await value_of(self._records.domain(address.key[1]))
        return place is None or place.domain_class != LOCAL

    async def _named(self, local: str, domain: DomainRecord) -> AddressRecord | None:
        """Return what rules 3, 4 and 5 find."""
        names = _names(local)
        record = await self._first(names, domain.name)
        if record is None and domain.alias_of:
            for place in (await self._places(domain))[1:]:
                record = await self._first(names, place.name)
        return record

    async def _wild(self, local: str, domain: DomainRecord) -> AddressRecord | None:
        """Return what rule 7 finds."""
        for place in await self._places(domain):
            patterns = await value_of(self._records.wildcards(place.name))
            for name in _names(local) if patterns else ():
                pattern = best(patterns, name)
                if pattern is not None:
                    return await self._exact(pattern, place.name)
        return None

    async def _places(self, domain: DomainRecord) -> Sequence[DomainRecord]:
        """Return *domain* and, where it is an alias, the local one that it is an alias of: one step and no further."""
        other = await value_of(self._records.domain(domain.alias_of)) if domain.alias_of else None
        return [domain] if other is None or other.domain_class != LOCAL else [domain, other]

    async def _first(self, names: Sequence[str], domain: str) -> AddressRecord | None:
        for name in names:
            record = await self._exact(name, domain)
            if record is not None:
                return record
        return None

    async def _exact(self, local: str, domain: str) -> AddressRecord | None:
        return await value_of(self._records.address(local, domain))

    async def _meaning(self, record: AddressRecord, suspended_too: bool = False) -> Meaning:
        return await Expansion(self.listed, self.is_remote, self._now, suspended_too).meaning(record)

    async def _role(self, domain: str | None, suspended_too: bool = False) -> Mailboxes | None:
        """Return the mailboxes that mail for the role addresses of *domain* goes to."""
        for place in (domain, await value_of(self._records.first_domain())):
            for address in (self._postmaster, Address(POSTMASTER, place) if place else None):
                record = await self.listed(address) if address is not None else None
                found = None if record is None else await self._meaning(record, suspended_too)
                if isinstance(found, Mailboxes):
                    return found
        return None


def _names(local: str) -> Sequence[str]:
    """Return *local* and, where it is a plus-address, its base."""
    base, _ = subaddress(local)
    return (local,) if base == local else (local, base)
