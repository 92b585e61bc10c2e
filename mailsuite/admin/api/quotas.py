"""``/v1/users/.../quota``, ``/v1/domains/.../quota``, ``/v1/quotas`` and ``/v1/usage``."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from mailsuite.admin import quotas
from mailsuite.admin.api.problems import UNAVAILABLE, UNFIT, Problem
from mailsuite.admin.api.route import Answer, Asked, DomainPage, Route, listed
from mailsuite.admin.site import Site
from mailsuite.database import LARGEST
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.quotas import Changes
from mailsuite.directory.spelling import parse_domain

# 0: any amount; null: it is left to the domain, and for that to the configuration. As many as a database counts.
_Amount = Annotated[int, Meta(ge=0, le=LARGEST)]


class Limits(Struct, forbid_unknown_fields=True):
    """What may lie in mailboxes; what is not named stays."""

    octets: _Amount | UnsetType | None = UNSET
    messages: _Amount | UnsetType | None = UNSET


class DomainLimits(Struct, forbid_unknown_fields=True):
    """What all mailboxes of a domain may hold *together*, and *each* of them that has no quota of its own."""

    together: Limits | UnsetType = UNSET
    each: Limits | UnsetType = UNSET


def list_all(site: Site, asked: Asked) -> Answer:
    """List who has a quota of its own."""
    with site.accounts() as accounts:
        found = accounts.quotas.list(asked.query.domain, asked.query.after)
        return listed(found, asked.query.limit, quotas.own_as_json, "whom")


def list_usage(site: Site, asked: Asked) -> Answer:
    """List mailboxes, with what may lie in them, and what does."""
    domain = None if asked.query.domain is None else parse_domain(asked.query.domain)
    with site.accounts() as accounts:
        if domain is not None:
            accounts.quotas.domain(domain)
        # What is looked at on the disk is none but these, and the database need not wait for that.
        found = list(islice(accounts.quotas.mailboxes(domain, after=asked.query.after), asked.query.limit + 1))
    with _readable("mailboxes"):
        return listed(
            found, asked.query.limit, lambda each: quotas.as_json(site, *each, quotas.usage(site, each[1])), "mailbox"
        )


def show(site: Site, asked: Asked) -> Answer:
    """Say what may lie in a user's mailbox, and what does."""
    with site.accounts() as accounts:
        return _of_mailbox(site, accounts, asked.path["user"])


def change(site: Site, asked: Asked) -> Answer:
    """Give a user's mailbox a quota of its own."""
    name = asked.path["user"]
    if asked.body == Limits():
        raise Problem(UNFIT, "give one of octets and messages, or both")
    with site.accounts() as accounts:
        accounts.quotas.change_mailbox(name, _changes(asked.body))
        return _of_mailbox(site, accounts, name)


def recalculate(site: Site, asked: Asked) -> Answer:
    """Count what lies in a user's mailbox."""
    name = asked.path["user"]
    with site.accounts() as accounts:
        with _readable(f"the mailbox of {name}"):
            quotas.count(site, quotas.of_address(accounts, name)[1])
        return _of_mailbox(site, accounts, name)


def show_domain(site: Site, asked: Asked) -> Answer:
    """Say what a domain's mailboxes may hold."""
    with site.accounts() as accounts:
        return Answer(quotas.domain_as_json(accounts, asked.path["domain"]))


def change_domain(site: Site, asked: Asked) -> Answer:
    """Give a domain's mailboxes a quota."""
    name, wanted = asked.path["domain"], asked.body
    if wanted == DomainLimits():
        raise Problem(UNFIT, "give one of together and each, or both")
    with site.accounts() as accounts:
        accounts.quotas.change_domain(name, _changes(wanted.together), _changes(wanted.each))
        return Answer(quotas.domain_as_json(accounts, name))


def _changes(wanted: Limits | UnsetType) -> Changes:
    given = {} if wanted is UNSET else structs.asdict(wanted)
    return {name: value for name, value in given.items() if value is not UNSET}


def _of_mailbox(site: Site, accounts: Accounts, name: str) -> Answer:
    with _readable(f"the mailbox of {name}"):
        return Answer(quotas.mailbox_as_json(site, accounts, name))


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Problem(UNAVAILABLE, f"{what} cannot be looked at: {error.strerror}") from error


ROUTES = (
    Route("GET", "/v1/quotas", list_all, query=DomainPage),
    Route("GET", "/v1/usage", list_usage, query=DomainPage),
    Route("GET", "/v1/users/<user>/quota", show),
    Route("PATCH", "/v1/users/<user>/quota", change, Limits),
    Route("POST", "/v1/users/<user>/quota/recalculate", recalculate),
    Route("GET", "/v1/domains/<domain>/quota", show_domain),
    Route("PATCH", "/v1/domains/<domain>/quota", change_domain, DomainLimits),
)
