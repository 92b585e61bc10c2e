"""Which recipients of a domain are taken here, all of them: for a backup that has to know them without us."""

from dataclasses import dataclass

from mailsuite.address import ROLES, Address
from mailsuite.directory.errors import NoSuch, WrongClass
from mailsuite.directory.resolve import Resolver
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.maybe import at_once
from mailsuite.meaning import Mailboxes

# Stands for any local part that is not ours.
_NOBODY = "\0"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The local parts, in key form, that are taken by their own name; *everything*: so may the others be."""

    locals: tuple[str, ...]
    everything: bool


def accepted(records: SqlRecords, domain: str, postmaster: Address | None, now: float) -> Accepted:
    """Return whom we take mail for in *domain* (key form) at *now* (POSIX seconds); *postmaster* is the site's, if the
    configuration has one.

    Users, aliases and the role addresses, those of the domain that it is an alias of too; but not what is refused,
    suspended or leads nowhere. A plus-address is taken where its base is. Where there are wildcard aliases, which no
    list of names can hold, everything is taken. Raises `NoSuch`, or `WrongClass` for a domain that is not local.
    """
    resolver = Resolver(records, postmaster, now=now)
    with records.snapshot():
        found = records.domain(domain)
        if found is None:
            raise NoSuch(f"no domain {domain} here; add it with: mailsuite domain add {domain}")
        if found.domain_class != LOCAL:
            raise WrongClass(f"{domain} is of class {found.domain_class}: its recipients are known elsewhere")
        places = [found.name, found.alias_of] if found.alias_of else [found.name]
        wild = {pattern for place in places for pattern in records.wildcards(place)}
        names = {*ROLES, *(name for place in places for name in records.locals(place))} - wild
        taken = tuple(name for name in sorted(names) if _is_taken(resolver, name, domain))
        return Accepted(taken, bool(wild) or _is_taken(resolver, _NOBODY, domain))


def _is_taken(resolver: Resolver, local: str, domain: str) -> bool:
    return isinstance(at_once(resolver.find(Address(local, domain))), Mailboxes)
