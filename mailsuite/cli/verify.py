"""``mailsuite verify``: whether accounts, mail and queue are what they should be."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial

import click

from mailsuite.backends import accounts
from mailsuite.cli.output import as_json, print_json, print_table, progress
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.directory.errors import AccountsError
from mailsuite.limits import ledger, quota_rules
from mailsuite.mailbox.inspection import Finding, inspect_mailbox
from mailsuite.mailbox.layout import create_maildir, maildirs
from mailsuite.mailbox.maildirsize import FILE
from mailsuite.mailbox.sync import sync_folders
from mailsuite.meaning import Mailbox
from mailsuite.queue.errors import QueueError
from mailsuite.queue.inspection import inspect_queue
from mailsuite.queue.store import DATABASE
from mailsuite.reach import present

ABOUT_KINDS = """\b
What it finds, and what --repair does about it:
  missing-folder   a mailbox without its folders: they are made
  orphaned-folder  a folder that is no user's mailbox: nothing
  wrong-size       not what the name says: ours is set aside in damaged/, others' are named anew
  empty            a message without a single octet: set aside in damaged/
  no-file          not a regular file: nothing
  unreadable       what the disk or the system does not give: nothing
  leftover         what a crash has left unfinished: removed
  unique-ids       imported unique ids that cannot be read: nothing (mailbox import-uidl takes them again)
  quota-drift      a maildirsize that is not what lies in the mailbox: counted anew
  accounts-file    a database that SQLite calls damaged: nothing
  queue-file       the same: nothing
  queue-content    a queued message's content that is gone or cut off: nothing (the server sets such aside)
"""


@click.command(epilog=ABOUT_KINDS)
@click.option("--repair", is_flag=True, help="Mend what can be mended; what is damaged is set aside, never removed.")
@click.option("--read", "whole", is_flag=True, help="Read each message to its end: finds what the disk does not give.")
@as_json
@with_site
def verify(settings: Settings, repair: bool, whole: bool, as_json: bool) -> None:
    """Look for what is missing, damaged or orphaned in accounts, mailboxes and queue, while the server runs or not.

    Exit code 1 where something is found that is not mended.

    \b
    Example:
      mailsuite verify
      mailsuite verify --read --json
      mailsuite verify --repair
    """
    found: list[tuple[Finding, str]] = []
    for finding in _findings(settings, whole):
        found.append((finding, _mended(finding) if repair else ""))
    left = sum(state != "repaired" for _, state in found)
    if as_json:
        print_json([
            {"kind": each.kind, "path": each.path, "text": each.text, "state": state or "found"}
            for each, state in found
        ])  # fmt: skip
    elif found:
        print_table(("what", "where", "why", "state"), [
            (each.kind, each.path, each.text, state or "-") for each, state in found
        ])  # fmt: skip
    else:
        click.echo("All is as it should be.")
    if left:
        could = sum(each.repair is not None for each, state in found if not state)
        what = counted(left, "thing is not as it should be", "things are not as they should be")
        raise click.ClickException(f"{what}; --repair can mend {could} of them" if could else what)


def _findings(settings: Settings, whole: bool) -> Iterator[Finding]:
    now = time.time()
    root = settings.store.path
    known = _mailboxes(settings)
    if isinstance(known, Finding):
        yield known
        known = None
    yield from _damage(settings)
    there: list[str] = []
    skipped: list[OSError] = []
    try:
        if present(root):
            there = sorted(maildirs(root, skipped.append))
    except OSError as closed:
        # What is not seen is not missing.
        skipped.append(closed)
        known = None
    for error in skipped:
        yield Finding("unreadable", str(error.filename), f"it cannot be read: {error.strerror}")
    if known is not None:
        yield from _unlike(settings, known, {os.path.relpath(path, root) for path in there})
    with progress("mailboxes", len(there)) as advance:
        for path in there:
            if os.path.isdir(f"{path}/cur") or os.path.isdir(f"{path}/new"):
                yield from _looked_at(path, now, whole)
                yield from _drift(settings, path, (known or {}).get(os.path.relpath(path, root)))
            advance()
    yield from _queue(settings, now)


def _looked_at(path: str, now: float, whole: bool) -> Iterator[Finding]:
    try:
        yield from inspect_mailbox(path, now, whole)
    except OSError as error:
        yield Finding("unreadable", error.filename or path, f"it cannot be read: {error.strerror or error}")


def _drift(settings: Settings, path: str, mailbox: Mailbox | None) -> Iterator[Finding]:
    """Yield where the file of a quota says something else than what lies in the mailbox."""
    if mailbox is None:
        return
    counting = ledger(settings)
    with suppress(OSError):
        there = counting.drift(path)
        if there is not None:
            quota = mailbox.quota.otherwise(quota_rules(settings).default)
            messages = counted(there.messages, "message")
            text = f"in the mailbox are {counted(there.octets, 'octet')} in {messages}, and this says otherwise"
            yield Finding("quota-drift", f"{path}/{FILE}", text, partial(counting.count, path, quota))


def _mailboxes(settings: Settings) -> dict[str, Mailbox] | Finding | None:
    """Return the mailboxes by their path; ``None`` where the accounts are kept by others."""
    if settings.directory.backend not in ("sqlite", "postgresql"):
        return None
    try:
        with accounts(settings) as opened:
            return {box.path: box for _, box in opened.quotas.mailboxes()}
    except AccountsError as error:
        return Finding("accounts-file", settings.directory.path, str(error))


def _unlike(settings: Settings, known: dict[str, Mailbox], there: set[str]) -> Iterator[Finding]:
    root = settings.store.path
    for place in sorted(known.keys() - there):
        text = "a mailbox without its folder; its first message makes it"
        yield Finding("missing-folder", f"{root}/{place}", text, partial(_make, settings, known[place]))
    for place in sorted(there - known.keys()):
        if os.path.isdir(f"{root}/{place}/cur"):
            yield Finding("orphaned-folder", f"{root}/{place}", "no user has this mailbox")


def _make(settings: Settings, mailbox: Mailbox) -> None:
    os.makedirs(settings.store.path, 0o700, exist_ok=True)
    sync_folders(settings.store.path, settings.store.sync, create_maildir(settings.store.path, mailbox))


def _damage(settings: Settings) -> Iterator[Finding]:
    path = settings.directory.path
    if settings.directory.backend != "sqlite" or not os.path.exists(path):
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            complaints = [text for (text,) in connection.execute("PRAGMA quick_check(20)") if text != "ok"]
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        complaints += [f"a row of {row[0]} points at nothing" for row in broken]
    except sqlite3.Error as error:
        complaints = [str(error)]
    for text in complaints:
        yield Finding("accounts-file", path, text)


def _queue(settings: Settings, now: float) -> Iterator[Finding]:
    path = f"{settings.queue.path}/{DATABASE}"
    try:
        if not present(path):
            return
        for each in inspect_queue(settings.queue.path, now):
            remove = partial(os.unlink, each.path) if each.kind == "leftover" else None
            yield Finding(each.kind, each.path, each.text, remove)
    except OSError as error:
        yield Finding("queue-file", path, error.strerror or str(error))
    except (QueueError, sqlite3.Error) as error:
        yield Finding("queue-file", path, str(error))


def _mended(finding: Finding) -> str:
    if finding.repair is None:
        return "left"
    try:
        with suppress(FileNotFoundError):
            finding.repair()
    except OSError as error:
        return f"not repaired: {error.strerror}"
    return "repaired"
