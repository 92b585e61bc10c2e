"""Domains: a change, with the postmaster that comes with a local one (RFC 2142) and what is missing in it then."""

from dataclasses import asdict
from typing import Any

from mailsuite.address import POSTMASTER
from mailsuite.admin.mail_folders import left_mail, make_mail_folder
from mailsuite.admin.site import Done, Site
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.rows import LOCAL, Domain, DomainClass
from mailsuite.directory.spelling import login_name, parse_domain


def add(
    site: Site,
    accounts: Accounts,
    name: str,
    domain_class: DomainClass = LOCAL,
    catch_all: str | None = None,
    alias_of: str | None = None,
) -> Done[Domain]:
    """Accept mail for the domain *name*; see `Domains.add`."""
    added = accounts.domains.add(name, catch_all, needs_postmaster(site, name), domain_class, alias_of)
    return _settled(site, accounts, added, 0)


def set_class(
    site: Site, accounts: Accounts, name: str, domain_class: DomainClass, force: bool = False
) -> Done[Domain]:
    """Let the domain be of another class; see `Domains.set_class`."""
    before = accounts.domains.show(name).users
    changed = accounts.domains.set_class(name, domain_class, force, needs_postmaster(site, name))
    return _settled(site, accounts, changed, before)


def set_alias_of(site: Site, accounts: Accounts, name: str, other: str | None) -> Done[Domain]:
    """Let the domain be an alias of *other*, or of none; see `Domains.set_alias_of`."""
    before = accounts.domains.show(name).users
    changed = accounts.domains.set_alias_of(name, other, needs_postmaster(site, name))
    return _settled(site, accounts, changed, before)


def remove(site: Site, accounts: Accounts, name: str, force: bool = False) -> Done[str]:
    """Accept no more mail for the domain; return its name in key form. See `Domains.remove`."""
    gone = accounts.domains.remove(name, force)
    return Done(parse_domain(name), [note for user in gone if (note := left_mail(site, user))])


def as_json(found: Domain) -> dict[str, Any]:
    """Return *found* for programs."""
    facts = asdict(found)
    return {"name": facts.pop("name"), "class": facts.pop("domain_class"), **facts}


def needs_postmaster(site: Site, name: str) -> bool:
    """Say whether the domain, if it is local, has to have a postmaster of its own (RFC 2142)."""
    return login_name(site.postmaster) in (None, f"{POSTMASTER}@{parse_domain(name)}")


def _settled(site: Site, accounts: Accounts, found: Domain, users_before: int) -> Done[Domain]:
    """Make the folder of the postmaster that came with a local domain, and note what is still missing in it."""
    notes: list[str] = []
    trouble = ""
    if found.domain_class == LOCAL:
        if found.users > users_before:
            made = make_mail_folder(site, accounts.users.show(f"{POSTMASTER}@{found.name}"))
            notes, trouble = [*made.notes], made.trouble
        for lost in accounts.domains.missing(found.name):
            notes.append(f"{lost} leads to an address of {found.name} that is not there yet.")
    return Done(found, notes, trouble)
