"""``mailsuite queue``: what waits, why, and an operator's hands on it."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import click

from mailsuite.admin import destinations
from mailsuite.admin.queue import as_json as entry_json
from mailsuite.admin.queue import counts_as_json
from mailsuite.administered import administered
from mailsuite.cli.output import as_json, print_json, print_table, printable, progress
from mailsuite.cli.queue_filters import filters
from mailsuite.cli.queue_words import (
    COUNT_HEADERS,
    HEADERS,
    count_row,
    explanation,
    message_facts,
    recipient_facts,
    row,
)
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.queue.admin import Administration, Changed, Progress
from mailsuite.queue.entries import Selection
from mailsuite.queue.errors import QueueError

# Rows of one table: the queue may be longer than fits in memory.
_ROWS = 1000

all_option = click.option("--all", "everything", is_flag=True, help="All of the queue.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
queue_option = click.option("--queue", "whole", is_flag=True, help="The queue as a whole, with what is still to come.")
destination_option = click.option(
    "--destination", metavar="NAME", help="The destination NAME as a whole, with what is still to come for it."
)


@click.group()
def queue() -> None:
    """Look at the mail that waits, say why it does, and try, hold, release, remove or give it up.

    Works whether the server runs or not; a running one goes by the change within a second.

    \b
    Example:
      mailsuite queue list --domain example.net
      mailsuite queue explain 4fk2m9a1-1
      mailsuite queue retry --domain example.net
    """


@queue.command(name="list")
@filters()
@click.option("--summary", is_flag=True, help="Only how much waits for each destination, and in what state that is.")
@as_json
@with_site
def list_(settings: Settings, selection: Selection, summary: bool, as_json: bool) -> None:
    """List what is in the queue, the oldest first: one line for each recipient.

    \b
    Example:
      mailsuite queue list --older 1d
      mailsuite queue list --sender @example.com --status held
      mailsuite queue list --summary
    """
    now = time.time()
    with _open(settings) as admin:
        if summary:
            if selection != Selection():
                raise click.UsageError("--summary is about the whole queue")
            _print(admin.counts(), COUNT_HEADERS, count_row, counts_as_json, as_json)
        else:
            _print(admin.list(selection), HEADERS, lambda entry: row(entry, now), entry_json, as_json)
        _tell_of_holds(admin)


@queue.command()
@click.argument("message", metavar="ID")
@click.option("--content", is_flag=True, help="Write the message itself to standard output.")
@as_json
@with_site
def show(settings: Settings, message: str, content: bool, as_json: bool) -> None:
    """Show the message ID: its envelope, and each recipient with its last answer.

    \b
    Example:
      mailsuite queue show 4fk2m9a1-1
      mailsuite queue show 4fk2m9a1-1 --content | less
    """
    if content and as_json:
        raise click.UsageError("--content is the message as it is, and no JSON: give one of --content and --json")
    with _open(settings) as admin:
        if content:
            _write_content(admin, message)
            return
        entries = admin.show(message)
        if as_json:
            print_json([entry_json(entry) for entry in entries])
            return
        print_table(("message", message), list(message_facts(entries[0])))
        for entry in entries:
            click.echo()
            print_table(("recipient", str(entry.recipient.address)), list(recipient_facts(entry, time.time())))


@queue.command()
@click.argument("message", metavar="ID")
@with_site
def explain(settings: Settings, message: str) -> None:
    """Say for each recipient of the message ID where it goes, why it waits, and what happens next.

    \b
    Example:
      mailsuite queue explain 4fk2m9a1-1
    """
    now = time.time()
    with _open(settings) as admin:
        for entry in admin.show(message):
            click.echo("\n  ".join(map(printable, explanation(entry, now))))
        _tell_of_holds(admin)


@queue.command()
@filters()
@all_option
@with_site
def retry(settings: Settings, selection: Selection, everything: bool) -> None:
    """Try now what waits, also what its sender wants to go later. A destination that was put off is tried with it.

    \b
    Example:
      mailsuite queue retry 4fk2m9a1
      mailsuite queue retry --domain example.net
    """
    with _open(settings) as admin:
        _change(admin, admin.retry, selection, everything, "Due now", "what is held is released, not retried")


@queue.command()
@filters(destination=False)
@destination_option
@queue_option
@all_option
@with_site
def hold(settings: Settings, selection: Selection, destination: str | None, whole: bool, everything: bool) -> None:
    """Let nothing happen to what is in the queue, until it is released: it is neither tried nor given up.

    With --destination or --queue nothing is tried from now on, also of what is still to come; with --queue no
    report is sent either. What is under way at that moment still ends. Mail that waits for a held destination grows
    old all the same.

    \b
    Example:
      mailsuite queue hold 4fk2m9a1
      mailsuite queue hold --sender news@example.com
      mailsuite queue hold --destination example.net
    """
    with _open(settings) as admin:
        if not _switch(settings, admin, selection, destination, whole, everything, True):
            _change(admin, admin.hold, selection, everything, "Held", "it was held, or set aside, before")


@queue.command()
@filters(destination=False)
@destination_option
@queue_option
@all_option
@with_site
def release(settings: Settings, selection: Selection, destination: str | None, whole: bool, everything: bool) -> None:
    """Let what is held, or was set aside with damaged content, go on: it is due now.

    \b
    Example:
      mailsuite queue release 4fk2m9a1
      mailsuite queue release --queue
    """
    with _open(settings) as admin:
        if not _switch(settings, admin, selection, destination, whole, everything, False):
            _change(admin, admin.release, selection, everything, "Released", "it was not held")


@queue.command()
@filters()
@all_option
@yes_option
@with_site
def remove(settings: Settings, selection: Selection, everything: bool, yes: bool) -> None:
    """Drop what is in the queue. Nobody is told; to tell the senders, use bounce.

    \b
    Example:
      mailsuite queue remove 4fk2m9a1-1
      mailsuite queue remove --sender '<>' --older 2d --yes
    """
    with _open(settings) as admin:
        _confirm(admin, selection, everything, yes, "Remove {what} for good, and tell nobody?")
        _change(admin, admin.remove, selection, everything, "Removed", "")


@queue.command()
@filters()
@all_option
@yes_option
@with_site
def bounce(settings: Settings, selection: Selection, everything: bool, yes: bool) -> None:
    """Give up what is in the queue, and have the server tell the senders.

    \b
    Example:
      mailsuite queue bounce 4fk2m9a1-1
      mailsuite queue bounce --domain exmaple.net
    """
    with _open(settings) as admin:
        _confirm(admin, selection, everything, yes, "Give up {what}, and tell the senders?")
        _change(admin, admin.bounce, selection, everything, "Given up", "it was given up before")


@contextmanager
def _open(settings: Settings) -> Iterator[Administration]:
    try:
        with Administration.open(settings.queue.path) as admin:
            yield admin
    except QueueError as error:
        raise click.ClickException(str(error)) from error


def _change(
    admin: Administration,
    change: Callable[[Selection, Progress], Changed],
    selection: Selection,
    everything: bool,
    done: str,
    unfit: str,
) -> None:
    """Do *change*, and say what came of it; nothing that could have been changed is exit code 1."""
    _refuse_vague(selection, everything)
    recipients, _ = admin.count(selection)
    if not recipients and everything:
        click.echo("The queue is empty.")
        return
    if not recipients:
        raise click.ClickException("nothing of that kind is in the queue")
    with progress("queue", recipients) as advance:
        came = change(selection, advance)
    click.echo(f"{done}: {_recipients(came.changed)}.")
    if came.unfit:
        click.echo(f"Left as it was: {_recipients(came.unfit)}; {unfit}.", err=True)
    if came.busy:
        why = "in the server's hands at this moment; say it again soon"
        click.echo(f"Left as it was: {_recipients(came.busy)}; {why}.", err=True)
    if not came.changed:
        raise SystemExit(1)


def _refuse_vague(selection: Selection, everything: bool) -> None:
    if selection.names_nothing is not everything:
        raise click.UsageError("say which mail is meant: an ID, options such as --domain, or else --all")


def _confirm(admin: Administration, selection: Selection, everything: bool, yes: bool, question: str) -> None:
    _refuse_vague(selection, everything)
    recipients, messages = admin.count(selection)
    if recipients and not yes:
        what = f"{_recipients(recipients)} of {counted(messages, 'message')}"
        click.confirm(question.format(what=what), abort=True, err=True)


def _switch(
    settings: Settings,
    admin: Administration,
    selection: Selection,
    destination: str | None,
    whole: bool,
    everything: bool,
    held: bool,
) -> bool:
    """Hold or release a destination or the queue as a whole, where that is asked for; say whether it was."""
    if destination is None and not whole:
        return False
    if selection != Selection() or everything or (whole and destination is not None):
        raise click.UsageError("--destination and --queue stand alone: they are about more than what is in the queue")
    if whole:
        admin.hold_queue(held)
        click.echo("The queue is held: nothing is tried." if held else "The queue goes on.")
    else:
        assert destination is not None
        _switch_destination(settings, admin, destination, held)
    return True


def _switch_destination(settings: Settings, admin: Administration, destination: str, held: bool) -> None:
    try:
        switched = destinations.switch(administered(settings), admin, destination, held)
    except (destinations.NoDestination, destinations.NotHeld) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{switched.name} is held: nothing is tried there." if held else f"{switched.name} goes on.")
    for note in switched.notes:
        click.echo(note, err=True)


def _tell_of_holds(admin: Administration) -> None:
    whole, _ = admin.held()
    names = destinations.held(admin)
    if whole:
        click.echo("The queue is held: nothing is tried until mailsuite queue release --queue.", err=True)
    if names:
        click.echo(f"Held destinations: {', '.join(map(printable, names))}.", err=True)


def _print(
    found: Iterable[Any],
    headers: tuple[str, ...],
    as_row: Callable[[Any], tuple[object, ...]],
    as_dict: Callable[[Any], dict[str, Any]],
    as_json: bool,
) -> None:
    """Print what was *found*, piece by piece: a queue may be longer than memory."""
    if as_json:
        _print_array(as_dict(each) for each in found)
        return
    rest = iter(found)
    piece = [as_row(each) for each in islice(rest, _ROWS)]
    if not piece:
        click.echo("Nothing found.")
    while piece:
        print_table(headers, piece)
        piece = [as_row(each) for each in islice(rest, _ROWS)]


def _print_array(values: Iterable[object]) -> None:
    opening = "["
    for value in values:
        click.echo(f"{opening}\n{json.dumps(value, indent=2, ensure_ascii=False, default=str)}", nl=False)
        opening = ","
    click.echo("[]" if opening == "[" else "\n]")


def _write_content(admin: Administration, message: str) -> None:
    try:
        pieces = admin.content(message)
    except OSError as error:
        raise click.ClickException(f"the content of {message} cannot be read: {error}") from error
    for piece in pieces:
        click.echo(piece, nl=False)


def _recipients(count: int) -> str:
    return counted(count, "recipient")
