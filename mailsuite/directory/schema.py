"""The accounts file: its tables, their version, and how the file is opened.

The version is SQLite's ``user_version``; ``application_id`` tells our file from others. A file of another version is
refused before anything is written to it: ``mailsuite db`` brings it up, or down (`mailsuite.directory.upgrades`).
"""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mailsuite.directory import upgrades
from mailsuite.directory.errors import AccountsBusy, NewerSchema, NoAccounts, OlderSchema
from mailsuite.directory.sql import transaction
from mailsuite.schema_steps import version_of

VERSION = 2
APPLICATION_ID = 0x6D737561

# How long a command waits for another one's transaction, and how long a login does that renews a hash.
WAIT_SECONDS = 10.0
LOGIN_WAIT_SECONDS = 1.0
# How long the server does: its lookups run on the reactor thread, and WAL readers wait only for a recovery.
LOOKUP_WAIT_SECONDS = 0.1

# Keys (``name``, ``local``, ``domain``) are in the form of `mailsuite.directory.spelling`. Numbers of logins and
# mailboxes are never used again, so that what others keep by number cannot fall to a stranger. Times are POSIX
# seconds.
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    # `alias_of`: what this domain has no address for is looked up in that one. `senders`: who may send from its
    # addresses (`rows.SENDERS`). `quota_*`: what all its mailboxes hold together, `mailbox_*`: each that has no quota
    # of its own; NULL is the site's default, and 0 no limit.
    """CREATE TABLE domains (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        class TEXT NOT NULL DEFAULT 'local',
        catch_all_local TEXT,
        catch_all_domain TEXT,
        alias_of INTEGER REFERENCES domains (id),
        senders TEXT NOT NULL DEFAULT 'reached',
        quota_octets INTEGER,
        quota_messages INTEGER,
        mailbox_octets INTEGER,
        mailbox_messages INTEGER)""",
    "CREATE INDEX domains_of_alias ON domains (alias_of) WHERE alias_of IS NOT NULL",
    # `quota_*`: NULL is the default of the domain, and 0 no limit.
    """CREATE TABLE mailboxes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL UNIQUE,
        quota_octets INTEGER,
        quota_messages INTEGER)""",
    # `suspended`: no login, and mail is refused. `frozen`: no login, and mail is kept. `must_change`: only a new
    # password can be set with the old one.
    """CREATE TABLE logins (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        mailbox_id INTEGER REFERENCES mailboxes (id) ON DELETE SET NULL,
        suspended INTEGER NOT NULL DEFAULT 0,
        frozen INTEGER NOT NULL DEFAULT 0,
        must_change INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX logins_of_mailbox ON logins (mailbox_id)",
    # `last_used`: when it was last proved; a change of it alone raises no generation.
    """CREATE TABLE credentials (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        login_id INTEGER NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        scope TEXT NOT NULL DEFAULT '',
        label TEXT NOT NULL DEFAULT '',
        stored TEXT NOT NULL,
        last_used INTEGER,
        UNIQUE (login_id, kind, label))""",
    # `wildcard`: each asterisk in `local` stands for any characters. `reject_*`: the reply to mail for it, from
    # `reject_from` on (NULL: always); until then mail goes to its mailbox or targets: so somebody leaves.
    """CREATE TABLE addresses (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        domain_id INTEGER NOT NULL REFERENCES domains (id),
        local TEXT NOT NULL,
        mailbox_id INTEGER REFERENCES mailboxes (id) ON DELETE CASCADE,
        wildcard INTEGER NOT NULL DEFAULT 0,
        reject_code INTEGER,
        reject_status TEXT,
        reject_text TEXT,
        reject_from INTEGER,
        UNIQUE (domain_id, local))""",
    "CREATE INDEX addresses_of_mailbox ON addresses (mailbox_id)",
    "CREATE INDEX wildcards ON addresses (domain_id) WHERE wildcard = 1",
    # An address that is among its own targets keeps a copy in its mailbox.
    """CREATE TABLE alias_targets (
        address_id INTEGER NOT NULL REFERENCES addresses (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        local TEXT NOT NULL,
        domain TEXT NOT NULL,
        PRIMARY KEY (address_id, position),
        UNIQUE (address_id, local, domain)) WITHOUT ROWID""",
    "CREATE INDEX alias_targets_by_domain ON alias_targets (domain, local)",
    # Of a login, or of all logins of a domain together: at most so many `counted` ('messages', or 'recipients' that
    # are new and distinct) in so many seconds.
    """CREATE TABLE submission_caps (
        login_id INTEGER REFERENCES logins (id) ON DELETE CASCADE,
        domain_id INTEGER REFERENCES domains (id) ON DELETE CASCADE,
        counted TEXT NOT NULL,
        seconds INTEGER NOT NULL,
        most INTEGER NOT NULL,
        UNIQUE (login_id, counted, seconds),
        UNIQUE (domain_id, counted, seconds))""",
)


# A domain with its addresses, and those of the one that it is an alias of.
_PLACES = "domains d JOIN addresses a ON a.domain_id IN (d.id, d.alias_of)"


def _lost(local: str, domain: str) -> str:
    """Return the condition that mail for a *local* part of a *domain* (both columns) leads to no address.

    By its own name, as the base of a plus-address, by a wildcard; in the domain, or in the one that it is an alias of:
    as `mailsuite.directory.resolve` has it.
    """
    leads = f"EXISTS (SELECT 1 FROM {_PLACES} WHERE d.name = {domain} AND"  # noqa: S608 (our own words)
    base = f"CASE WHEN instr({local}, '+') > 1 THEN substr({local}, 1, instr({local}, '+') - 1) END"
    pattern = "replace(replace(a.local, '[', '[[]'), '?', '[?]')"
    return (
        f"NOT {leads} a.local IN ({local}, {base})) AND NOT {leads} a.wildcard = 1"
        f" AND ({local} GLOB {pattern} OR {base} GLOB {pattern}))"
    )


_VIEWS = (
    f"""CREATE VIEW lost_targets AS SELECT address_id, position, domain FROM alias_targets t
        WHERE {_lost("t.local", "t.domain")}""",  # noqa: S608 (our own words)
    f"""CREATE VIEW lost_catch_alls AS SELECT id, name, catch_all_domain AS domain FROM domains o
        WHERE catch_all_domain IS NOT NULL AND {_lost("o.catch_all_local", "o.catch_all_domain")}""",  # noqa: S608
    """CREATE VIEW empty_aliases AS SELECT a.id, d.name AS domain FROM addresses a JOIN domains d ON d.id = a.domain_id
        WHERE a.mailbox_id IS NULL AND a.reject_code IS NULL
        AND NOT EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id)""",
)

# Triggers, so that a change by any hand (of these columns, where some are named) raises the generation that caches are
# bound to.
_WATCHED = {
    "domains": "",
    "mailboxes": "",
    "logins": "",
    "credentials": " OF login_id, kind, scope, label, stored",
    "addresses": "",
    "alias_targets": "",
    "submission_caps": "",
}


def connect(path: str, create: bool = False, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Return a connection that may change the accounts in *path*; with *create*, make the file if there is none.

    A change waits up to *wait* seconds for its turn.

    Raises `NoAccounts`, `OlderSchema`, `NewerSchema` or `AccountsBusy`.
    """
    if create:
        _touch(path)
    connection = _open(path, wait)
    try:
        with trouble(path):
            if create:
                _create(connection)
            _check_version(connection, path)
            _configure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_lookups(path: str) -> sqlite3.Connection:
    """Return a connection that cannot change anything. Raises as `connect`."""
    connection = _open(path, LOOKUP_WAIT_SECONDS)
    try:
        with trouble(path):
            _check_version(connection, path)
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def trouble(path: str) -> Iterator[None]:
    """Turn SQLite's complaints about the file into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise AccountsBusy(f"{path} is in use by another command; try again when it is done") from error
        raise NoAccounts(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise NoAccounts(f"{path} cannot be used as an accounts file: {error}") from error


def _touch(path: str) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise NoAccounts(f"{path} cannot be made: {error.strerror}") from error


def _open(path: str, wait: float) -> sqlite3.Connection:
    if not os.path.exists(path):
        raise NoAccounts(f"there is no accounts file {path}; mailsuite init makes it with a new site")
    with trouble(path):
        return sqlite3.connect(path, timeout=wait, isolation_level=None)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _check_version(connection: sqlite3.Connection, path: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise NoAccounts(f"{path} is not an accounts file of mailsuite; look at [directory] path in the configuration")
    version = version_of(connection)
    if version in upgrades.STEPS:
        raise OlderSchema(
            f"{path} has schema version {version}, and this mailsuite needs version {VERSION}:"
            " stop the server, then: mailsuite db upgrade"
        )
    if version != VERSION:
        raise NewerSchema(
            f"{path} has schema version {version}, this mailsuite knows version {VERSION};"
            f" use the mailsuite that wrote it, or with that one: mailsuite db downgrade accounts --to {VERSION}"
        )


def make_derived(connection: sqlite3.Connection) -> None:
    """Make the views and triggers, which hold nothing; there are none. Within the caller's transaction."""
    for view in _VIEWS:
        connection.execute(view)
    for table, columns in _WATCHED.items():
        for change in ("INSERT", f"UPDATE{columns}", "DELETE"):
            name = f"{table}_{change.split()[0].lower()}"
            connection.execute(
                f"CREATE TRIGGER {name} AFTER {change} ON {table} BEGIN "  # noqa: S608 (our names)
                "UPDATE meta SET value = value + 1 WHERE name = 'generation'; END"
            )


def _create(connection: sqlite3.Connection) -> None:
    """Fill an empty file; leave every other one as it is."""
    with transaction(connection):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            return
        for statement in _TABLES:
            connection.execute(statement)
        make_derived(connection)
        connection.execute("INSERT INTO meta VALUES ('generation', 0)")
        # The root of all made-up salts and keyed hashes of this site; drawn once.
        connection.execute("INSERT INTO meta VALUES ('site_secret', ?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
