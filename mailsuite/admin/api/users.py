"""``/v1/users``."""

from msgspec import UNSET, Struct, UnsetType

from mailsuite.admin import users
from mailsuite.admin.api.problems import UNFIT, Problem
from mailsuite.admin.api.route import Answer, Asked, Forced, Page, Route, done, listed
from mailsuite.admin.site import Site


class UserPage(Page, forbid_unknown_fields=True):
    """Part of the list of users, of one *domain* if that is named."""

    domain: str | None = None


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


ROUTES = (
    Route("GET", "/v1/users", list_all, query=UserPage),
    Route("POST", "/v1/users", add, NewUser),
    Route("GET", "/v1/users/<user>", show),
    Route("PATCH", "/v1/users/<user>", change, UserChange),
    Route("DELETE", "/v1/users/<user>", remove, query=Forced),
)
