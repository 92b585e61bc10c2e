"""What of the queue a command is about: its options."""

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from mailsuite.cli.spans import span
from mailsuite.database import LARGEST
from mailsuite.queue.entries import Selection, Status

R = TypeVar("R")

_STATUSES: tuple[Status, ...] = get_args(Status)
_OPTIONS = (
    click.option("--id", "identity", metavar="ID", help="The message ID; the same as giving ID."),
    click.option("--sender", metavar="ADDRESS", help="From this address, or @domain; '<>' for reports."),
    click.option("--recipient", metavar="ADDRESS", help="To this address, or @domain."),
    click.option("--domain", metavar="DOMAIN", help="To addresses of this domain."),
    click.option("--older", callback=span, metavar="SPAN", help="That arrived longer ago than SPAN: 90m, 12h, 1d."),
    click.option("--younger", callback=span, metavar="SPAN", help="That arrived within SPAN."),
    click.option("--status", type=click.Choice(_STATUSES), help="In this state; claimed: in the server's hands now."),
    click.option("--held", is_flag=True, help="The same as --status held."),
    click.option("--limit", type=click.IntRange(1, LARGEST), metavar="N", help="The first N, the oldest first."),
)
_SELECTING = ("message", "identity", "sender", "recipient", "domain", "older", "younger", "status", "held", "limit")
_destination = click.option(
    "--destination", metavar="NAME", help="That goes by this destination: a domain, the name of a route, or local."
)


def filters(destination: bool = True) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command the options that select, and the argument ID; it gets them as ``selection``.

    Without *destination* that option is the command's own.
    """
    names = (*_SELECTING, "destination") if destination else _SELECTING

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def selecting(*args: Any, **options: Any) -> R:
            own = {name: options.pop(name) for name in names}
            return command(*args, selection=_selection(**own), **options)

        wrapped: Callable[..., R] = click.argument("message", metavar="[ID]", required=False)(selecting)
        for option in reversed((*_OPTIONS, _destination) if destination else _OPTIONS):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def _selection(
    message: str | None,
    identity: str | None,
    older: float | None,
    younger: float | None,
    status: Status | None,
    held: bool,
    **same: Any,
) -> Selection:
    if held and status not in (None, "held"):
        raise click.UsageError(f"--held and --status {status} exclude each other")
    if message is not None and identity is not None and message != identity:
        raise click.UsageError("two messages are named; give one ID")
    now = time.time()
    try:
        return Selection(
            id=message if message is not None else identity,
            before=None if older is None else now - older,
            since=None if younger is None else now - younger,
            status="held" if held else status,
            **same,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
