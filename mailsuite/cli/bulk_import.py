"""``mailsuite domain import`` and ``mailsuite alias import``: many at once."""

from collections.abc import Sequence
from io import TextIOWrapper

import click

from mailsuite.admin import domains as admin
from mailsuite.administered import administered
from mailsuite.cli.accounts import open_accounts, tell
from mailsuite.cli.output import Advance, progress
from mailsuite.cli.rows import Form, Row, form_option, report, rows, stop_option, text_file
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsError, Exists
from mailsuite.directory.rows import CLASSES, LOCAL

_DOMAIN = ("domain", "class", "catch_all", "alias_of")
_ALIAS = ("address", "targets")


@click.command(name="import")
@click.argument("file", type=text_file)
@form_option
@stop_option
@with_site
def import_domains(settings: Settings, file: TextIOWrapper, form: Form, stop: bool) -> None:
    """Accept mail for each domain in FILE; - is standard input. Those that are here already stay as they are.

    The fields are domain and, where wanted, class, catch_all and alias_of. Rows that cannot be used are named, and
    make the exit code 1; the others are imported. So the same file can be imported again.

    \b
    Example:
      printf 'domain,class\\nexample.com,local\\nexample.net,backup\\n' | mailsuite domain import -
      printf '{"domain": "example.de", "alias_of": "example.com"}\\n' | mailsuite domain import - --format json
    """
    found = list(rows(file, form, _DOMAIN))
    wrong: dict[int, str] = {}
    done = 0
    with open_accounts(settings) as accounts, progress("domains", len(found)) as advance:
        for row in found:
            try:
                done += _add_domain(settings, accounts, row)
            except AccountsError as error:
                wrong[row.number] = str(error)
                if stop:
                    break
            advance()
    report(done, "domain", wrong)


@click.command(name="import")
@click.argument("file", type=text_file)
@form_option
@stop_option
@with_site
def import_aliases(settings: Settings, file: TextIOWrapper, form: Form, stop: bool) -> None:
    """Let mail for each address in FILE go to its targets too; - is standard input.

    The fields are address and targets, in CSV parted by spaces or commas (then in quotes). An alias may lead to one
    that stands behind it, but with --stop. Rows that cannot be used are named, and make the exit code 1; the others
    are imported. So the same file can be imported again.

    \b
    Example:
      printf 'address,targets\\nsales@example.com,alice@example.com bob@example.com\\n' | mailsuite alias import -
      printf '{"address": "info@example.com", "targets": ["alice@example.com"]}\\n' \\
        | mailsuite alias import - --format json
    """
    found = list(rows(file, form, _ALIAS))
    with open_accounts(settings) as accounts, progress("aliases", len(found)) as advance:
        done, wrong = add_aliases(accounts, found, advance, stop)
    report(done, "alias", wrong)


def add_aliases(accounts: Accounts, found: Sequence[Row], advance: Advance, stop: bool) -> tuple[int, dict[int, str]]:
    """Make an alias of each row with the fields of ``alias import``; return how many, and what is wrong by lines."""
    wrong = {row.number: row.wrong or "it has no targets" for row in found if row.wrong or not row.texts("targets")}
    usable = [row for row in found if row.number not in wrong]
    if stop and wrong:
        first = min(wrong)
        wrong, usable = {first: wrong[first]}, [row for row in usable if row.number < first]
    pairs = [(row.text("address"), row.texts("targets")) for row in usable]
    rejected = accounts.import_aliases(pairs, advance, stop)
    if stop and rejected:
        # Nothing behind it was looked at, what was wrong there neither.
        (last,) = rejected
        return last.index, {usable[last.index].number: last.reason}
    return len(usable) - len(rejected), {**wrong, **{usable[each.index].number: each.reason for each in rejected}}


def _add_domain(settings: Settings, accounts: Accounts, row: Row) -> int:
    """Add a domain, and return 1; or 0 where it is there already. Raises `AccountsError`."""
    if row.wrong:
        raise AccountsError(row.wrong)
    domain_class = row.text("class") or LOCAL
    if domain_class not in CLASSES:
        raise AccountsError(f"{domain_class} is no class; expected one of {', '.join(CLASSES)}")
    site = administered(settings)
    of = row.text("catch_all") or None, row.text("alias_of") or None
    try:
        tell(admin.add(site, accounts, row.text("domain"), domain_class, *of))
    except Exists:
        return 0
    return 1
