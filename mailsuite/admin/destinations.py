"""Destinations of the queue as a whole: held, or let go on, under the names that an operator has for them."""

from dataclasses import dataclass

from mailsuite.address import Address
from mailsuite.admin.site import Site
from mailsuite.directory.spelling import is_domain, shown
from mailsuite.queue.admin import Administration
from mailsuite.queued import LOCAL
from mailsuite.service.asking import fates, plain
from mailsuite.smtp.grammar import is_literal


class NoDestination(Exception):
    """Mail waits under no such name, or under another one; the text says which."""


class NotHeld(Exception):
    """The destination is not held."""


@dataclass(frozen=True, slots=True)
class Switched:
    """The destination *name* is *held* now, or goes on. *notes* are for who asked for it."""

    name: str
    held: bool
    notes: tuple[str, ...] = ()


def switch(site: Site, queue: Administration, destination: str, held: bool) -> Switched:
    """Try nothing for *destination* from now on, also of what is still to come; or go on.

    Raises `NoDestination`, or `NotHeld` where what should go on is not held.
    """
    _, names = queue.held()
    # What was held under a name that now goes another way can be released all the same.
    name = destination if not held and destination in names else _scheduled_as(site, destination)
    # Under a name of its own waits what is to have other TLS than the rest; who names the rest means all of it.
    every = fates(name) if name == plain(name) else (name,)
    known = any(queue.knows(each) for each in every)
    news = [each for each in every if queue.hold_destination(each, held)]
    if not news and not held:
        raise NotHeld(f"{name} is not held")
    notes = ("Nothing of that name is in the queue: this is for what may come.",) if held and not known else ()
    return Switched(name, held, notes)


def held(queue: Administration) -> list[str]:
    """Return the destinations that are held, but those whose mail is held with that of another one."""
    _, every = queue.held()
    return [name for name in every if name == plain(name) or plain(name) not in every]


def _scheduled_as(site: Site, name: str) -> str:
    """Return the destination that an operator calls *name*; a domain that goes by a route is none of its own."""
    base = plain(name)
    if base != name:
        return _scheduled_as(site, base) + name.removeprefix(base)
    routes = site.routes()
    if name == LOCAL or name in routes.next_hops:
        return name
    if name.startswith("route:"):
        known = f"; there are {', '.join(routes.next_hops)}" if routes.next_hops else ""
        raise NoDestination(f"no next hop has the name {shown(name)}{known}")
    _refuse_no_destination(site, name)
    destination = routes.route(Address("", name), None).destination
    if destination in routes.next_hops:
        raise NoDestination(
            f"mail for {name} is scheduled as one of {destination}, with all else that goes that way: name"
            f" {destination}, or hold only what is in the queue now, with --domain {name}"
        )
    return destination


def _refuse_no_destination(site: Site, name: str) -> None:
    """Refuse what no mail can be scheduled under."""
    if not is_domain(name) and not (name.startswith("[") and name.endswith("]") and is_literal(name)):
        raise NoDestination(
            f'"{shown(name) if name else ""}" is no destination: expected a domain, an address literal such as'
            f" [192.0.2.1], route:NAME, or {LOCAL} for our own mailboxes"
        )
    if site.is_local(name):
        raise NoDestination(
            f"mail for {name} goes into mailboxes of ours, and waits in the queue only when they cannot take it: name"
            f" {LOCAL}, or hold only what is in the queue now, with --domain {name}"
        )
