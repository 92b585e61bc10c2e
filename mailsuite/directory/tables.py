"""The accounts' tables and views, once for SQLite and PostgreSQL: what each says otherwise is its `Dialect`.

Keys (``name``, ``local``, ``domain``) are in the form of `mailsuite.directory.spelling`. Numbers of logins and
mailboxes are never used again, so that what others keep by number cannot fall to a stranger. Times are POSIX seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Each table behind those that it refers to, and of which columns a change, by any hand, raises the generation that
# caches are bound to: of all, where none is named.
WATCHED: Mapping[str, str] = {
    "domains": "",
    "mailboxes": "",
    "logins": "",
    "credentials": " OF login_id, kind, scope, label, stored",
    "addresses": "",
    "alias_targets": "",
    "submission_caps": "",
}
# Whose numbers are never used again.
NUMBERED = ("mailboxes", "logins", "credentials", "addresses")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a database calls things.

    *id* is a number that it draws itself, *unused_id* one that it never draws again; *key* is text that is compared
    and sorted octet by octet, *number* a whole number of 64 bits. *clustered* ends a table whose rows lie in the order
    of its primary key. *base* is what stands before the first plus sign of a column, NULL without one; *fits* is
    whether a text, by its column, fits the wildcard in ``a.local``, in which an asterisk stands for any characters.
    """

    id: str
    unused_id: str
    key: str
    number: str
    clustered: str
    base: Callable[[str], str]
    fits: Callable[[str], str]


def tables(said: Dialect) -> Sequence[str]:
    """Return the statements that make the tables with accounts and their indexes, as *said*."""
    unused_id, key, number = said.unused_id, said.key, said.number
    return (
        # `alias_of`: what this domain has no address for is looked up in that one. `senders`: who may send from its
        # addresses (`rows.SENDERS`). `quota_*`: what all its mailboxes hold together, `mailbox_*`: each that has no
        # quota of its own; NULL is the site's default, and 0 no limit.
        f"""CREATE TABLE domains (
            id {said.id},
            name {key} NOT NULL UNIQUE,
            class TEXT NOT NULL DEFAULT 'local',
            catch_all_local {key},
            catch_all_domain {key},
            alias_of {number} REFERENCES domains (id),
            senders TEXT NOT NULL DEFAULT 'reached',
            quota_octets {number},
            quota_messages {number},
            mailbox_octets {number},
            mailbox_messages {number})""",
        "CREATE INDEX domains_of_alias ON domains (alias_of) WHERE alias_of IS NOT NULL",
        # `quota_*`: NULL is the default of the domain, and 0 no limit.
        f"""CREATE TABLE mailboxes (
            id {unused_id},
            path {key} NOT NULL UNIQUE,
            quota_octets {number},
            quota_messages {number})""",
        # `suspended`: no login, and mail is refused. `frozen`: no login, and mail is kept. `must_change`: only a new
        # password can be set with the old one.
        f"""CREATE TABLE logins (
            id {unused_id},
            name {key} NOT NULL UNIQUE,
            mailbox_id {number} REFERENCES mailboxes (id) ON DELETE SET NULL,
            suspended INTEGER NOT NULL DEFAULT 0,
            frozen INTEGER NOT NULL DEFAULT 0,
            must_change INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX logins_of_mailbox ON logins (mailbox_id)",
        # `last_used`: when it was last proved; a change of it alone raises no generation.
        f"""CREATE TABLE credentials (
            id {unused_id},
            login_id {number} NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
            kind {key} NOT NULL,
            scope TEXT NOT NULL DEFAULT '',
            label {key} NOT NULL DEFAULT '',
            stored TEXT NOT NULL,
            last_used {number},
            UNIQUE (login_id, kind, label))""",
        # `wildcard`: each asterisk in `local` stands for any characters. `reject_*`: the reply to mail for it, from
        # `reject_from` on (NULL: always); until then mail goes to its mailbox or targets: so somebody leaves.
        f"""CREATE TABLE addresses (
            id {unused_id},
            domain_id {number} NOT NULL REFERENCES domains (id),
            local {key} NOT NULL,
            mailbox_id {number} REFERENCES mailboxes (id) ON DELETE CASCADE,
            wildcard INTEGER NOT NULL DEFAULT 0,
            reject_code INTEGER,
            reject_status TEXT,
            reject_text TEXT,
            reject_from {number},
            UNIQUE (domain_id, local))""",
        "CREATE INDEX addresses_of_mailbox ON addresses (mailbox_id)",
        "CREATE INDEX wildcards ON addresses (domain_id) WHERE wildcard = 1",
        # An address that is among its own targets keeps a copy in its mailbox.
        f"""CREATE TABLE alias_targets (
            address_id {number} NOT NULL REFERENCES addresses (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            local {key} NOT NULL,
            domain {key} NOT NULL,
            PRIMARY KEY (address_id, position),
            UNIQUE (address_id, local, domain)){said.clustered}""",
        "CREATE INDEX alias_targets_by_domain ON alias_targets (domain, local)",
        # Of a login, or of all logins of a domain together: at most so many `counted` ('messages', or 'recipients'
        # that are new and distinct) in so many seconds.
        f"""CREATE TABLE submission_caps (
            login_id {number} REFERENCES logins (id) ON DELETE CASCADE,
            domain_id {number} REFERENCES domains (id) ON DELETE CASCADE,
            counted TEXT NOT NULL,
            seconds {number} NOT NULL,
            most {number} NOT NULL,
            UNIQUE (login_id, counted, seconds),
            UNIQUE (domain_id, counted, seconds))""",
    )


def views(said: Dialect) -> Sequence[str]:
    """Return the statements that make the views, as *said*: what leads nowhere, which no command may leave behind."""
    return (
        f"""CREATE VIEW lost_targets AS SELECT address_id, position, domain FROM alias_targets t
        WHERE {_lost(said, "t.local", "t.domain")}""",  # noqa: S608 (our own words)
        f"""CREATE VIEW lost_catch_alls AS SELECT id, name, catch_all_domain AS domain FROM domains o
        WHERE catch_all_domain IS NOT NULL AND {_lost(said, "o.catch_all_local", "o.catch_all_domain")}""",  # noqa: S608
        """CREATE VIEW empty_aliases AS SELECT a.id, d.name AS domain
        FROM addresses a JOIN domains d ON d.id = a.domain_id WHERE a.mailbox_id IS NULL AND a.reject_code IS NULL
        AND NOT EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id)""",
    )


# A domain with its addresses, and those of the one that it is an alias of.
_PLACES = "domains d JOIN addresses a ON a.domain_id IN (d.id, d.alias_of)"


def _lost(said: Dialect, local: str, domain: str) -> str:
    """Return the condition that mail for a *local* part of a *domain* (both columns) leads to no address.

    By its own name, as the base of a plus-address, by a wildcard; in the domain, or in the one that it is an alias of:
    as `mailsuite.directory.resolve` has it.
    """
    leads = f"EXISTS (SELECT 1 FROM {_PLACES} WHERE d.name = {domain} AND"  # noqa: S608 (our own words)
    base = said.base(local)
    return (
        f"NOT {leads} a.local IN ({local}, {base})) AND NOT {leads} a.wildcard = 1"
        f" AND ({said.fits(local)} OR {said.fits(base)}))"
    )
