"""Are there accounts that this version can read, and does somebody get the postmaster's mail?"""

import os
from collections.abc import Iterator
from contextlib import closing

from mailsuite.address import Address, domain_key
from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError, NewerSchema, OlderSchema
from mailsuite.directory.resolve import Resolver
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.maybe import at_once


def accounts(settings: Settings) -> Iterator[Finding]:
    """Look at the accounts file: its version, its mode, its first domain and the site's postmaster."""
    path = settings.directory.path
    try:
        connection = connect_for_lookups(path)
    except (OlderSchema, NewerSchema) as problem:
        yield error("directory.path", str(problem), "do that: the service does not start before")
        return
    except AccountsError as problem:
        yield error("directory.path", str(problem), "restore it, or correct [directory] path")
        return
    with closing(connection):
        yield ok("directory.path", f"{path} can be read")
        if os.stat(path).st_mode & 0o077:
            yield warning("directory.path", f"{path} is open to other users of this machine", f"chmod 600 {path}")
        yield from _domains(SqlRecords(lambda: connection), settings)
        yield from _terms(SqlRecords(lambda: connection), settings)


def _domains(records: SqlRecords, settings: Settings) -> Iterator[Finding]:
    if records.first_domain() is None:
        others = [*records.domains("relay"), *records.domains("backup")]
        lost = "mail for <postmaster> is refused" if others else "all mail is refused"
        yield warning("directory", f"there is no local domain: {lost}", "mailsuite domain add DOMAIN")
    postmaster = settings.directory.postmaster
    if postmaster and at_once(Resolver(records).listed(parse_address(postmaster))) is None:
        yield warning(
            "directory.postmaster", f"{postmaster} is neither a mailbox nor an alias of a local domain",
            f"{_mend(records, parse_address(postmaster))}, or name another address",
        )


def _terms(records: SqlRecords, settings: Settings) -> Iterator[Finding]:
    """What [domains] says holds for users, and only local domains have them."""
    for name in settings.domains:
        domain = records.domain(domain_key(name))
        if domain is None or domain.domain_class != LOCAL:
            verb = "add" if domain is None else "set"
            yield warning(
                f"domains.{name}", "it is not a local domain, so nobody is held to this",
                f"mailsuite domain {verb} {domain_key(name)}{'' if domain is None else ' --class local'}",
            )


def _mend(records: SqlRecords, postmaster: Address) -> str:
    """Return the command that lets mail for *postmaster* end here."""
    domain = records.domain(postmaster.domain)
    if domain is None:
        return f"mailsuite domain add {postmaster.domain}"
    if domain.domain_class != LOCAL:
        return f"mailsuite domain set {domain.name} --class local"
    return f"mailsuite user add {postmaster}"
