"""``mailsuite explain``: why a recipient is taken or refused, and what became of a message."""

import os
import re
import time
from dataclasses import asdict

import click
from twisted.internet import reactor as default_reactor

from mailsuite.admin.queue import as_json as entry_json
from mailsuite.admin.times import when
from mailsuite.cli.explaining.log_lines import Line, lines_with, logs
from mailsuite.cli.explaining.reading import Reading
from mailsuite.cli.explaining.story import belongs, story
from mailsuite.cli.explaining.walk import Explanation, Question, Walk
from mailsuite.cli.output import as_json, print_json, print_table, printable, progress
from mailsuite.cli.queue_words import explanation
from mailsuite.cli.settled import settled
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.config.forms import ip
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.spelling import parse_address
from mailsuite.envelope import Peer
from mailsuite.queue.admin import Administration
from mailsuite.queue.entries import Entry
from mailsuite.queue.errors import NoQueue, NotQueued, QueueError
from mailsuite.starting import START_TROUBLE

_ID = re.compile(r"[0-9a-z]+-\d+")


def _path(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Return *text*, an address as it stands between angle brackets, without these."""
    if text is None:
        return None
    if not text.isprintable():
        raise click.BadParameter("it has characters that cannot be printed, and no command line can carry it")
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _peer(context: click.Context, option: click.Parameter, text: str) -> Peer:
    if text != "unix" and ip(text) is None:
        raise click.BadParameter(f"{text!r} is no IP address, nor unix for who comes by a UNIX socket")
    return Peer(text)


@click.group()
def explain() -> None:
    """Say why: why a recipient is taken or refused, and what became of a message. Nothing is sent or changed.

    \b
    Example:
      mailsuite explain rcpt bob@example.net --from alice@example.org --peer 192.0.2.7
      mailsuite explain message 4fk2m9a1-1
    """


@explain.command(options_metavar="--peer IP [OPTIONS]")
@click.argument("recipient", metavar="TO", callback=_path)
@click.option("--from", "sender", default="", callback=_path, metavar="FROM", help="The sender (default: none, <>).")
@click.option("--peer", required=True, callback=_peer, metavar="IP", help="The address that it comes from, or unix.")
@click.option("--login", default="", metavar="LOGIN", help="Who has logged in (default: nobody).")
@click.option("--listener", metavar="NAME", help="Where: the first for mta, with --login for submission, if not said.")
@click.option(
    "--helo", default="client.example", callback=_path, metavar="NAME",
    help="The name at EHLO (default: client.example).",
)
@as_json
@with_site
def rcpt(
    settings: Settings,
    recipient: str,
    sender: str,
    peer: Peer,
    login: str,
    listener: str | None,
    helo: str,
    as_json: bool,
) -> None:
    """Ask what the server would answer to RCPT TO, and walk through all that decides it: bans, the login, MAIL, what
    the address means, deny lists, who may relay, quota, limits and caps, the way from here.

    The parts of the server are asked, live, as they would answer now; only what it has counted for its limits stays
    with it. The exit code is 1 where the recipient is refused or put off.

    \b
    Example:
      mailsuite explain rcpt alice@example.org --from bob@example.net --peer 192.0.2.7
      mailsuite explain rcpt bob@example.net --from alice@example.org --peer 192.0.2.7 --login alice@example.org
    """
    try:
        name = str(parse_address(login)) if login else ""
    except AccountsError as error:
        raise click.UsageError(str(error)) from error
    question = Question(_listener(settings, listener, bool(login)), peer, helo, name, sender, recipient)
    try:
        found = settled(_explained(settings, question))
    except START_TROUBLE as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        steps = [asdict(each) for each in found.steps]
        print_json({"listener": question.listener, "steps": steps, "reply": found.reply or None})
    else:
        print_table(("step", "", "why"), [(each.step, each.said, each.why) for each in found.steps])
        click.echo(f"\nThe answer: {found.reply or 'none, the connection is closed'}")
    raise SystemExit(0 if found.reply.startswith("2") else 1)


@explain.command()
@click.argument("message", metavar="ID")
@as_json
@with_site
def message(settings: Settings, message: str, as_json: bool) -> None:
    """Tell the story of the message ID, out of the mail log (and those kept before it) and the queue.

    ID is what stands in brackets in our answer to the sender, in Received, and in the log.

    \b
    Example:
      mailsuite explain message 4fk2m9a1-1
    """
    if not _ID.fullmatch(message):
        raise click.UsageError(f"{message!r} is no ID of a message; expected one such as 4fk2m9a1-1")
    told = list(story(_lines(settings, message), message))
    entries = _queued(settings, message)
    if not told and not entries:
        raise click.ClickException(f"neither {settings.log.path} nor the queue knows of {message}")
    if as_json:
        log = [{"time": line.time, "kind": line.kind, "fields": line.fields, "told": text} for line, text in told]
        print_json({"id": message, "log": log, "queue": [entry_json(entry) for entry in entries]})
        return
    for line, text in told:
        click.echo(printable(f"{line.time}  {text}"))
    now = time.time()
    for entry in entries:
        click.echo(printable(f"{when(now)}  {' '.join(explanation(entry, now))}"))
    if not entries:
        click.echo("It is not in the queue: nothing more will become of it here.")


async def _explained(settings: Settings, question: Question) -> Explanation:
    reading = Reading(settings, default_reactor)
    try:
        return await Walk(reading, question).explain()
    finally:
        closing = reading.close()
        if closing is not None:
            await closing


def _listener(settings: Settings, named: str | None, logged_in: bool) -> str:
    # Where the kernel names the users there is no login and no peer to be asked about.
    taking = {
        name: each.service
        for name, each in settings.listen.items()
        if each.service != "pop3" and each.authentication != "peer"
    }
    if named is not None:
        if named not in taking:
            raise click.UsageError(f"there is no listener {named} to ask about; these are: {', '.join(taking)}")
        return named
    wanted = "submission" if logged_in else "mta"
    found = next((name for name, service in taking.items() if service == wanted), None)
    if found is None:
        raise click.UsageError(f"there is no listener with service {wanted}: name one with --listener")
    return found


def _lines(settings: Settings, message: str) -> list[Line]:
    path = settings.log.path
    try:
        size = sum(os.stat(name).st_size for name in logs(path))
        with progress("reading the log", size) as advance:
            found = lines_with(path, [message.rpartition("-")[0]], advance)
            return [line for line in found if belongs(line, message)]
    except OSError as error:
        raise click.ClickException(f"{error.filename or path}: {error.strerror or error}") from error


def _queued(settings: Settings, message: str) -> list[Entry]:
    try:
        with Administration.open(settings.queue.path) as admin:
            return list(admin.show(message))
    except (NoQueue, NotQueued):
        return []
    except QueueError as error:
        raise click.ClickException(str(error)) from error
