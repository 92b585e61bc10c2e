"""What accounts point at each other: targets of aliases and catch-alls, and those that would lead nowhere."""

import sqlite3
from collections.abc import Iterable

from mailsuite.address import Address
from mailsuite.directory.errors import LeadsNowhere, NoSuch, StillNeeded
from mailsuite.directory.expansion import Expansion
from mailsuite.directory.records import Records
from mailsuite.directory.resolve import Resolver
from mailsuite.meaning import Broken, Foreign


def domain_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of the domain *name* (key form). Raises `NoSuch`."""
    row = connection.execute("SELECT id FROM domains WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise NoSuch(f"no domain {name} here; add it with: mailsuite domain add {name}")
    return int(row[0])


def refuse_lost(connection: sqlite3.Connection, address: Address, what: str) -> None:
    """Raise `LeadsNowhere` where *address*, the target of *what*, leads to no mailbox of ours."""
    resolver = Resolver(Records(lambda: connection))
    if resolver.listed(address) is not None:
        return
    if isinstance(resolver.owned(address), Foreign):
        raise LeadsNowhere(
            f"{what} can only lead to addresses of this system, and {address.domain} is not one of its domains"
        )
    raise LeadsNowhere(f"no user or alias {address} here; add it first with: mailsuite user add {address}")


def refuse_broken(connection: sqlite3.Connection, address: Address) -> None:
    """Raise `LeadsNowhere` where *address* is an alias that reaches no mailbox or grew past a limit."""
    look = Resolver(Records(lambda: connection)).listed
    record = look(address)
    meaning = None if record is None else Expansion(look).meaning(record)
    if isinstance(meaning, Broken):
        raise LeadsNowhere(f"{address} would lead to no mailbox: {meaning.reason}")


def dangling(connection: sqlite3.Connection, domain: str) -> frozenset[str]:
    """Return, in words, what points into *domain* and reaches nothing there."""
    aliases = connection.execute(
        "SELECT o.local, d.name FROM addresses o JOIN domains d ON d.id = o.domain_id"
        " WHERE o.id IN (SELECT address_id FROM lost_targets WHERE domain = ?)",
        (domain,),
    )
    words = {f"the alias {Address(*row)}" for row in aliases}
    catching = connection.execute("SELECT name FROM lost_catch_alls WHERE domain = ?", (domain,))
    words.update(f"the catch-all of {name}" for (name,) in catching)
    return frozenset(words)


def refuse_dangling(connection: sqlite3.Connection, domain: str, before: Iterable[str], removed: str) -> None:
    """Raise `StillNeeded` where a removal left more dangling in *domain* than there was *before*."""
    lost = sorted(dangling(connection, domain).difference(before))
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise StillNeeded(
            f"{removed} still gets mail through {', '.join(lost[:5])}{more};"
            " change these first, or use --force, which takes it out of them"
        )


def prune(connection: sqlite3.Connection, domain: str) -> None:
    """Take out whatever points into *domain* and reaches nothing, then aliases that are left without a target."""
    waiting = {domain}
    while waiting:
        place = (waiting.pop(),)
        connection.execute(
            "DELETE FROM alias_targets WHERE (address_id, position) IN"
            " (SELECT address_id, position FROM lost_targets WHERE domain = ?)",
            place,
        )
        connection.execute(
            "UPDATE domains SET catch_all_local = NULL, catch_all_domain = NULL"
            " WHERE id IN (SELECT id FROM lost_catch_alls WHERE domain = ?)",
            place,
        )
        waiting.update(name for (name,) in connection.execute("SELECT DISTINCT domain FROM empty_aliases").fetchall())
        connection.execute("DELETE FROM addresses WHERE id IN (SELECT id FROM empty_aliases)")
