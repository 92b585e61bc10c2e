"""Chooses who keeps the accounts, by ``[directory] backend``: for the service, and for commands that only read."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from mailsuite.config import Settings
from mailsuite.directory.backend import Backend
from mailsuite.directory.remembered import Source, Terms
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import Run


def backend(settings: Settings, seconds: Callable[[], float], run: Run) -> Backend:
    """Return what keeps the accounts, not yet started. *run* runs what takes long in a thread."""
    return SqliteBackend(settings.directory.path, seconds, run)


def source(settings: Settings, backend: Backend, seconds: Callable[[], float]) -> Source:
    """Return *backend* as its caches see it."""
    return Source(backend.generation, seconds, Terms(settings.directory.cache_ttl, settings.directory.cache_stale))


@contextmanager
def reading(settings: Settings) -> Iterator[SqlRecords]:
    """Yield the accounts, for a command that changes nothing. Raises `AccountsError` where they cannot be read."""
    with closing(connect_for_lookups(settings.directory.path)) as connection:
        yield SqlRecords(lambda: connection)
