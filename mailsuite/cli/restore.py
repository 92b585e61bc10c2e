"""``mailsuite restore``: a site as it was, from what ``mailsuite backup`` has copied."""

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import click

from mailsuite.backends import module
from mailsuite.cli.backup import ACCOUNTS, MANIFEST, copy_mail, manifest_of, refusals
from mailsuite.cli.databases import Unusable
from mailsuite.cli.output import progress
from mailsuite.cli.site import with_site
from mailsuite.cli.snapshot import snapshot
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.mailbox.layout import INCOMING
from mailsuite.mailbox.mirror import Mirror
from mailsuite.mailbox.restore_mark import RestoreMark
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.queue.store import DATABASE


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--no-queue", is_flag=True, help="Leave the queue out: what was delivered since would go out again.")
@with_site
def restore(settings: Settings, folder: str, no_queue: bool) -> None:
    """Make the site what it was when the backup in FOLDER was made. The server must not run.

    The configuration comes first: copy it from FOLDER, or write a new one. Nothing is written over: where there
    are accounts, mail or a queue already, move them away before. Where it is interrupted, the server does not start,
    and the same command goes on.

    \b
    Example:
      mailsuite restore /backup/mail --config /srv/mail/mailsuite.toml
    """
    mark = RunMark(settings.state_dir, time.monotonic)
    # What lies there from a restore that was not finished is only believed where size and time are right.
    mirror = Mirror(link=False, keep=True, doubt=True)
    with refusals(folder):
        manifest = manifest_of(folder)
        if "made" not in manifest:
            raise Unusable(f"{folder} is no backup of ours, or one that was not finished: there is no {MANIFEST} that"
                           " says when it was made")  # fmt: skip
        mark.take()
        try:
            begun = _begun(settings, folder, manifest["made"], no_queue)
            _restore_state(settings, folder, mirror, begun.kept)
            if not begun.has_accounts:
                _restore_accounts(settings, f"{folder}/{ACCOUNTS}")
                begun.came_accounts()
            if not no_queue:
                _restore_queue(settings.queue.path, f"{folder}/queue", mirror)
            copy_mail(f"{folder}/mail", settings.store.path, mirror)
            os.sync()
            begun.mark.clear()
        finally:
            mark.release()
    files = counted(mirror.done.new, "file")
    click.echo(f"Restored from {folder}: {files}. mailsuite verify looks whether all is well.")


@dataclass(slots=True)
class _Progress:
    """How far a restore has come, as its mark says: for who goes on after it was interrupted."""

    mark: RestoreMark
    source: str
    what: dict[str, object]
    kept: list[str]
    has_accounts: bool = False

    def write(self) -> None:
        """Say so durably."""
        self.mark.set({
            "source": self.source, "what": self.what, "kept": self.kept, "has_accounts": self.has_accounts,
        })  # fmt: skip

    def came_accounts(self) -> None:
        """The accounts are back: in a database that has some nobody could tell whose they are."""
        self.has_accounts = True
        self.write()


def _begun(settings: Settings, folder: str, made: object, no_queue: bool) -> _Progress:
    """Begin to restore, or go on with what this command has begun. Raises `Unusable` where there is something else."""
    what = {
        "made": made, "mail": settings.store.path, "queue": None if no_queue else settings.queue.path,
        "accounts": [settings.directory.backend, settings.directory.path],
    }  # fmt: skip
    mark = RestoreMark(settings.state_dir)
    begun = _Progress(mark, os.path.realpath(folder), what, sorted(os.listdir(settings.state_dir)))
    if not os.path.lexists(mark.path):
        _refuse_inhabited(settings, folder, no_queue)
        begun.write()
        return begun
    match mark.facts():
        case {"source": begun.source, "what": begun.what, "kept": list(kept), "has_accounts": bool(has_accounts)}:
            return _Progress(mark, begun.source, what, [str(each) for each in kept], has_accounts)
        case _:
            raise Unusable(
                f"nothing was restored: {mark.path} tells of another restore that was not finished, of another backup"
                f" or to other places; run that one again, or move away what it has brought, and {mark.path} with it"
            )


def _restore_accounts(settings: Settings, source: str) -> None:
    """Bring back the accounts of any back end that we write, into any that we write."""
    backend = settings.directory.backend
    if not os.path.exists(source):
        return
    if backend == "sqlite":
        snapshot(source, settings.directory.path)
    elif backend == "postgresql":
        with progress("accounts") as advance:
            module("directory.postgresql_copy").load(source, settings.postgresql.dsn, advance)
    else:
        click.echo(f"The accounts in the backup were left out: [directory] backend is {backend}.", err=True)


def _restore_queue(target: str, source: str, mirror: Mirror) -> None:
    if not os.path.isdir(source):
        return
    os.makedirs(target, 0o700, exist_ok=True)
    mirror.files(os.fsencode(f"{source}/content"), os.fsencode(f"{target}/content"))
    snapshot(f"{source}/{DATABASE}", f"{target}/{DATABASE}")


def _restore_state(settings: Settings, folder: str, mirror: Mirror, kept: Collection[str]) -> None:
    """Bring back what lay in ``state_dir``, but what was *kept* there: a configuration that was written anew, say."""
    for entry in sorted(os.scandir(f"{folder}/state"), key=lambda each: each.name):
        target = f"{settings.state_dir}/{entry.name}"
        if entry.name in kept:
            continue
        if entry.is_dir():
            mirror.files(os.fsencode(entry.path), os.fsencode(target))
        else:
            mirror.file(os.fsencode(entry.path), os.fsencode(target))


def _refuse_inhabited(settings: Settings, folder: str, no_queue: bool) -> None:
    places = [settings.store.path, *([] if no_queue else [settings.queue.path])]
    found: Sequence[str] = [place for place in places if os.path.isdir(place) and _inhabited(place)]
    # (A database is looked at when accounts go into it: what opens it may be among what is restored before.)
    ours = settings.directory.backend == "sqlite" and os.path.exists(settings.directory.path)
    if ours and os.path.exists(f"{folder}/{ACCOUNTS}"):
        found = [settings.directory.path, *found]
    if found:
        raise Unusable(f"nothing was restored: {', '.join(found)} would be written over; move that away first")


def _inhabited(place: str) -> bool:
    return any(name != INCOMING for name in os.listdir(place))
