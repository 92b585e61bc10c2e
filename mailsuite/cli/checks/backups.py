"""Do we know the recipients of the domains that we are the backup MX of, and does their mail go to the primary?"""

import time
from collections.abc import Iterator

from mailsuite.address import POSTMASTER, Address, domain_key
from mailsuite.backends import reading
from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.config.tables.delivery import Backup
from mailsuite.counted import counted
from mailsuite.delivery.routes import Routes
from mailsuite.directory.errors import AccountsError
from mailsuite.outgoing import default_route, route_rules
from mailsuite.policy.backup import OLD_SECONDS
from mailsuite.policy.backup_list import BadList, parse_key
from mailsuite.policy.backup_store import ListStore
from mailsuite.policy.primary import can_ask
from mailsuite.route import Route

DAY = 86_400
OLD_DAYS = OLD_SECONDS // DAY

_ALL_TAKEN = "all recipients are taken, and those that the primary refuses are returned to forged senders"
_PUBLISH = "let the primary publish a list: mailsuite backup-mx export"


def backups(settings: Settings) -> Iterator[Finding]:
    """Look at each domain of class backup, and at what the configuration says of others."""
    told = {domain_key(name): backup for name, backup in settings.backups.items()}
    try:
        with reading(settings) as records:
            domains = records.domains("backup")
            others = {domain: records.domain(domain) for domain in sorted({*told}.difference(domains))}
    except AccountsError:
        return  # another check says so
    for domain, found in others.items():
        verb = "add" if found is None else "set"
        mend = f"mailsuite domain {verb} {domain} --class backup"
        yield warning(f"backups.{domain}", "it is not a domain of class backup", mend)
    for domain in domains:
        yield from _recipients(settings, domain, told.get(domain, Backup()))
        yield from _astray(settings, domain)


def _recipients(settings: Settings, domain: str, backup: Backup) -> Iterator[Finding]:
    where = f"backups.{domain}"
    if backup.key:
        yield from _list(settings, where, domain, backup)
    elif not backup.callout:
        yield warning(where, _ALL_TAKEN, f"{_PUBLISH}, or remove callout = false")
    elif _is_asked(settings, domain):
        yield ok(where, "its primary is asked about recipients; while it is away, all are taken")
    else:
        text = f"{_ALL_TAKEN}: on the way that its mail goes (a certificate, a login, LMTP) the primary is not asked"
        yield warning(where, text, f"{_PUBLISH}, or set tls = \"encrypt\" in a route for the domain")


def _astray(settings: Settings, domain: str) -> Iterator[Finding]:
    """Say whether its mail goes the way of all mail that is for others: the smarthost is not its primary."""
    way = _way(settings, domain)
    name = way.destination.removeprefix("route:")
    if way.host and not settings.routes[name].recipients:
        text = f"mail for {domain} goes to {way.host} by routes.{name}, and not to its primary"
        mend = f'add a route with recipients = ["{domain}"], and without host (by MX records) or with the primary'
        yield warning(f"backups.{domain}", text, mend)


def _is_asked(settings: Settings, domain: str) -> bool:
    """Say whether the way of *domain*'s mail is one on which its primary is asked."""
    return can_ask(_way(settings, domain))


def _way(settings: Settings, domain: str) -> Route:
    router = Routes(route_rules(settings), default_route(settings), lambda name: True)
    return router.route(Address(POSTMASTER, domain), None)


def _list(settings: Settings, where: str, domain: str, backup: Backup) -> Iterator[Finding]:
    store = ListStore(settings.state_dir)
    fetches = f", or wait: the service fetches {backup.list}" if backup.list else ""
    take = f"mailsuite backup-mx import FILE|URL{fetches}"
    try:
        found = store.load(domain, parse_key(backup.key))
    except (BadList, OSError) as problem:
        yield error(where, f"{store.path(domain)} cannot be used: {problem}", take)
        return
    if found is None:
        yield warning(where, "no list of its recipients was taken yet", take)
        return
    days = int(time.time() - found.made) // DAY
    if days >= OLD_DAYS:
        asked = backup.callout and _is_asked(settings, domain)
        new = "the primary is asked about newer ones" if asked else "all that are not in it are taken"
        text = f"the list of its recipients is {counted(days, 'day')} old: {new}"
        yield warning(where, text, "let the primary run mailsuite backup-mx export again and again")
    else:
        yield ok(where, f"the list of its recipients has {counted(found.count, 'address', 'addresses')}")
