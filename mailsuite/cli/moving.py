"""Mail of another server on its way into one mailbox: looked at, brought with a progress bar, and told of."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import click

from mailsuite.cli.output import printable, progress
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.directory.rows import User
from mailsuite.mailbox.bringing import Bringing, NoRoom
from mailsuite.mailbox.foreign import Foreign, folders_there, maildir_messages, nested_folders
from mailsuite.mailbox.layout import create_maildir, maildir
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.sync import choose, sync_folders
from mailsuite.mailbox.uidl_sources import BadSource

# So many unfit unique ids, or messages, are named; of the others the number is told.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one folder's messages: *brought* (or to be brought, in a dry run), *here* before, *gone* from
    the old place meanwhile, or *unread*: not to be read there. So many have their unique ids from there (*ids*)."""

    where: str
    brought: int
    here: int
    ids: int
    gone: int
    dry_run: bool
    unread: int = 0


class UnreadableFolder(click.ClickException):
    """A folder of another server cannot be read, or has a list that cannot be followed; others may be."""


@dataclass(frozen=True, slots=True)
class Old:
    """What is told of Maildirs of another server: the *form* of unique ids there; whether headers tell them, too;
    whether folders are *nested*, or left out (*inbox_only*)."""

    form: str
    header: bool = False
    nested: bool = False
    inbox_only: bool = False


def bring_tree(settings: Settings, user: User, source: str, old: Old, dry_run: bool) -> Iterator[Moved]:
    """Bring the Maildir *source* and its folders into the user's mailbox; yield what became of each.

    A folder that cannot be read keeps no other from being brought, and ends the command at the end.
    """
    if not os.path.isdir(f"{source}/cur"):
        raise click.ClickException(f"{source} is no Maildir that {_who()} can read: there is no folder cur in it")
    wrong: list[str] = []
    for path, place in ({source: ""} | _folders(source, old)).items():
        messages = partial(maildir_messages, os.fsencode(path), old.form, old.header)
        try:
            yield bring_folder(settings, user, place, messages, dry_run)
        except UnreadableFolder as error:
            wrong.append(error.message)
    if wrong:
        raise click.ClickException("\n".join(wrong))


def look_over(name: str, source: str, old: Old) -> Iterator[Moved]:
    """Yield what would become of each folder of the Maildir *source*, if there were a user *name* without mail."""
    for path, place in ({source: ""} | _folders(source, old)).items():
        where = _where(name, place)
        found = _found(partial(maildir_messages, os.fsencode(path), old.form, old.header), where)
        yield Moved(where, len(found), 0, sum(each.unique_id is not None for each in found), 0, True)


def _folders(source: str, old: Old) -> dict[str, str]:
    if old.inbox_only:
        return {}
    with refusals(source):
        usual, nested = folders_there(source), nested_folders(source)
    if nested and not old.nested:
        click.echo(
            f"{source}: there are Maildirs in it without a dot before their names, such as {next(iter(nested))};"
            " --nested brings them, as folders", err=True,
        )  # fmt: skip
        return usual
    return usual | nested


def bring_folder(
    settings: Settings, user: User, place: str, messages: Callable[[], Iterable[Foreign]], dry_run: bool
) -> Moved:
    """Bring *messages* into the folder *place* of the user's mailbox (``.Sent``), or into the inbox where it is empty.

    What stands in the way ends the command.
    """
    root = settings.store.path
    box = maildir(root, user.mailbox)
    path = f"{box}/{place}" if place else box
    where = _where(user.name, place)
    with refusals(where), closing(Locks(f"{settings.state_dir}/locks")) as locks:
        if not locks.acquire(f"{path}#import"):
            raise click.ClickException(f"{where}: another import is at work there")
        if not dry_run:
            os.makedirs(root, mode=0o700, exist_ok=True)
            sync_folders(root, settings.store.sync, create_maildir(root, user.mailbox))
        with closing(choose(root if os.path.isdir(root) else "/", settings.store.sync)) as sync:
            bringing = Bringing(path, sync, settings.store.free_floor)
            found = _found(messages, where)
            left = bringing.waiting(found)
            known = [each for each in left if each.unique_id is not None]
            moved = Moved(where, len(left), len(found) - len(left), len(known), 0, dry_run)
            return moved if dry_run or not left else _bring(bringing, left, moved)


def _where(name: str, place: str) -> str:
    """Name the folder *place* of the user *name*; whoever had the mailbox before may have given it any name."""
    return f"{name}, folder {printable(place[1:])}" if place else name


def _found(messages: Callable[[], Iterable[Foreign]], where: str) -> list[Foreign]:
    try:
        with refusals(where):
            return list(messages())
    except click.ClickException as error:
        raise UnreadableFolder(error.message) from error


def report(folders: Iterable[Moved]) -> None:
    """Say what became of each folder; where messages could not be read, that ends the command at the end."""
    unread = 0
    for moved in folders:
        would = "would be " if moved.dry_run else ""
        click.echo(
            f"{moved.where}: {moved.brought} {would}brought ({moved.ids} with the unique ids they had),"
            f" {counted(moved.here, 'was', 'were')} here already."
        )
        if moved.gone:
            gone = counted(moved.gone, "was", "were")
            click.echo(f"{moved.where}: {gone} moved or removed there meanwhile; run this again.", err=True)
        unread += moved.unread
    if unread:
        what = counted(unread, "message was", "messages were")
        raise click.ClickException(f"{what} not brought; the same command tries again")


def _bring(bringing: Bringing, left: Sequence[Foreign], moved: Moved) -> Moved:
    refused = bringing.keep_ids(left)
    for each in refused[:_NAMED]:
        click.echo(
            f"{moved.where}: {_named(each)}: {each.unique_id!r} is no unique id (RFC 1939 §7), or another"
            " message's; it gets one of ours", err=True,
        )  # fmt: skip
    if len(refused) > _NAMED:
        click.echo(f"{moved.where}: {len(refused)} such unique ids in all", err=True)
    brought = gone = 0
    unread: list[tuple[Foreign, OSError]] = []
    with progress(moved.where, len(left)) as advance:
        for batch in bringing.bring(left):
            brought += batch.brought
            gone += batch.gone
            unread += batch.unread
            advance(batch.brought + batch.gone + len(batch.unread))
    for each, error in unread[:_NAMED]:
        click.echo(f"{moved.where}: {_named(each)} cannot be read: {_strerror(error)}", err=True)
    if len(unread) > _NAMED:
        click.echo(f"{moved.where}: {len(unread)} such messages in all", err=True)
    ids = moved.ids - len(refused) - sum(each.unique_id is not None for each, _ in unread)
    return replace(moved, brought=brought, gone=gone, ids=max(ids, 0), unread=len(unread))


@contextmanager
def refusals(where: str, after: str = "what was brought is kept, and the same command goes on") -> Iterator[None]:
    """End the command where a mailbox cannot be read or written; *after* says how things are then."""
    try:
        yield
    except (NoRoom, BadSource) as error:
        raise click.ClickException(f"{where}: {error}") from error
    except OSError as error:
        what = printable(os.fsdecode(error.filename or "the mailbox"))
        raise click.ClickException(f"{where}: {what}: {_strerror(error)}; {after}") from error


def _named(each: Foreign) -> str:
    return printable(os.fsdecode(each.base))


def _strerror(error: OSError) -> str:
    """Say what has failed, and to whom where another might do it."""
    by = f" (as {_who()})" if isinstance(error, PermissionError) else ""
    return f"{error.strerror}{by}"


def _who() -> str:
    return f"the user with the number {os.geteuid()}"
