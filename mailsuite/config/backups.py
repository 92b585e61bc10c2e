"""What types cannot say about backup MX recipients: whose list it is, where it is and who has signed it."""

from collections.abc import Iterator

from mailsuite.config.decoding import Problem
from mailsuite.config.domains import name_problems
from mailsuite.config.forms import is_https, is_web
from mailsuite.config.settings import Settings
from mailsuite.config.tables.delivery import Backup
from mailsuite.directory.spelling import shown
from mailsuite.policy.backup_list import BadKey, parse_key


def backup_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the tables of backed up domains."""
    yield from name_problems("backups", settings.backups)
    for name, backup in settings.backups.items():
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
