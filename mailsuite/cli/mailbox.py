"""``mailsuite mailbox``: what is kept of a mailbox beside its messages."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

from mailsuite.admin import sharing as admin
from mailsuite.administered import administered
from mailsuite.cli.accounts import open_accounts, password_stdin, read_password
from mailsuite.cli.owners import user
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.mailbox.imported_ids import ImportedIds, Reused
from mailsuite.mailbox.names import base, is_fit
from mailsuite.mailbox.scan import FOLDERS, PREFIX, scan
from mailsuite.mailbox.uidl_format import DOVECOT_FORMAT
from mailsuite.mailbox.uidl_sources import BadSource, Pair, courier, dovecot, header_id, plain

# Of each message so much is searched for its header.
_HEADER_OCTETS = 65_536
_FILE = click.Path(exists=True, dir_okay=False)
# So much is shown of what is no unique id.
_SHOWN = 80


@click.group()
def mailbox() -> None:
    """Look after single mailboxes.

    \b
    Example:
      mailsuite mailbox import-uidl alice@example.com --dovecot /var/mail/alice/dovecot-uidlist
    """


@mailbox.command(name="import-uidl")
@click.argument("address")
@click.option("--dovecot", "dovecot_file", type=_FILE, metavar="FILE", help="Dovecot's dovecot-uidlist.")
@click.option("--courier", "courier_file", type=_FILE, metavar="FILE", help="Courier's courierpop3dsizelist.")
@click.option("--file", "plain_file", type=_FILE, metavar="FILE", help="Lines of a file's name and its id.")
@click.option("--header", is_flag=True, help="The header X-UIDL of each message, as Qpopper writes it.")
@click.option(
    "--format", "form", default=DOVECOT_FORMAT, show_default=True, metavar="FORMAT", help="Dovecot's pop3_uidl_format."
)
@with_site
def import_uidl(
    settings: Settings,
    address: str,
    dovecot_file: str | None,
    courier_file: str | None,
    plain_file: str | None,
    header: bool,
    form: str,
) -> None:
    """Keep the unique ids that another POP3 server gave to the messages of ADDRESS.

    So no client fetches again what it has fetched there. Copy the Maildir first. Nobody may be logged in meanwhile.
    A message that is not in the list, and each that comes later, gets an id of ours.

    \b
    Example:
      mailsuite mailbox import-uidl alice@example.com --dovecot dovecot-uidlist --format %v.%u
      mailsuite mailbox import-uidl bob@example.com --header
    """
    readers: Mapping[str | None, Callable[[Iterator[bytes]], Iterator[Pair]]] = {
        dovecot_file: lambda lines: dovecot(lines, form),
        courier_file: courier,
        plain_file: plain,
    }
    named = [path for path in (dovecot_file, courier_file, plain_file) if path is not None]
    if len(named) + header != 1:
        raise click.UsageError("give one of --dovecot, --courier, --file and --header")
    found = user(settings, address)
    with _told(), admin.alone(administered(settings), found) as path:
        root = os.fsencode(path)
        names = scan(root)
        try:
            if header:
                pairs = list(_headers(root, names))
            else:
                with open(named[0], "rb") as file:
                    pairs = list(readers[named[0]](iter(file)))
            known, unfit = _kept(names, pairs)
            imported = ImportedIds(root)
            imported.add(known)
        except (BadSource, Reused) as error:
            raise click.ClickException(str(error)) from error
        _let_look_again(root)
    for name, unique_id in unfit:
        click.echo(f"{os.fsdecode(name)}: {_shown(unique_id)} is no unique id (RFC 1939 §7): left out", err=True)
    lost = len({base(name[PREFIX:]) for name in names} - imported.ids.keys())
    kept = counted(len(known), "message")
    click.echo(f"Kept the ids of {kept} of {found.name}; {counted(lost, 'has', 'have')} ids of ours.")


@mailbox.command(name="set")
@click.argument("address")
@click.option(
    "--shared/--exclusive", "shared", default=None, help="Let several logins read it, each with its own marks."
)
@click.option(
    "--expire-hidden", "days", type=click.IntRange(0, admin.MOST_DAYS), metavar="DAYS",
    help="Remove a message so many days after all have hidden it (default: never).",
)
@with_site
def set_(settings: Settings, address: str, shared: bool | None, days: int | None) -> None:
    """Change the mailbox of ADDRESS.

    In a shared mailbox, DELE hides a message from the login that said it, and nothing is removed but what all have
    hidden. Logins that share it are made with add-reader. Exclusive again, everybody sees all that is there.

    \b
    Example:
      mailsuite mailbox set info@example.com --shared --expire-hidden 30
    """
    if shared is None or (days is not None and not shared):
        raise click.UsageError("give --shared, with or without --expire-hidden, or --exclusive")
    site = administered(settings)
    with open_accounts(settings) as accounts, _told():
        if shared:
            found = admin.share(site, accounts, address, days)
        else:
            found = admin.unshare(site, accounts, address)
    if shared:
        ends = "no message is" if days is None else f"{counted(days, 'day')} after all have hidden it, a message is"
        click.echo(f"{found.name} is shared by {', '.join(found.readers)}; {ends} removed.")
    else:
        click.echo(f"{found.name} is not shared.")


@mailbox.command(name="add-reader")
@click.argument("address")
@click.argument("login")
@password_stdin
@with_site
def add_reader(settings: Settings, address: str, login: str, password_stdin: bool) -> None:
    """Let LOGIN, which is new and has no mail of its own, read the shared mailbox of ADDRESS.

    \b
    Example:
      mailsuite mailbox add-reader info@example.com bob.info@example.com
    """
    site = administered(settings)
    with open_accounts(settings) as accounts, _told():
        # Before anybody is asked for a password.
        admin.refuse_reader(site, accounts, address, login)
        found = admin.add_reader(site, accounts, address, login, read_password(password_stdin))
        added = accounts.users.show(login)
    click.echo(f"{added.name} reads the mailbox of {found.name}.")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except admin.InTheWay as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"the mailbox cannot be used: {error}") from error


def _shown(unique_id: bytes) -> str:
    """Return what is no id in one line, shortened."""
    text = ascii(unique_id)[1:]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...{text[-1]}"


def _headers(root: bytes, names: Sequence[bytes]) -> Iterator[Pair]:
    for name in names:
        with open(root + b"/" + name, "rb") as file:
            unique_id = header_id(file.read(_HEADER_OCTETS))
        if unique_id is not None:
            yield name[PREFIX:], unique_id


def _kept(names: Sequence[bytes], pairs: Sequence[Pair]) -> tuple[dict[bytes, bytes], list[Pair]]:
    """Return the ids to be kept, by base name, and the pairs whose id is unfit; both of messages that there are."""
    there = {base(name[PREFIX:]) for name in names}
    known: dict[bytes, bytes] = {}
    unfit: list[Pair] = []
    for name, unique_id in pairs:
        key = base(name)
        if key not in there:
            continue
        if is_fit(unique_id):
            known[key] = unique_id
        else:
            unfit.append((name, unique_id))
    return known, unfit


def _let_look_again(root: bytes) -> None:
    """Give the folders new times, so that no server goes on with a listing that it keeps."""
    for folder in FOLDERS:
        os.utime(root + b"/" + folder)
