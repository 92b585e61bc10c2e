"""Mail of another server on its way into one mailbox: looked at, brought with a progress bar, and told of."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import click

from mailsuite.cli.output import progress
from mailsuite.config import Settings
from mailsuite.directory.rows import User
from mailsuite.mailbox.bringing import Bringing, NoRoom
from mailsuite.mailbox.foreign import Foreign, maildir_messages
from mailsuite.mailbox.layout import create_maildir, folders_of, maildir
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.sync import choose, sync_folders
from mailsuite.mailbox.uidl_sources import BadSource

# So many unfit unique ids are named; of the others the number is told.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one folder's messages: *brought* (or to be brought, in a dry run), *here* before, or *gone* from
    the old place meanwhile. So many have their unique ids from there (*ids*)."""

    where: str
    brought: int
    here: int
    ids: int
    gone: int
    dry_run: bool


def bring_tree(
    settings: Settings, user: User, source: str, form: str, header: bool, dry_run: bool, inbox_only: bool = False
) -> Iterator[Moved]:
    """Bring the Maildir *source* and its Maildir++ folders into the user's mailbox; yield what became of each."""
    if not os.path.isdir(f"{source}/cur"):
        raise click.ClickException(f"{source} is no Maildir that {_who()} can read: there is no folder cur in it")
    with refusals(source):
        folders = [] if inbox_only else [path for path in folders_of(source) if os.path.isdir(f"{path}/cur")]
    for path in (source, *folders):
        place = "" if path == source else os.path.basename(path)
        messages = partial(maildir_messages, os.fsencode(path), form, header)
        yield bring_folder(settings, user, place, messages, dry_run)


def bring_folder(
    settings: Settings, user: User, place: str, messages: Callable[[], Iterable[Foreign]], dry_run: bool
) -> Moved:
    """Bring *messages* into the folder *place* of the user's mailbox (``.Sent``), or into the inbox where it is empty.

    What stands in the way ends the command.
    """
    root = settings.store.path
    box = maildir(root, user.mailbox)
    path = f"{box}/{place}" if place else box
    where = f"{user.name}, folder {place[1:]}" if place else user.name
    with refusals(where), closing(Locks(f"{settings.state_dir}/locks")) as locks:
        if not locks.acquire(f"{path}#import"):
            raise click.ClickException(f"{where}: another import is at work there")
        if not dry_run:
            os.makedirs(root, mode=0o700, exist_ok=True)
            sync_folders(root, settings.store.sync, create_maildir(root, user.mailbox))
        with closing(choose(root if os.path.isdir(root) else "/", settings.store.sync)) as sync:
            bringing = Bringing(path, sync, settings.store.free_floor)
            found = list(messages())
            left = bringing.waiting(found)
            known = [each for each in left if each.unique_id is not None]
            moved = Moved(where, len(left), len(found) - len(left), len(known), 0, dry_run)
            return moved if dry_run or not left else _bring(bringing, left, moved)


def report(folders: Iterable[Moved]) -> None:
    """Say what became of each folder."""
    for moved in folders:
        would = "would be " if moved.dry_run else ""
        click.echo(
            f"{moved.where}: {moved.brought} {would}brought ({moved.ids} with the unique ids they had),"
            f" {moved.here} {'was' if moved.here == 1 else 'were'} here already."
        )
        if moved.gone:
            click.echo(f"{moved.where}: {moved.gone} were moved or removed there meanwhile; run this again.", err=True)


def _bring(bringing: Bringing, left: Sequence[Foreign], moved: Moved) -> Moved:
    refused = bringing.keep_ids(left)
    for each in refused[:_NAMED]:
        click.echo(
            f"{moved.where}: {os.fsdecode(each.base)}: {each.unique_id!r} is no unique id (RFC 1939 §7), or another"
            " message's; it gets one of ours", err=True,
        )  # fmt: skip
    if len(refused) > _NAMED:
        click.echo(f"{moved.where}: {len(refused)} such unique ids in all", err=True)
    brought = gone = 0
    with progress(moved.where, len(left)) as advance:
        for batch in bringing.bring(left):
            brought += batch.brought
            gone += batch.gone
            advance(batch.brought + batch.gone)
    return replace(moved, brought=brought, gone=gone, ids=moved.ids - len(refused))


@contextmanager
def refusals(where: str) -> Iterator[None]:
    """End the command where a mailbox cannot be read or written; what was brought before stays, and is known."""
    try:
        yield
    except (NoRoom, BadSource) as error:
        raise click.ClickException(f"{where}: {error}") from error
    except OSError as error:
        raise click.ClickException(
            f"{where}: {error.filename or 'the mailbox'}: {error.strerror} (as {_who()}); what was brought is kept,"
            " and the same command goes on"
        ) from error


def _who() -> str:
    return f"the user with the number {os.geteuid()}"
