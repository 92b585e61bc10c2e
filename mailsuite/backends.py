"""Chooses who keeps the accounts, by ``[directory] backend``: for the service, and for commands."""

import importlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from types import ModuleType
from typing import Any

from mailsuite import own_objects
from mailsuite.config import Settings
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.backend import Backend
from mailsuite.directory.errors import NoAccounts, ReadOnly
from mailsuite.directory.passwd_file import PasswdFileBackend
from mailsuite.directory.remembered import Source, Terms
from mailsuite.directory.schema import connect_for_lookups, trouble
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import Run

# What of ours a back end needs that stands on a package which not every site has, and how that is installed.
_NEEDS = {
    "postgresql": ("directory.postgresql", "directory.postgresql_schema", "directory.postgresql_copy"),
    "ldap": ("directory.ldap", "directory.ldap_searches", "transport.ldap"),
}
_INSTALL = {
    "postgresql": "pip install 'mailsuite[postgresql]'",
    # Not with what it depends on: its passlib would be written over ours, which is kept up (libpass).
    "ldap": "pip install --no-deps ldaptor",
}


def load(settings: Settings) -> None:
    """Load the modules that `backend` needs, while we may: the user that the service runs as may not read them all.

    Raises `NoAccounts`.
    """
    name = settings.directory.backend
    for needed in _NEEDS.get(name, ()):
        module(needed)
    if ":" in name:
        try:
            own_objects.load(name)
        except own_objects.CannotMake as error:
            raise NoAccounts(f"[directory] backend {name} {error}") from error


def backend(settings: Settings, reactor: Any, seconds: Callable[[], float], run: Run) -> Backend:
    """Return what keeps the accounts, not yet started. *run* runs what takes long in a thread.

    Raises `NoAccounts` where that cannot be had.
    """
    name = settings.directory.backend
    if name == "sqlite":
        return SqliteBackend(settings.directory.path, seconds, run)
    if name == "postgresql":
        keys = settings.postgresql
        made: Backend = module("directory.postgresql").PostgresBackend(
            keys.dsn, reactor, keys.connections, keys.poll, keys.timeout
        )
        return made
    if name == "passwd-file":
        return PasswdFileBackend(settings.passwd_file.path, settings.passwd_file.domains, seconds, run)
    if name == "ldap":
        return _ldap(settings, reactor)
    return _own(name, settings.directory.options, reactor)


def source(settings: Settings, backend: Backend, seconds: Callable[[], float]) -> Source:
    """Return *backend* as its caches see it."""
    return Source(backend.generation, seconds, Terms(settings.directory.cache_ttl, settings.directory.cache_stale))


def root(settings: Settings) -> bytes:
    """Return the root of what this site makes up, for a back end that keeps none: from a file below ``state_dir``,
    which is made where there is none. Raises `OSError`."""
    path = os.path.join(settings.state_dir, "site-secret")
    with suppress(FileExistsError), open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
    with open(path, "rb") as file:
        return file.read(32)


def is_ours(settings: Settings) -> bool:
    """Say whether the accounts are kept by us, and so can be changed, and looked through, by `accounts`."""
    return settings.directory.backend in ("sqlite", "postgresql")


def accounts(settings: Settings) -> Accounts:
    """Open the accounts for changes. Raises `AccountsError`: `ReadOnly` where they are not ours."""
    name = settings.directory.backend
    if name == "sqlite":
        return Accounts.open(settings.directory.path)
    if name == "postgresql":
        opened: Accounts = module("directory.postgresql_schema").open_accounts(settings.postgresql.dsn)
        return opened
    raise ReadOnly(
        f'[directory] backend is "{name}", which mailsuite only reads: what is asked for here has to be looked at, and'
        " changed, where it is kept"
    )


@contextmanager
def reading(settings: Settings) -> Iterator[SqlRecords]:
    """Yield the accounts, for a command that changes nothing. Raises `AccountsError` where they cannot be read."""
    name = settings.directory.backend
    if name == "postgresql":
        with module("directory.postgresql_schema").reading(settings.postgresql.dsn) as records:
            yield records
    elif name == "sqlite":
        path = settings.directory.path
        with trouble(path), closing(connect_for_lookups(path)) as connection:
            yield SqlRecords(lambda: connection)
    else:
        raise ReadOnly(f'[directory] backend is "{name}", which this command cannot look through')


def module(name: str) -> ModuleType:
    """Return the module *name* of ours, which needs what not every site has installed. Raises `NoAccounts`."""
    try:
        return importlib.import_module(f"mailsuite.{name}")
    except ImportError as error:
        (mend,) = (_INSTALL[each] for each, needed in _NEEDS.items() if name in needed)
        raise NoAccounts(f"this back end needs what is not installed ({error}): {mend}") from error


def _ldap(settings: Settings, reactor: Any) -> Backend:
    keys = settings.ldap
    if not keys.servers:
        raise NoAccounts("[ldap] needs servers, base and domains")
    ldap = module("directory.ldap")
    try:
        connector = module("transport.ldap").LdapConnector(reactor, keys.ca_file, keys.start_tls, keys.timeout)
        password = _read(keys.password_file) if keys.password_file else ""
    except (OSError, ValueError) as error:
        raise NoAccounts(f"[ldap] password_file or ca_file cannot be used: {error}") from error
    tree = ldap.Tree(
        keys.base, tuple(keys.domains), keys.object_class, keys.login_attribute, tuple(keys.address_attributes),
        keys.target_attribute, keys.suspended_attribute, keys.check == "hash", keys.quota_attribute,
    )  # fmt: skip
    searches = module("directory.ldap_searches")
    servers = searches.LdapServers(
        keys.servers, connector.connect, keys.bind_dn, password, keys.timeout, reactor
    )
    made: Backend = ldap.LdapBackend(tree, servers)
    return made


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\n")


def _own(name: str, options: str, reactor: Any) -> Backend:
    try:
        made = own_objects.make(name, options, reactor)
    except own_objects.CannotMake as error:
        raise NoAccounts(f"[directory] backend {name} {error}") from error
    if not isinstance(made, Backend):
        raise NoAccounts(f"[directory] backend {name} made no mailsuite.directory.backend.Backend: {made!r}")
    return made
