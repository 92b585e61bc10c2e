"""``/v1/users/.../caps``, ``/v1/domains/.../caps`` and ``/v1/caps``: how much may be sent before it is held."""

from collections.abc import Mapping
from typing import Annotated, get_args

from msgspec import Meta, Struct

from mailsuite.admin import caps
from mailsuite.admin.api.problems import Problem
from mailsuite.admin.api.route import Answer, Asked, DomainPage, Route, listed
from mailsuite.admin.site import Site
from mailsuite.database import LARGEST
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.meaning import Counted

_COUNTED: tuple[Counted, ...] = get_args(Counted)
# By what the path says.
_CAPS: Mapping[tuple[str, str], tuple[Counted, int]] = {
    (counted, span): (counted, seconds) for counted in _COUNTED for span, seconds in caps.SPANS.items()
}


class Most(Struct, forbid_unknown_fields=True):
    """How much may be sent in the span; ``None``: any number."""

    most: Annotated[int, Meta(ge=1, le=LARGEST)] | None


def list_all(site: Site, asked: Asked) -> Answer:
    """List who has caps of its own."""
    with site.accounts() as accounts:
        found = accounts.caps.list(asked.query.domain, asked.query.after)
        return listed(found, asked.query.limit, lambda each: caps.listed_as_json(*each), "whom")


def show(site: Site, asked: Asked) -> Answer:
    """Show the caps of a login or a domain."""
    with site.accounts() as accounts:
        return _shown(site, accounts, _whom(asked))


def put(site: Site, asked: Asked) -> Answer:
    """Set a cap."""
    return _set(site, asked, asked.body.most or 0)


def remove(site: Site, asked: Asked) -> Answer:
    """Take a cap off."""
    return _set(site, asked, None)


def _set(site: Site, asked: Asked, most: int | None) -> Answer:
    named = _CAPS.get((asked.path["counted"], asked.path["span"]))
    if named is None:
        raise Problem(404, f"expected {' or '.join(_COUNTED)}, and {' or '.join(caps.SPANS)}, at the path's end")
    with site.accounts() as accounts:
        accounts.caps.set(_whom(asked), *named, most)
        return _shown(site, accounts, _whom(asked))


def _whom(asked: Asked) -> str:
    """Return the login, or the domain, that the path names; one is not taken for the other."""
    if "domain" in asked.path:
        return parse_domain(asked.path["domain"])
    return str(parse_address(asked.path["user"]))


def _shown(site: Site, accounts: Accounts, whom: str) -> Answer:
    return Answer({"items": [caps.as_json(by, each) for by, each in caps.in_force(site, accounts, whom)]})


ROUTES = (
    Route("GET", "/v1/caps", list_all, query=DomainPage),
    Route("GET", "/v1/users/<user>/caps", show),
    Route("PUT", "/v1/users/<user>/caps/<counted>/<span>", put, Most),
    Route("DELETE", "/v1/users/<user>/caps/<counted>/<span>", remove),
    Route("GET", "/v1/domains/<domain>/caps", show),
    Route("PUT", "/v1/domains/<domain>/caps/<counted>/<span>", put, Most),
    Route("DELETE", "/v1/domains/<domain>/caps/<counted>/<span>", remove),
)
