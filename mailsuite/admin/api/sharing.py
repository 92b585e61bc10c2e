"""``/v1/users/.../sharing`` and ``/v1/users/.../readers``: mailboxes that several logins read."""

from typing import Annotated

from msgspec import Meta, Struct

from mailsuite.admin import sharing
from mailsuite.admin.api.route import Answer, Asked, Route
from mailsuite.admin.site import Site


class Terms(Struct, forbid_unknown_fields=True):
    """How a mailbox is shared: a message goes *expire_hidden* days after all have hidden it, or never."""

    expire_hidden: Annotated[int, Meta(ge=0, le=sharing.MOST_DAYS)] | None = None


class NewReader(Struct, forbid_unknown_fields=True):
    """A login that is made to read a shared mailbox, and has none of its own."""

    login: str
    password: str

    def __repr__(self) -> str:
        return f"NewReader({self.login!r})"


def show(site: Site, asked: Asked) -> Answer:
    """Say whether a mailbox is shared, and by whom."""
    with site.accounts() as accounts:
        return Answer(sharing.show(site, accounts, asked.path["user"]).as_json())


def share(site: Site, asked: Asked) -> Answer:
    """Let several logins read a mailbox."""
    with site.accounts() as accounts:
        return Answer(sharing.share(site, accounts, asked.path["user"], asked.body.expire_hidden).as_json())


def unshare(site: Site, asked: Asked) -> Answer:
    """Let a mailbox be one login's alone."""
    with site.accounts() as accounts:
        return Answer(sharing.unshare(site, accounts, asked.path["user"]).as_json())


def add_reader(site: Site, asked: Asked) -> Answer:
    """Make a login that reads a shared mailbox."""
    new: NewReader = asked.body
    with site.accounts() as accounts:
        found = sharing.add_reader(site, accounts, asked.path["user"], new.login, new.password)
        return Answer(found.as_json(), 201)


ROUTES = (
    Route("GET", "/v1/users/<user>/sharing", show),
    Route("PUT", "/v1/users/<user>/sharing", share, Terms),
    Route("DELETE", "/v1/users/<user>/sharing", unshare),
    Route("POST", "/v1/users/<user>/readers", add_reader, NewReader),
)
