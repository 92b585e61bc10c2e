"""``/v1/users``."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from mailsuite.admin import users
from mailsuite.admin.api.problems import UNFIT, Problem
from mailsuite.admin.api.route import Answer, Asked, DomainPage, Forced, Route, done, listed
from mailsuite.admin.site import Site

# The last moment of the year 9999: there are no later ones that people can be told.
_LATEST = 253_402_300_799


class NewUser(Struct, forbid_unknown_fields=True):
    """A user to be added; without a *password* it cannot log in yet."""

    address: str
    password: str | None = None

    def __repr__(self) -> str:
        return f"NewUser({self.address!r})"


class UserChange(Struct, forbid_unknown_fields=True):
    """What is to become of a user; what is not named stays."""

    suspended: bool | UnsetType = UNSET
    frozen: bool | UnsetType = UNSET
    must_change: bool | UnsetType = UNSET
    password: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return "UserChange()"


class Leaving(Struct, forbid_unknown_fields=True):
    """From when mail for a user is refused (*until*, POSIX seconds), with which *text*, and where it goes until then.

    Without *copy* the mailbox gets no more of it, if there are *targets*.
    """

    until: Annotated[int, Meta(ge=0, le=_LATEST)]
    targets: list[str] = []
    copy: bool = True
    text: str = users.LEFT


def list_all(site: Site, asked: Asked) -> Answer:
    """List the users."""
    with site.accounts() as accounts:
        found = accounts.users.list(asked.query.domain, asked.query.after)
        return listed(found, asked.query.limit, lambda each: users.as_json(site, each), "name")


def show(site: Site, asked: Asked) -> Answer:
    """Show one."""
    with site.accounts() as accounts:
        return Answer(users.details_as_json(site, accounts, asked.path["user"]))


def add(site: Site, asked: Asked) -> Answer:
    """Make a user."""
    new: NewUser = asked.body
    with site.accounts() as accounts:
        added = users.add(site, accounts, new.address, new.password)
        return done(added, lambda each: users.as_json(site, each), 201)


def change(site: Site, asked: Asked) -> Answer:
    """Switch a user off or on, or give it a new password."""
    name, wanted = asked.path["user"], asked.body
    if wanted == UserChange():
        raise Problem(UNFIT, "give one of suspended, frozen, must_change and password")
    with site.accounts() as accounts:
        # First what can be refused.
        if wanted.password is not UNSET:
            users.set_password(site, accounts, name, wanted.password)
        if wanted.suspended is not UNSET:
            accounts.users.set_suspended(name, wanted.suspended)
        if wanted.frozen is not UNSET:
            accounts.users.set_frozen(name, wanted.frozen)
        if wanted.must_change is not UNSET:
            accounts.users.set_must_change(name, wanted.must_change)
        return Answer(users.details_as_json(site, accounts, name))


def remove(site: Site, asked: Asked) -> Answer:
    """Remove a user; its mail stays on disk."""
    with site.accounts() as accounts:
        removed = users.remove(site, accounts, asked.path["user"], asked.query.force)
        return done(removed, lambda each: users.as_json(site, each))


def leave(site: Site, asked: Asked) -> Answer:
    """Let a user leave."""
    name, leaving = asked.path["user"], asked.body
    with site.accounts() as accounts:
        users.leave(accounts, name, leaving.until, leaving.targets, leaving.copy, leaving.text)
        return Answer(users.details_as_json(site, accounts, name))


def stay(site: Site, asked: Asked) -> Answer:
    """Let a user stay."""
    with site.accounts() as accounts:
        stayed = users.stay(accounts, asked.path["user"])
        return done(stayed, lambda each: users.details_as_json(site, accounts, each.name))


ROUTES = (
    Route("GET", "/v1/users", list_all, query=DomainPage),
    Route("POST", "/v1/users", add, NewUser),
    Route("GET", "/v1/users/<user>", show),
    Route("PATCH", "/v1/users/<user>", change, UserChange),
    Route("DELETE", "/v1/users/<user>", remove, query=Forced),
    Route("PUT", "/v1/users/<user>/leave", leave, Leaving),
    Route("DELETE", "/v1/users/<user>/leave", stay),
)
