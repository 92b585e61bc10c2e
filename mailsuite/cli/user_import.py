"""``mailsuite user import``: many users at once, from lines of text."""

import re
from collections.abc import Iterable, Iterator
from io import TextIOWrapper

import click

from mailsuite.cli.accounts import hash_keeper, keeper, make_mail_folder, open_accounts
from mailsuite.cli.output import progress
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.rows import Imported

# The address ends at the first colon that is not in its quoted local part; the rest is the password.
_LINE = re.compile(r'((?:"(?:[^"\\]|\\.)*")?[^:"]*):(.*)', re.DOTALL)


@click.command(name="import")
# Octets that are no UTF-8 come through as surrogates, so that they spoil their own line only.
@click.argument("file", type=click.File(encoding="utf-8-sig", errors="surrogateescape"))
@click.option("--hashed", is_flag=True, help="The lines have what another server kept of the password.")
@with_site
def import_(settings: Settings, file: TextIOWrapper, hashed: bool) -> None:
    """Make a user of each line ``address:password`` of FILE; - is standard input.

    Lines that cannot be used are named on standard error and make the exit code 1; all others are imported.
    Empty lines are skipped. So the same file can be imported again.

    With --hashed a line has what another server kept in the place of the password: a hash of argon2, bcrypt or
    crypt(3) ($1$, $5$, $6$, $y$, DES...), of PBKDF2, {SSHA} and its kind, keys of SCRAM or CRAM-MD5, or {PLAIN} and
    the password, as Dovecot (doveadm pw) and LDAP servers write them. It becomes one of ours at the first login in
    clear, {PLAIN} at once.

    \b
    Example:
      printf 'alice@example.com:secret\\nbob@example.com:other\\n' | mailsuite user import -
    """
    numbers: list[int] = []
    rows: list[tuple[str, str]] = []
    wrong: dict[int, str] = {}
    for number, line in _lines(file):
        found = _LINE.fullmatch(line)
        if found is None:
            wrong[number] = "expected address:password, as in alice@example.com:secret"
        else:
            numbers.append(number)
            rows.append((found[1], found[2]))
    done = 0
    with open_accounts(settings) as accounts, progress("importing", len(rows)) as advance:
        for outcome in accounts.import_users(rows, (hash_keeper if hashed else keeper)(settings), advance):
            if isinstance(outcome, Imported):
                make_mail_folder(settings, outcome.user)
                done += 1
            else:
                wrong[numbers[outcome.index]] = outcome.reason
    _report(done, wrong)


def _lines(file: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        if text.strip():
            yield number, text


def _report(done: int, wrong: dict[int, str]) -> None:
    for number, reason in sorted(wrong.items()):
        click.echo(f"line {number}: {reason}", err=True)
    click.echo(f"Imported {done} {'user' if done == 1 else 'users'}.")
    if wrong:
        raise click.ClickException(f"{len(wrong)} {'line was' if len(wrong) == 1 else 'lines were'} not imported")
