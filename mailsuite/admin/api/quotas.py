"""``/v1/users/.../quota`` and ``/v1/domains/.../quota``."""

from dataclasses import replace
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from mailsuite.admin import quotas
from mailsuite.admin.api.problems import UNAVAILABLE, UNFIT, Problem
from mailsuite.admin.api.route import Answer, Asked, Route
from mailsuite.admin.site import Site
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.quotas import DomainQuotas
from mailsuite.meaning import Quota

# 0: any amount; null: it is left to the domain, and for that to the configuration. As many as a database counts.
_Amount = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Limits(Struct, forbid_unknown_fields=True):
    """What may lie in mailboxes; what is not named stays."""

    octets: _Amount | UnsetType | None = UNSET
    messages: _Amount | UnsetType | None = UNSET


class DomainLimits(Struct, forbid_unknown_fields=True):
    """What all mailboxes of a domain may hold *together*, and *each* of them that has no quota of its own."""

    together: Limits | UnsetType = UNSET
    each: Limits | UnsetType = UNSET


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
        accounts.quotas.set_mailbox(name, _changed(accounts.quotas.mailbox(name), asked.body))
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
        before = accounts.quotas.domain(name)
        accounts.quotas.set_domain(
            name, DomainQuotas(_changed(before.together, wanted.together), _changed(before.each, wanted.each))
        )
        return Answer(quotas.domain_as_json(accounts, name))


def _changed(before: Quota, wanted: Limits | UnsetType) -> Quota:
    given = {} if wanted is UNSET else structs.asdict(wanted)
    return replace(before, **{name: value for name, value in given.items() if value is not UNSET})


def _of_mailbox(site: Site, accounts: Accounts, name: str) -> Answer:
    try:
        return Answer(quotas.mailbox_as_json(site, accounts, name))
    except OSError as error:
        raise Problem(UNAVAILABLE, f"the mailbox of {name} cannot be looked at: {error.strerror}") from error


ROUTES = (
    Route("GET", "/v1/users/<user>/quota", show),
    Route("PATCH", "/v1/users/<user>/quota", change, Limits),
    Route("GET", "/v1/domains/<domain>/quota", show_domain),
    Route("PATCH", "/v1/domains/<domain>/quota", change_domain, DomainLimits),
)
