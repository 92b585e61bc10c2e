"""``mailsuite backup``: a copy of a site that is made while it runs, of which ``mailsuite restore`` makes a site."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from mailsuite import __version__
from mailsuite.backends import module
from mailsuite.cli.databases import Unusable
from mailsuite.cli.output import progress
from mailsuite.cli.site import config_path, with_site
from mailsuite.cli.snapshot import complaint, drafted, is_database, settle_queue, snapshot
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.directory.errors import AccountsError
from mailsuite.durable import DRAFT, replace_file, sync_folder
from mailsuite.mailbox.layout import INCOMING, maildirs
from mailsuite.mailbox.mirror import Mirror, Mirrored
from mailsuite.mailbox.restore_mark import NAME as RESTORING
from mailsuite.mailbox.restore_mark import HalfRestored, RestoreMark
from mailsuite.mailbox.run_mark import SiteInUse
from mailsuite.queue.store import DATABASE
from mailsuite.reach import present

# What makes a folder a backup of ours: written first without, and at the end with when it was made.
MANIFEST = "mailsuite-backup.json"
_FORMAT = 1
ACCOUNTS = "accounts.sqlite"
CONFIG = "mailsuite.toml"
# Until all is here, a database waits under this name beside that of the last run.
_NEXT = ".next"
# Of a running service, and of no use to another one.
_PASSING = frozenset({"running", "locks", RESTORING})


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--keep-removed", is_flag=True, help="Leave mail in the backup that is no longer in the mailboxes.")
@with_site
def backup(settings: Settings, folder: str, keep_removed: bool) -> None:
    """Copy the whole site into FOLDER, consistent in itself, while it runs or not.

    Accounts, queue, mail, and what lies in state_dir beside them: keys and secrets too, so FOLDER is for its owner
    alone. A second run into the same FOLDER copies what is new, and removes what is gone; nothing is touched there
    while the accounts or the queue are damaged. On the file system of the
    mail, messages are linked instead of copied, which takes no room, and is no help against a broken disk.

    Accounts in PostgreSQL become a file like ours. Those that are only read (LDAP, a passwd-file outside of state_dir)
    are not copied: these have tools of their own.

    \b
    Example:
      mailsuite backup /backup/mail
    """
    with refusals(folder):
        # What is not here yet would be removed from the backup.
        RestoreMark(settings.state_dir).refuse()
        _refuse_damaged(settings)
        _claim(settings, folder)
        mirror, lesser = Mirror(link=True, keep=keep_removed), Mirror(link=False, keep=False)
        _accounts(settings, f"{folder}/{ACCOUNTS}{_NEXT}")
        _state(settings, folder, lesser)
        config = config_path(click.get_current_context().params["config"])
        mirror.file(os.fsencode(config), os.fsencode(f"{folder}/{CONFIG}"))
        # The queue comes before the mailboxes: what is delivered meanwhile is in both, and never in neither.
        _queue(settings, folder, lesser)
        copy_mail(settings.store.path, f"{folder}/mail", mirror)
        os.sync()
        # So far something has come beside what the last run left, and nothing has gone. Each of these is whole by
        # itself: with accounts or a queue of before, or of now, there is all the mail that they tell of.
        _take_place(f"{folder}/{ACCOUNTS}")
        _take_place(f"{folder}/queue/{DATABASE}")
        _mark(folder, {"made": int(time.time())})
        mirror.drop_gone()
        lesser.drop_gone()
    done = mirror.done
    removed = counted(done.removed, "was", "were")
    click.echo(f"Backed up into {folder}: {counted(done.new, 'file')} came new, {removed} removed there.")


def _refuse_damaged(settings: Settings) -> None:
    """What is damaged must not take the place of what may be the last that is whole."""
    paths = [f"{settings.queue.path}/{DATABASE}"]
    if settings.directory.backend == "sqlite":
        paths.insert(0, settings.directory.path)
    for path in filter(os.path.exists, paths):
        damage = complaint(path)
        if damage:
            raise Unusable(f"{path} is damaged ({damage}): nothing was copied, and the backup is as it was")


def _claim(settings: Settings, folder: str) -> None:
    """Make the folder, and let nobody take a new one for a finished backup while we are at it."""
    real = os.path.realpath(folder)
    for place in (settings.store.path, settings.queue.path):
        if os.path.commonpath([real, os.path.realpath(place)]) == os.path.realpath(place):
            raise Unusable(f"{folder} lies within {place}, which is to be copied")
    os.makedirs(folder, 0o700, exist_ok=True)
    manifest = manifest_of(folder)
    if os.listdir(folder) and not manifest:
        raise Unusable(f"{folder} has other files in it: name a folder that is new, empty, or a backup of ours")
    # There are everybody's mail and secrets in it.
    os.chmod(folder, 0o700)
    if not manifest:
        _mark(folder, {})
    # What another run has left waiting is of its time, and not of ours.
    for waiting in (f"{folder}/{ACCOUNTS}{_NEXT}", f"{folder}/queue/{DATABASE}{_NEXT}"):
        with suppress(FileNotFoundError):
            os.unlink(waiting)


def _mark(folder: str, facts: dict[str, object]) -> None:
    text = json.dumps({"format": _FORMAT, "mailsuite": __version__, **facts}, indent=2)
    replace_file(f"{folder}/{MANIFEST}", text.encode() + b"\n")


def manifest_of(folder: str) -> dict[str, object]:
    """Return what *folder* says of itself as a backup; nothing where it is none. Raises `Unusable`."""
    try:
        with open(f"{folder}/{MANIFEST}", encoding="utf-8") as file:
            found = json.load(file)
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise Unusable(f"{folder} is a backup of another kind than this mailsuite knows")
    return found


def _take_place(path: str) -> None:
    """Let the database that waits be *path*, durably; where none came there is nothing to do."""
    with suppress(FileNotFoundError):
        os.rename(f"{path}{_NEXT}", path)
        sync_folder(os.path.dirname(path))


def _accounts(settings: Settings, target: str) -> None:
    backend = settings.directory.backend
    if backend == "sqlite":
        snapshot(settings.directory.path, target)
    elif backend == "postgresql":
        save = module("directory.postgresql_copy").save
        with drafted(target) as draft, progress("accounts") as advance:
            save(settings.postgresql.dsn, draft, advance)
    else:
        click.echo(f"The accounts ({backend}) are not copied: back them up by tools of their own.", err=True)


def _queue(settings: Settings, folder: str, mirror: Mirror) -> None:
    """Copy the queue: its content before and after the file, so that all is there that the file tells of."""
    source = settings.queue.path
    if not present(f"{source}/{DATABASE}"):
        return
    os.makedirs(f"{folder}/queue/content", 0o700, exist_ok=True)
    content = os.fsencode(f"{source}/content"), os.fsencode(f"{folder}/queue/content")
    contents = Mirror(link=True, keep=True)
    contents.linked_files(*content)
    database = f"{folder}/queue/{DATABASE}{_NEXT}"
    snapshot(f"{source}/{DATABASE}", database)
    contents.linked_files(*content)
    wanted = settle_queue(database, set(os.listdir(f"{folder}/queue/content")))
    mirror.drop_others(content[1], {os.fsencode(name) for name in wanted})


def _state(settings: Settings, folder: str, mirror: Mirror) -> None:
    """Copy what lies in ``state_dir`` besides accounts, queue, mail and log."""
    target = f"{folder}/state"
    os.makedirs(target, 0o700, exist_ok=True)
    there = set[bytes]()
    for name in _state_names(settings, folder):
        path = f"{settings.state_dir}/{name}"
        there.add(os.fsencode(name))
        if os.path.isdir(path):
            mirror.files(os.fsencode(path), os.fsencode(f"{target}/{name}"))
        elif is_database(path):
            snapshot(path, f"{target}/{name}")
        else:
            mirror.file(os.fsencode(path), os.fsencode(f"{target}/{name}"))
    mirror.drop_others(os.fsencode(target), there)


def _state_names(settings: Settings, folder: str) -> Iterator[str]:
    others = {os.path.realpath(path) for path in (
        settings.store.path, settings.queue.path, settings.directory.path, settings.log.path, folder,
    )}  # fmt: skip
    for entry in sorted(os.scandir(settings.state_dir), key=lambda each: each.name):
        passing = entry.name in _PASSING or entry.name.endswith(("-wal", "-shm", "-journal"))
        passing = passing or entry.name.startswith(DRAFT)
        usual = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
        # Nor a folder that one of these is in: the backup itself, say.
        real = os.path.realpath(entry.path)
        if usual and not passing and not any(os.path.commonpath([real, other]) == real for other in others):
            yield entry.name


def copy_mail(source: str, target: str, mirror: Mirror) -> Mirrored:
    """Let the mailboxes below *target* be those below *source*; a folder that cannot be listed is told."""
    if not present(source):
        return mirror.done
    os.makedirs(target, 0o700, exist_ok=True)
    skipped: list[OSError] = []
    found = sorted(maildirs(source, skipped.append))
    with progress("mail", len(found)) as advance:
        for path in found:
            place = os.path.relpath(path, source)
            os.makedirs(os.path.dirname(f"{target}/{place}"), 0o700, exist_ok=True)
            # One that was removed at this moment.
            with suppress(FileNotFoundError):
                mirror.mailbox(os.fsencode(path), os.fsencode(f"{target}/{place}"))
            advance()
    for error in skipped:
        click.echo(f"A folder was not copied: {error}", err=True)
    _drop_mailboxes(target, {os.path.relpath(path, source) for path in found}, mirror)
    return mirror.done


def _drop_mailboxes(target: str, places: set[str], mirror: Mirror) -> None:
    """Remove mailboxes from the copy that are gone."""
    boxes: dict[str, set[bytes]] = {}
    for place in places:
        domain, _, name = place.partition("/")
        boxes.setdefault(domain, set()).add(os.fsencode(name))
    mirror.drop_others(os.fsencode(target), {*map(os.fsencode, boxes), INCOMING.encode()})
    for domain, names in boxes.items():
        mirror.drop_others(os.fsencode(f"{target}/{domain}"), names)


@contextmanager
def refusals(folder: str) -> Iterator[None]:
    """Tell plainly what is in the way of copying from or to *folder*."""
    try:
        yield
    except (Unusable, AccountsError, SiteInUse, HalfRestored) as error:
        raise click.ClickException(str(error)) from error
    except sqlite3.Error as error:
        raise click.ClickException(f"a database cannot be copied: {error}; the backup is not finished") from error
    except OSError as error:
        what = f"{os.fsdecode(error.filename or folder)}: {error.strerror or error}"
        who = f"as the user with the number {os.geteuid()}"
        raise click.ClickException(f"{what} ({who}); this is not finished") from error
