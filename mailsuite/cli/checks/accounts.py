"""Are there accounts that this version can read, and does somebody get the postmaster's mail?"""

import os
import time
from collections.abc import Iterator
from shlex import quote

from twisted.internet import reactor

from mailsuite.address import Address, domain_key
from mailsuite.backends import backend, is_ours, reading
from mailsuite.cli.checks import Finding, error, ok, unreachable, warning
from mailsuite.cli.settled import run_here
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError, NewerSchema, OlderSchema, Unreadable
from mailsuite.directory.resolve import Resolver
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.maybe import at_once

# What is wrong with accounts of a back end, by the key that says where they are.
_KEYS = {
    "sqlite": "directory.path", "postgresql": "postgresql.dsn", "ldap": "ldap", "passwd-file": "passwd_file.path",
}  # fmt: skip


def accounts(settings: Settings) -> Iterator[Finding]:
    """Look at the accounts: their version, the file's mode, the first domain and the site's postmaster."""
    name = settings.directory.backend
    key = _KEYS.get(name, "directory.backend")
    if name == "sqlite" and (closed := unreachable(key, settings.directory.path)) is not None:
        yield closed
        return
    try:
        if is_ours(settings):
            with reading(settings) as records:
                yield from _in_sql(settings, key, records)
        else:
            yield from _read_only(settings, key)
    except (OlderSchema, NewerSchema) as problem:
        yield error(key, str(problem), "do that: the service does not start before")
    except Unreadable as problem:
        yield error(key, problem.what, problem.mend)
    except AccountsError as problem:
        yield error(key, str(problem), f"restore it, or correct [{key.replace('.', '] ')}")


def _in_sql(settings: Settings, key: str, records: SqlRecords) -> Iterator[Finding]:
    path = settings.directory.path
    if key == "directory.path":
        yield ok(key, f"{path} can be read")
        if os.stat(path).st_mode & 0o077:
            yield warning(key, f"{path} is open to other users of this machine", f"chmod 600 {quote(path)}")
    else:
        yield ok(key, "the database can be read")
    yield from _domains(records, settings)
    yield from _terms(records, settings)


def _read_only(settings: Settings, key: str) -> Iterator[Finding]:
    made = backend(settings, reactor, time.monotonic, run_here)
    if settings.directory.backend == "passwd-file":
        made.start()
        yield ok(key, f"{settings.passwd_file.path} can be read")
    else:
        yield ok(key, "it can be made; whether it answers is seen when the service asks")


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
    if any(listener.authentication == "peer" for listener in settings.listen.values()):
        yield from _root(records, settings)


def _root(records: SqlRecords, settings: Settings) -> Iterator[Finding]:
    """Root has most of the mail of cron, and programs name it without a domain."""
    root = Address("root", settings.submission.origin or settings.hostname)
    if at_once(Resolver(records).listed(root)) is None:
        add = _mend(records, root).replace("user add", "alias add")
        mend = f"{add} ADDRESS" if "alias" in add else f"{add}, or name one of your domains there"
        yield warning("submission.origin", f"mail of this machine for root goes to {root}, whom nobody is", mend)


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
    return f"mailsuite user add {quote(str(postmaster))}"
