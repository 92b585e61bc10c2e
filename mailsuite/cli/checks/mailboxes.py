"""Does what POP3 holds users to fit its listeners, and what people expect of their mailboxes?"""

from collections.abc import Iterator

from mailsuite.cli.checks import Finding, ok, warning
from mailsuite.config import Settings
from mailsuite.config.tables.pop3 import POP3
from mailsuite.counted import counted

# Clients that look for mail on their own do so every five to fifteen minutes.
USUAL_SECONDS = 900


def mailboxes(settings: Settings) -> Iterator[Finding]:
    """Look at [pop3], and at what [domains] says of it."""
    served = any(listener.service == "pop3" for listener in settings.listen.values())
    if not served and settings.pop3 != POP3():
        yield warning("pop3", "nobody fetches mail here: no listener serves pop3", "add one, or remove the table")
    expire, delay = settings.pop3.expire, settings.pop3.login_delay
    yield from _terms("pop3", "", expire, delay, served)
    for name, domain in settings.domains.items():
        own = 0 if domain.pop3_login_delay == "default" else domain.pop3_login_delay
        yield from _terms(f"domains.{name}", "pop3_", domain.pop3_expire, own, served)


def _terms(table: str, prefix: str, expire: int | str, delay: int, served: bool) -> Iterator[Finding]:
    where = f"{table}.{prefix}expire"
    if expire == 0:
        yield warning(
            where, "what a client has fetched is removed when it quits, even if it is set to leave mail on the server",
            'keep that if it is meant, else set a number of days, or "never"',
        )
    elif isinstance(expire, int):
        yield ok(where, f"mail is removed {counted(expire, 'day')} after it came")
        if not served:
            yield warning(where, "nobody is told so: no listener serves pop3", 'add one, or set "never"')
    if delay > USUAL_SECONDS:
        yield warning(
            f"{table}.{prefix}login_delay",
            f"clients look for mail more often than every {delay} seconds, and fail",
            f"set at most {USUAL_SECONDS}",
        )
