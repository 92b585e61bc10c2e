"""``/v1/queue``."""

import re
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated

from msgspec import Meta, structs

from mailsuite.admin import destinations
from mailsuite.admin.api.problems import UNFIT, Problem
from mailsuite.admin.api.route import MOST, PAGE, Answer, Asked, Page, Route, part
from mailsuite.admin.queue import as_json, counts_as_json
from mailsuite.admin.site import Site
from mailsuite.database import LARGEST
from mailsuite.queue.admin import Administration, Changed
from mailsuite.queue.entries import Selection


class Looking(Selection, frozen=True, forbid_unknown_fields=True):
    """What to list, and which part of it: *limit* entries at most, those behind the one of the number *after*."""

    limit: Annotated[int, Meta(ge=1, le=MOST)] = PAGE
    after: Annotated[int, Meta(ge=0, le=LARGEST)] = 0


class SummaryPage(Page, forbid_unknown_fields=True):
    """Which part of a summary is asked for; *after* is the ``next`` of the part before: a number and a destination."""

    @property
    def behind(self) -> tuple[int | None, str]:
        """Behind which number of recipients, and which destination. Raises `Problem`."""
        number, _, name = self.after.partition(" ")
        if not self.after:
            return None, ""
        if not name or re.fullmatch("[0-9]{1,18}", number) is None:
            raise Problem(UNFIT, "after is what next said in the part before")
        return int(number), name


class Changing(Selection, frozen=True, forbid_unknown_fields=True):
    """What to change; *all* of the queue only where that is said."""

    all: bool = False


def list_all(site: Site, asked: Asked) -> Answer:
    """List what is in the queue, the oldest first."""
    wanted: Looking = asked.query
    further = structs.replace(wanted, limit=wanted.limit + 1)
    with Administration.open(site.queue) as admin:
        held, names = admin.held()
        found, more = part(admin.list(further, wanted.after), wanted.limit)
    return Answer({
        "items": [as_json(each) for each in found],
        "next": found[-1].recipient.number if more else None,
        "queue_held": held,
        "held_destinations": names,
    })  # fmt: skip


def summary(site: Site, asked: Asked) -> Answer:
    """Say how much waits for each destination, the longest queue first."""
    wanted: SummaryPage = asked.query
    with Administration.open(site.queue) as admin:
        found, more = part(admin.counts(wanted.behind, wanted.limit + 1), wanted.limit)
    return Answer({
        "items": [counts_as_json(each) for each in found],
        "next": f"{found[-1].recipients} {found[-1].place.name}" if more else None,
    })  # fmt: skip


def show(site: Site, asked: Asked) -> Answer:
    """Show one message: an entry for each recipient."""
    with Administration.open(site.queue) as admin:
        return Answer({"items": [as_json(each) for each in admin.show(asked.path["message"])]})


def change(what: Callable[[Administration], Callable[[Selection], Changed]], site: Site, asked: Asked) -> Answer:
    """Do *what* with what is meant."""
    selection: Changing = asked.body
    if selection.names_nothing is not selection.all:
        raise Problem(UNFIT, "say which mail is meant: id, sender, recipient, domain, ..., or else all")
    with Administration.open(site.queue) as admin:
        if not selection.all and not admin.count(selection)[0]:
            raise Problem(404, "nothing of that kind is in the queue")
        return Answer(asdict(what(admin)(selection)))


def holds(site: Site, asked: Asked) -> Answer:
    """Say whether the whole queue is held, and which destinations are."""
    with Administration.open(site.queue) as admin:
        return _holds(admin)


def switch_queue(held: bool, site: Site, asked: Asked) -> Answer:
    """Let the whole queue stand still, or go on."""
    with Administration.open(site.queue) as admin:
        admin.hold_queue(held)
        return _holds(admin)


def switch_destination(held: bool, site: Site, asked: Asked) -> Answer:
    """Hold a destination as a whole, or let it go on."""
    with Administration.open(site.queue) as admin:
        return Answer(asdict(destinations.switch(site, admin, asked.path["destination"], held)))


def _holds(admin: Administration) -> Answer:
    return Answer({"queue_held": admin.held()[0], "destinations": destinations.held(admin)})


ROUTES = (
    Route("GET", "/v1/queue", list_all, query=Looking),
    Route("GET", "/v1/queue/summary", summary, query=SummaryPage),
    Route("GET", "/v1/queue/messages/<message>", show),
    Route("GET", "/v1/queue/holds", holds),
    Route("PUT", "/v1/queue/holds/queue", partial(switch_queue, True)),
    Route("DELETE", "/v1/queue/holds/queue", partial(switch_queue, False)),
    Route("PUT", "/v1/queue/holds/destinations/<path:destination>", partial(switch_destination, True)),
    Route("DELETE", "/v1/queue/holds/destinations/<path:destination>", partial(switch_destination, False)),
    Route("POST", "/v1/queue/retry", partial(change, lambda admin: admin.retry), Changing),
    Route("POST", "/v1/queue/hold", partial(change, lambda admin: admin.hold), Changing),
    Route("POST", "/v1/queue/release", partial(change, lambda admin: admin.release), Changing),
    Route("POST", "/v1/queue/remove", partial(change, lambda admin: admin.remove), Changing),
    Route("POST", "/v1/queue/bounce", partial(change, lambda admin: admin.bounce), Changing),
)
