"""``/v1/queue``."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from msgspec import Struct, structs

from mailsuite.admin.api.problems import UNFIT, Problem
from mailsuite.admin.api.route import MOST, PAGE, Answer, Asked, Route
from mailsuite.admin.queue import as_json, counts_as_json, is_everything
from mailsuite.admin.site import Site
from mailsuite.queue.admin import Administration, Changed
from mailsuite.queue.entries import Selection, Status


class Wanted(Struct, forbid_unknown_fields=True):
    """Which recipients in the queue are meant: those that all of this is true of."""

    id: str | None = None
    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    destination: str | None = None
    before: float | None = None
    since: float | None = None
    status: Status | None = None

    def __post_init__(self) -> None:
        for text in (self.sender if self.sender != "<>" else None, self.recipient):
            if text is not None and "@" not in text:
                raise ValueError(f"{text!r} is no address; expected one such as a@example.org, or @example.org")


class Looking(Wanted, forbid_unknown_fields=True):
    """What to list, and how much of it."""

    limit: int = PAGE

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.limit <= MOST:
            raise ValueError(f"limit must be from 1 to {MOST}")


class Changing(Wanted, forbid_unknown_fields=True):
    """What to change; *all* of the queue only where that is said."""

    all: bool = False


def list_all(site: Site, asked: Asked) -> Answer:
    """List what is in the queue, the oldest first."""
    with Administration.open(site.queue) as admin:
        held, destinations = admin.held()
        found = [as_json(each) for each in admin.list(Selection(**structs.asdict(asked.query)))]
        return Answer({"items": found, "queue_held": held, "held_destinations": destinations})


def summary(site: Site, asked: Asked) -> Answer:
    """Say how much waits for each destination."""
    with Administration.open(site.queue) as admin:
        return Answer({"items": [counts_as_json(each) for each in admin.counts()]})


def show(site: Site, asked: Asked) -> Answer:
    """Show one message: an entry for each recipient."""
    with Administration.open(site.queue) as admin:
        return Answer({"items": [as_json(each) for each in admin.show(asked.path["message"])]})


def change(what: Callable[[Administration], Callable[[Selection], Changed]], site: Site, asked: Asked) -> Answer:
    """Do *what* with what is meant."""
    wanted: dict[str, Any] = structs.asdict(asked.body)
    everything = wanted.pop("all")
    selection = Selection(**wanted)
    if is_everything(selection) is not everything:
        raise Problem(UNFIT, "say which mail is meant: id, sender, recipient, domain, ..., or else all")
    with Administration.open(site.queue) as admin:
        if not everything and not admin.count(selection)[0]:
            raise Problem(404, "nothing of that kind is in the queue")
        return Answer(asdict(what(admin)(selection)))


ROUTES = (
    Route("GET", "/v1/queue", list_all, query=Looking),
    Route("GET", "/v1/queue/summary", summary),
    Route("GET", "/v1/queue/messages/<message>", show),
    Route("POST", "/v1/queue/retry", partial(change, lambda admin: admin.retry), Changing),
    Route("POST", "/v1/queue/hold", partial(change, lambda admin: admin.hold), Changing),
    Route("POST", "/v1/queue/release", partial(change, lambda admin: admin.release), Changing),
    Route("POST", "/v1/queue/remove", partial(change, lambda admin: admin.remove), Changing),
    Route("POST", "/v1/queue/bounce", partial(change, lambda admin: admin.bounce), Changing),
)
