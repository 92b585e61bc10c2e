"""What types cannot say about POP3 and about the tables of domains: terms in range, a language that there is."""

from collections.abc import Iterable, Iterator

from mailsuite.address import domain_key
from mailsuite.config.decoding import Problem
from mailsuite.config.settings import Settings
from mailsuite.directory.spelling import is_domain, shown
from mailsuite.pop3.capabilities.lang import LANGUAGES

DELAY_SECONDS = 86_400
EXPIRE_DAYS = 36_500


def domain_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with terms of mailboxes, for all domains and for single ones."""
    yield from _range(("pop3", "expire"), settings.pop3.expire, EXPIRE_DAYS)
    if settings.pop3.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        text = f'"{shown(settings.pop3.language)}" is no language that there is here; these are: {known}'
        yield Problem(("pop3", "language"), text)
    yield from name_problems("domains", settings.domains)
    for name, domain in settings.domains.items():
        path = ("domains", name)
        yield from _range((*path, "pop3_login_delay"), domain.pop3_login_delay, DELAY_SECONDS)
        yield from _range((*path, "pop3_expire"), domain.pop3_expire, EXPIRE_DAYS)


def name_problems(table: str, names: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong with *names* of tables below *table*: each is to be a domain, however written, and once."""
    taken: dict[str, str] = {}
    for name in names:
        if not is_domain(name):
            yield Problem((table, name), f'"{shown(name)}" is not a domain name: write [{table}."example.org"]')
        elif (other := taken.setdefault(domain_key(name), name)) != name:
            yield Problem((table, name), f'this domain has a table already: [{table}."{other}"]')


def _range(path: tuple[str, ...], value: int | str, most: int) -> Iterator[Problem]:
    if isinstance(value, int) and not 0 <= value <= most:
        yield Problem(path, f"expected a number from 0 to {most}, got {value}")
