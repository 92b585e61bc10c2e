"""``mailsuite user import``: many users at once, from lines of text."""

import re
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import Literal

import click

from mailsuite.admin.mail_folders import make_mail_folder, mend_mail_folder
from mailsuite.administered import administered
from mailsuite.cli.accounts import hash_keeper, keeper, open_accounts, tell
from mailsuite.cli.output import progress
from mailsuite.cli.rows import Row, report, rows, text_file
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.rows import Imported, Present
from mailsuite.directory.secrets import Kept

# The address ends at the first colon that is not in its quoted local part; the rest is the password.
_FIELDS = ("address", "password", "hash")
_LINE = re.compile(r'((?:"(?:[^"\\]|\\.)*")?[^:"]*):(.*)', re.DOTALL)


@click.command(name="import")
@click.argument("file", type=text_file)
@click.option("--hashed", is_flag=True, help="The lines have what another server kept of the password.")
@click.option("--format", "form", type=click.Choice(("lines", "csv", "json")), default="lines", show_default=True,
              help="Lines address:password, CSV with a header, or JSON, an object in each line.")
@click.option("--stop", is_flag=True, help="Stop at the first row that cannot be used (and the 500 it is among).")
@with_site
def import_(
    settings: Settings, file: TextIOWrapper, hashed: bool, form: Literal["lines", "csv", "json"], stop: bool
) -> None:
    """Make a user of each line ``address:password`` of FILE; - is standard input.

    Lines that cannot be used are named on standard error and make the exit code 1; all others are imported.
    Empty lines are skipped. Users that are here already stay as they are. So the same file can be imported again, and
    an import that was stopped goes on.

    With --hashed a line has what another server kept in the place of the password: a hash of argon2, bcrypt or
    crypt(3) ($1$, $5$, $6$, $y$, DES...), of PBKDF2, {SSHA} and its kind, keys of SCRAM or CRAM-MD5, or {PLAIN} and
    the password, as Dovecot (doveadm pw) and LDAP servers write them. It becomes one of ours at the first login in
    clear, {PLAIN} at once.

    CSV and JSON have the fields address and, where wanted, one of password and hash, what another server has kept; a
    user with neither gets mail and cannot log in yet.

    \b
    Example:
      printf 'address,hash\\nalice@example.com,{SSHA}Jvhm7HZD0ysaLkDxd8Yxk+NJM5G7c2Fs\\n' \\
        | mailsuite user import - --format csv
      printf 'alice@example.com:secret\\nbob@example.com:other\\n' | mailsuite user import -
    """
    found = list(_lines(file, "hash" if hashed else "password") if form == "lines" else rows(file, form, _FIELDS))
    wrong = {row.number: row.wrong for row in found if row.wrong}
    if stop and wrong:
        first = min(wrong)
        wrong, found = {first: wrong[first]}, [row for row in found if row.number < first]
    usable = [row for row in found if not row.wrong]
    pairs = [(row.text("address"), _marked(row)) for row in usable]
    done = 0
    there: dict[int, str] = {}
    site = administered(settings)
    with open_accounts(settings) as accounts, progress("importing", len(pairs)) as advance:
        for outcome in accounts.import_users(pairs, _keep(settings), advance):
            if isinstance(outcome, Imported):
                tell(make_mail_folder(site, outcome.user))
                done += 1
            elif isinstance(outcome, Present):
                tell(mend_mail_folder(site, outcome.user))
                there[usable[outcome.index].number] = outcome.user.name
            else:
                wrong[usable[outcome.index].number] = outcome.reason
                if stop:
                    break
    report(done, "user", wrong, there)


def _lines(file: TextIOWrapper, kind: str) -> Iterator[Row]:
    # A CR alone ends no line: it is a character that no password may have.
    file.reconfigure(newline="\n")
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            yield Row(number, {}, "expected address:password, as in alice@example.com:secret")
        else:
            yield Row(number, {"address": found[1], kind: found[2]}, in_text=True)


def _marked(row: Row) -> str:
    """Return what is to be kept of the password, with a letter before it that says what it is; empty for none."""
    for kind in ("hash", "password"):
        # An empty one in a line of text is a slip, and refused; an empty field says that there is none.
        if row.text(kind) or (row.in_text and kind in row.fields):
            return kind[0] + row.text(kind)
    return ""


def _keep(settings: Settings) -> Callable[[str, str], Kept]:
    """Return what keeps what `_marked` has marked."""
    password, hashed = keeper(settings), hash_keeper(settings)

    def keep(name: str, marked: str) -> Kept:
        if not marked:
            return Kept("")
        return (hashed if marked[0] == "h" else password)(name, marked[1:])

    return keep
