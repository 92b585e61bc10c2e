"""An accounts file of an older version becomes one of today's, or one of today's an older one (`mailsuite db`).

Views and triggers hold nothing: each step takes all of them away, and who goes up makes today's when all steps are
done (`schema.make_derived`).
"""

import sqlite3
from collections.abc import Sequence

from mailsuite.schema_steps import Step, Steps, present, run

# Column by column, so that the way down is the way up read backwards.
_COLUMNS_2 = (
    ("domains", "alias_of INTEGER REFERENCES domains (id)"),
    ("domains", "senders TEXT NOT NULL DEFAULT 'reached'"),
    ("domains", "quota_octets INTEGER"),
    ("domains", "quota_messages INTEGER"),
    ("domains", "mailbox_octets INTEGER"),
    ("domains", "mailbox_messages INTEGER"),
    ("mailboxes", "quota_octets INTEGER"),
    ("mailboxes", "quota_messages INTEGER"),
    ("logins", "frozen INTEGER NOT NULL DEFAULT 0"),
    ("logins", "must_change INTEGER NOT NULL DEFAULT 0"),
    ("credentials", "last_used INTEGER"),
    ("addresses", "wildcard INTEGER NOT NULL DEFAULT 0"),
    ("addresses", "reject_code INTEGER"),
    ("addresses", "reject_status TEXT"),
    ("addresses", "reject_text TEXT"),
    ("addresses", "reject_from INTEGER"),
)
_CAPS_2 = """CREATE TABLE submission_caps (
        login_id INTEGER REFERENCES logins (id) ON DELETE CASCADE,
        domain_id INTEGER REFERENCES domains (id) ON DELETE CASCADE,
        counted TEXT NOT NULL,
        seconds INTEGER NOT NULL,
        most INTEGER NOT NULL,
        UNIQUE (login_id, counted, seconds),
        UNIQUE (domain_id, counted, seconds))"""
_NEW_IN_2 = (
    ("alias of a domain", "aliases of domains", "domains WHERE alias_of IS NOT NULL"),
    (
        "domain with a rule of its own for senders", "domains with a rule of their own for senders",
        "domains WHERE senders != 'reached'",
    ),
    (
        "quota of a domain", "quotas of domains",
        "domains WHERE coalesce(quota_octets, quota_messages, mailbox_octets, mailbox_messages) IS NOT NULL",
    ),
    (
        "quota of a mailbox", "quotas of mailboxes",
        "mailboxes WHERE quota_octets IS NOT NULL OR quota_messages IS NOT NULL",
    ),
    ("frozen login", "frozen logins", "logins WHERE frozen"),
    ("login that must change its password", "logins that must change their password", "logins WHERE must_change"),
    (
        "password of which is known when it was last used", "passwords of which is known when they were last used",
        "credentials WHERE last_used IS NOT NULL",
    ),
    ("wildcard alias", "wildcard aliases", "addresses WHERE wildcard"),
    (
        "address with a reply of its own", "addresses with a reply of their own",
        "addresses WHERE reject_code IS NOT NULL",
    ),
    ("cap of submission", "caps of submission", "submission_caps"),
)  # fmt: skip
_WATCHED_1 = ("domains", "mailboxes", "logins", "credentials", "addresses", "alias_targets")
_VIEWS_1 = (
    """CREATE VIEW lost_targets AS SELECT address_id, position, domain FROM alias_targets t WHERE NOT EXISTS (
        SELECT 1 FROM domains d JOIN addresses a ON a.domain_id = d.id
        WHERE d.name = t.domain AND a.local IN (
            t.local, CASE WHEN instr(t.local, '+') > 1 THEN substr(t.local, 1, instr(t.local, '+') - 1) END))""",
    """CREATE VIEW lost_catch_alls AS SELECT id, name, catch_all_domain AS domain FROM domains o
        WHERE catch_all_domain IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM domains d JOIN addresses a ON a.domain_id = d.id
        WHERE d.name = o.catch_all_domain AND a.local IN (o.catch_all_local,
            CASE WHEN instr(o.catch_all_local, '+') > 1
            THEN substr(o.catch_all_local, 1, instr(o.catch_all_local, '+') - 1) END))""",
    """CREATE VIEW empty_aliases AS SELECT a.id, d.name AS domain FROM addresses a JOIN domains d ON d.id = a.domain_id
        WHERE a.mailbox_id IS NULL AND NOT EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id)""",
)


def _hosting(connection: sqlite3.Connection) -> None:
    """From 1: domain aliases, wildcards, quotas, replies of an address, what freezes a login, caps of submission."""
    _drop_derived(connection)
    run(connection, *(f"ALTER TABLE {table} ADD COLUMN {column}" for table, column in _COLUMNS_2))
    run(
        connection,
        "CREATE INDEX domains_of_alias ON domains (alias_of) WHERE alias_of IS NOT NULL",
        "CREATE INDEX wildcards ON addresses (domain_id) WHERE wildcard = 1",
        _CAPS_2,
    )


def _no_hosting(connection: sqlite3.Connection) -> None:
    _drop_derived(connection)
    # What version 1 does not know must not become something else there: a wildcard would be a name, a reply nothing.
    run(
        connection,
        "DELETE FROM addresses WHERE wildcard"
        " OR mailbox_id IS NULL AND id NOT IN (SELECT address_id FROM alias_targets)",
        "DELETE FROM alias_targets WHERE address_id NOT IN (SELECT id FROM addresses)",
        "DROP TABLE submission_caps",
        "DROP INDEX wildcards",
        "DROP INDEX domains_of_alias",
    )
    for table, column in reversed(_COLUMNS_2):
        run(connection, f"ALTER TABLE {table} DROP COLUMN {column.split()[0]}")
    run(connection, *_VIEWS_1)
    for table in _WATCHED_1:
        for change in ("INSERT", "UPDATE", "DELETE"):
            run(
                connection,
                f"CREATE TRIGGER {table}_{change.lower()} AFTER {change} ON {table} BEGIN "  # noqa: S608 (our names)
                "UPDATE meta SET value = value + 1 WHERE name = 'generation'; END",
            )


def _lost_hosting(connection: sqlite3.Connection) -> Sequence[str]:
    return present(connection, _NEW_IN_2)


def _drop_derived(connection: sqlite3.Connection) -> None:
    found = connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchall()
    run(connection, *(f"DROP {kind} {name}" for kind, name in found))


STEPS: Steps = {1: Step(_hosting, _no_hosting, _lost_hosting)}
