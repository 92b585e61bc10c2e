"""What types cannot say about backup MX recipients: whose list it is, where it is and who has signed it."""

from collections.abc import Iterator

from mailsuite.address import domain_key
from mailsuite.config.decoding import Problem
from mailsuite.config.forms import is_domain, is_https, is_web
from mailsuite.config.settings import Settings
from mailsuite.config.tables.delivery import Backup
from mailsuite.directory.spelling import shown
from mailsuite.policy.backup_list import BadKey, parse_key


def backup_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the tables of backed up domains."""
    taken: dict[str, str] = {}
    for name, backup in settings.backups.items():
        if not is_domain(name):
            text = f'"{shown(name)}" is not a domain name: write [backups."example.org"]'
            yield Problem(("backups", name), text)
        elif (other := taken.setdefault(domain_key(name), name)) != name:
            yield Problem(("backups", name), f'this domain has a table already: [backups."{other}"]')
        for key, text in _list(backup):
            yield Problem(("backups", name, key), text)


def _list(backup: Backup) -> Iterator[tuple[str, str]]:
    if is_web(backup.list) and not is_https(backup.list):
        yield "list", f'expected an https URL with a path, a path name, or an empty string, got "{shown(backup.list)}"'
    if backup.list and not backup.key:
        yield "list", 'a list is believed only by its signature: set key to what "backup-mx export" has printed'
    if backup.key:
        try:
            parse_key(backup.key)
        except BadKey as error:
            yield "key", str(error)
