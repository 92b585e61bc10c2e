"""``/v1/domains``."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from mailsuite.admin import domains
from mailsuite.admin.api.problems import UNFIT, Problem
from mailsuite.admin.api.route import Answer, Asked, Forced, Page, Route, done, listed
from mailsuite.admin.site import Done, Site
from mailsuite.directory.rows import LOCAL, DomainClass, SenderRule


class NewDomain(Struct, forbid_unknown_fields=True):
    """A domain to be added."""

    name: str
    domain_class: DomainClass = field(name="class", default=LOCAL)
    catch_all: str | None = None
    alias_of: str | None = None


class DomainChange(Struct, forbid_unknown_fields=True):
    """A change of a domain: one thing at a time. *force* goes with its class."""

    domain_class: DomainClass | UnsetType = field(name="class", default=UNSET)
    catch_all: str | UnsetType | None = UNSET
    alias_of: str | UnsetType | None = UNSET
    senders: SenderRule | UnsetType = UNSET
    force: bool = False


def list_all(site: Site, asked: Asked) -> Answer:
    """List the domains."""
    with site.accounts() as accounts:
        return listed(accounts.domains.list(asked.query.after), asked.query.limit, domains.as_json, "name")


def show(site: Site, asked: Asked) -> Answer:
    """Show one."""
    with site.accounts() as accounts:
        return Answer(domains.as_json(accounts.domains.show(asked.path["domain"])))


def add(site: Site, asked: Asked) -> Answer:
    """Accept mail for a domain."""
    new: NewDomain = asked.body
    with site.accounts() as accounts:
        added = domains.add(site, accounts, new.name, new.domain_class, new.catch_all, new.alias_of)
        return done(added, domains.as_json, 201)


def change(site: Site, asked: Asked) -> Answer:
    """Change one thing of a domain."""
    name, wanted = asked.path["domain"], asked.body
    given: list[Any] = [wanted.domain_class, wanted.catch_all, wanted.alias_of, wanted.senders]
    if sum(value is not UNSET for value in given) != 1:
        raise Problem(UNFIT, "give one of class, catch_all, alias_of and senders")
    with site.accounts() as accounts:
        if wanted.domain_class is not UNSET:
            return done(domains.set_class(site, accounts, name, wanted.domain_class, wanted.force), domains.as_json)
        if wanted.alias_of is not UNSET:
            return done(domains.set_alias_of(site, accounts, name, wanted.alias_of), domains.as_json)
        if wanted.senders is not UNSET:
            return done(Done(accounts.domains.set_senders(name, wanted.senders)), domains.as_json)
        return done(Done(accounts.domains.set_catch_all(name, wanted.catch_all)), domains.as_json)


def remove(site: Site, asked: Asked) -> Answer:
    """Accept no more mail for a domain."""
    with site.accounts() as accounts:
        removed = domains.remove(site, accounts, asked.path["domain"], asked.query.force)
        return done(removed, lambda name: {"name": name})


ROUTES = (
    Route("GET", "/v1/domains", list_all, query=Page),
    Route("POST", "/v1/domains", add, NewDomain),
    Route("GET", "/v1/domains/<domain>", show),
    Route("PATCH", "/v1/domains/<domain>", change, DomainChange),
    Route("DELETE", "/v1/domains/<domain>", remove, query=Forced),
)
