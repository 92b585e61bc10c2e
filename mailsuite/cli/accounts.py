"""What the commands for domains, users and aliases share: the open accounts, mail folders, passwords."""

import getpass
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import click

from mailsuite.admin import mail_folders
from mailsuite.admin.site import Done
from mailsuite.administered import administered
from mailsuite.backends import accounts
from mailsuite.config import Settings
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.passwords import Passwords, UnfitPassword, prepared
from mailsuite.directory.rows import User
from mailsuite.directory.secrets import Kept, keeping, keeping_hashes
from mailsuite.logins import wanted_secrets

T = TypeVar("T")

force = click.option("--force", is_flag=True, help="Remove it although others lead there; they lose it.")
password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line; do not ask."
)


@contextmanager
def open_accounts(settings: Settings) -> Iterator[Accounts]:
    """Yield the site's accounts; what they refuse ends the command with exit code 1."""
    try:
        with accounts(settings) as opened:
            yield opened
    except AccountsError as error:
        raise click.ClickException(str(error)) from error


def day(seconds: int) -> str:
    """Return the day of POSIX time *seconds* as it is written: ``2026-11-26``, with the time where that is not 0:00
    UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d}" if seconds % 86_400 == 0 else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def keeper(settings: Settings) -> Callable[[str, str], Kept]:
    """Return what makes of an address in key form and a password all that is kept of it."""
    return keeping(Passwords(), wanted_secrets(settings))


def hash_keeper(settings: Settings) -> Callable[[str, str], Kept]:
    """Return what keeps hashes of other servers in the place of passwords."""
    return keeping_hashes(Passwords(), wanted_secrets(settings))


def mail_path(settings: Settings, user: User) -> str:
    """Return where the user's mail lies."""
    return mail_folders.mail_path(administered(settings), user)


def make_mail_folder(settings: Settings, user: User) -> None:
    """Make the Maildir of a user who was added; what is to be said of that is said."""
    tell(mail_folders.make_mail_folder(administered(settings), user))


def tell(done: Done[T]) -> T:
    """Print the notes of what was done and return its value; a trouble ends the command with exit code 1."""
    for note in done.notes:
        click.echo(f"Note: {note}", err=True)
    if done.trouble:
        raise click.ClickException(done.trouble)
    return done.value


def read_password(from_stdin: bool) -> str:
    """Return a password that can be used: a line of standard input, or asked for twice without an echo."""
    password = _line_of_stdin() if from_stdin else _typed()
    try:
        prepared(password)
    except UnfitPassword as error:
        raise click.ClickException(str(error)) from error
    return password


def _line_of_stdin() -> str:
    try:
        line = sys.stdin.readline()
        more = not sys.stdin.isatty() and sys.stdin.read(1)
    except UnicodeDecodeError as error:
        raise click.ClickException("the password on standard input is not UTF-8") from error
    if more:
        raise click.ClickException("standard input has more than one line, and the password is one; try head -n 1")
    return line.rstrip("\r\n")


def _typed() -> str:
    try:
        with warnings.catch_warnings():
            # Where there is no terminal; what we say then says what to do.
            warnings.simplefilter("ignore", getpass.GetPassWarning)
            password: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
    except click.Abort as error:
        if sys.stdin.isatty():
            raise
        raise click.ClickException("no password was typed; where nobody can be asked, use --password-stdin") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"what was typed is no text in the encoding of this terminal, {error.encoding}: nothing was changed"
        ) from error
    return password
