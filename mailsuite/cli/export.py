"""``mailsuite export``: one user's mail, for another program or another server."""

import os
from contextlib import suppress

import click

from mailsuite.cli.accounts import mail_path
from mailsuite.cli.moving import refusals
from mailsuite.cli.output import progress
from mailsuite.cli.owners import user
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.mailbox.layout import folders_of
from mailsuite.mailbox.mbox_writer import mbox as entries
from mailsuite.mailbox.mirror import Mirror
from mailsuite.mailbox.taking import take_listing
from mailsuite.reach import present

_FOLDER = click.Path(file_okay=False)
_INBOX = "INBOX"


@click.group()
def export() -> None:
    """Write the mail of one user into a folder, as other programs read it; the mailbox may be in use.

    \b
    Example:
      mailsuite export mbox alice@example.com /tmp/alice
      mailsuite export maildir alice@example.com /tmp/alice
    """


@export.command()
@click.argument("address")
@click.argument("folder", type=_FOLDER)
@with_site
def mbox(settings: Settings, address: str, folder: str) -> None:
    """Write one mbox for each folder of ADDRESS into FOLDER: INBOX.mbox, Sent.mbox...

    (A folder that is called INBOX, beside the inbox itself, is in INBOX.folder.mbox.)

    Flags are in Status and X-Status, unique ids in X-UIDL, dates in the lines that begin with From; so mailsuite
    import mbox brings all of them back. What was in FOLDER by these names is written over.

    \b
    Example:
      mailsuite export mbox alice@example.com /tmp/alice
    """
    path = _mailbox(settings, address)
    with refusals(address, "the same command begins anew"):
        os.makedirs(folder, 0o700, exist_ok=True)
        for place in (path, *(each for each in folders_of(path) if os.path.isdir(f"{each}/cur"))):
            name = _name(place, path)
            listing, _ = take_listing(place)
            target = f"{folder}/{name}.mbox"
            with suppress(FileNotFoundError):
                os.unlink(f"{target}.part")
            fd = os.open(f"{target}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            count = 0
            with os.fdopen(fd, "wb") as file, progress(name, len(listing)) as advance:
                for entry in entries(os.fsencode(place), listing):
                    file.write(entry)
                    count += 1
                    advance()
                file.flush()
                os.fsync(fd)
            os.rename(f"{target}.part", target)
            click.echo(f"{target}: {counted(count, 'message')}")


@export.command()
@click.argument("address")
@click.argument("folder", type=_FOLDER)
@with_site
def maildir(settings: Settings, address: str, folder: str) -> None:
    """Copy the Maildir of ADDRESS with its folders to FOLDER. A second run copies what is new, and keeps the rest.

    What lies beside the messages comes too, so that mailsuite import maildir brings unique ids back that had been
    brought here from elsewhere. The others are the names of the files up to the first comma or colon.

    \b
    Example:
      mailsuite export maildir alice@example.com /tmp/alice
    """
    path = _mailbox(settings, address)
    mirror = Mirror(link=False, keep=True)
    with refusals(address, "the same command goes on"):
        mirror.mailbox(os.fsencode(path), os.fsencode(folder))
    new = counted(mirror.done.new, "file")
    click.echo(f"{folder}: {new} came new, {counted(mirror.done.renamed, 'has', 'have')} other flags now.")


def _name(place: str, path: str) -> str:
    """Return what the mbox of the folder *place* is called; none is called as that of the mailbox *path* itself."""
    if place == path:
        return _INBOX
    name = os.path.basename(place)[1:]
    return f"{name}.folder" if name.upper() == _INBOX else name


def _mailbox(settings: Settings, address: str) -> str:
    path = mail_path(settings, user(settings, address))
    try:
        there = present(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be reached: {error.strerror}") from error
    if not there:
        raise click.ClickException(f"{address} has no mail yet: there is no {path}")
    return path
