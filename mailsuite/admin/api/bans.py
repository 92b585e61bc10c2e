"""``/v1/bans``."""

from typing import Annotated

from msgspec import Meta, Struct

from mailsuite.admin import bans
from mailsuite.admin.api.problems import Problem
from mailsuite.admin.api.route import MOST, PAGE, Answer, Asked, Route, done, part
from mailsuite.admin.site import Site
from mailsuite.database import LARGEST
from mailsuite.policy.ban_file import BanFile

# A hundred years: what lasts longer is for ever.
_LONGEST = 3_153_600_000


class BanPage(Struct, forbid_unknown_fields=True):
    """Which bans are asked for: *limit* of them at most, behind the one of the number *after*."""

    limit: Annotated[int, Meta(ge=1, le=MOST)] = PAGE
    after: Annotated[int, Meta(ge=0, le=LARGEST)] = 0


class NewBan(Struct, forbid_unknown_fields=True):
    """Whom to keep out, and for how long: *seconds*, *forever*, or as long as the site's own bans."""

    subject: str
    seconds: Annotated[float, Meta(gt=0, le=_LONGEST)] | None = None
    forever: bool = False
    logins: bool = False
    reason: Annotated[str, Meta(max_length=500)] = ""

    def __post_init__(self) -> None:
        if self.forever and self.seconds is not None:
            raise ValueError("seconds and forever exclude each other")


def list_all(site: Site, asked: Asked) -> Answer:
    """List the bans that stand, the oldest first."""
    wanted: BanPage = asked.query
    found, more = part(BanFile.of(site.state).numbered(asked.now, wanted.after, wanted.limit + 1), wanted.limit)
    return Answer({"items": [bans.as_json(each) for _, each in found], "next": found[-1][0] if more else None})


def add(site: Site, asked: Asked) -> Answer:
    """Keep somebody out."""
    new: NewBan = asked.body
    made = bans.add(site, new.subject, new.seconds, new.forever, new.logins, new.reason, asked.now)
    return done(made, bans.as_json, 201)


def remove(site: Site, asked: Asked) -> Answer:
    """Lift a ban."""
    subject = bans.subject(asked.path["subject"])
    if not BanFile.of(site.state).remove([subject]):
        raise Problem(404, f"not banned: {subject}; see GET /v1/bans")
    return Answer(status=204)


ROUTES = (
    Route("GET", "/v1/bans", list_all, query=BanPage),
    Route("POST", "/v1/bans", add, NewBan),
    Route("DELETE", "/v1/bans/<path:subject>", remove),
)
