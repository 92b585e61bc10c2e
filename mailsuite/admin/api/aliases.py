"""``/v1/aliases``."""

from dataclasses import asdict
from typing import Any

from msgspec import Struct

from mailsuite.admin.api.problems import UNFIT, Problem
from mailsuite.admin.api.route import Answer, Asked, DomainPage, Forced, Route, listed
from mailsuite.admin.site import Site
from mailsuite.directory.replies import chosen
from mailsuite.directory.rows import Alias


class NewTargets(Struct, forbid_unknown_fields=True):
    """Where mail for *address* goes, besides the targets that it has. *keep*: a user's mailbox gets a copy."""

    address: str
    targets: list[str]
    keep: bool = False


class NewReply(Struct, forbid_unknown_fields=True):
    """What mail for an address is answered with."""

    code: int = 550
    text: str = "This address takes no mail"
    status: str | None = None


def list_all(site: Site, asked: Asked) -> Answer:
    """List aliases, and addresses that are answered with a reply of their own."""
    with site.accounts() as accounts:
        found = accounts.aliases.list(asked.query.domain, asked.query.after)
        return listed(found, asked.query.limit, as_json, "name")


def show(site: Site, asked: Asked) -> Answer:
    """Show one."""
    with site.accounts() as accounts:
        return Answer(as_json(accounts.aliases.show(asked.path["alias"])))


def add(site: Site, asked: Asked) -> Answer:
    """Let mail for an address go to further targets."""
    new: NewTargets = asked.body
    if not new.targets:
        raise Problem(UNFIT, "name one target or more")
    with site.accounts() as accounts:
        return Answer(as_json(accounts.aliases.add(new.address, [new.address] * new.keep + new.targets)), 201)


def remove(site: Site, asked: Asked) -> Answer:
    """Remove the whole alias."""
    with site.accounts() as accounts:
        return _left(accounts.aliases.remove(asked.path["alias"], force=asked.query.force))


def remove_target(site: Site, asked: Asked) -> Answer:
    """Remove one target of an alias."""
    with site.accounts() as accounts:
        return _left(accounts.aliases.remove(asked.path["alias"], [asked.path["target"]], asked.query.force))


def reject(site: Site, asked: Asked) -> Answer:
    """Answer mail for an address with a reply of one's choice."""
    reply: NewReply = asked.body
    with site.accounts() as accounts:
        said = chosen(reply.code, reply.text, reply.status)
        return Answer(as_json(accounts.aliases.reject(asked.path["alias"], said)))


def accept(site: Site, asked: Asked) -> Answer:
    """Answer with no such reply any more."""
    with site.accounts() as accounts:
        return _left(accounts.aliases.accept(asked.path["alias"]))


def as_json(found: Alias) -> dict[str, Any]:
    """Return *found* for programs, as the command does."""
    return asdict(found)


def _left(found: Alias | None) -> Answer:
    return Answer(status=204) if found is None else Answer(as_json(found))


ROUTES = (
    Route("GET", "/v1/aliases", list_all, query=DomainPage),
    Route("POST", "/v1/aliases", add, NewTargets),
    Route("GET", "/v1/aliases/<alias>", show),
    Route("DELETE", "/v1/aliases/<alias>", remove, query=Forced),
    Route("DELETE", "/v1/aliases/<alias>/targets/<target>", remove_target, query=Forced),
    Route("PUT", "/v1/aliases/<alias>/reply", reject, NewReply),
    Route("DELETE", "/v1/aliases/<alias>/reply", accept),
)
