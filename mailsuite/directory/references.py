"""What accounts point at each other: targets of aliases and catch-alls, and those that would lead nowhere."""

from collections.abc import Iterable

from mailsuite.address import Address, local_key
from mailsuite.directory.errors import LeadsNowhere, NoSuch, StillNeeded, WrongClass
from mailsuite.directory.expansion import DEPTH, Expansion
from mailsuite.directory.resolve import Resolver
from mailsuite.directory.rows import LOCAL, DomainClass
from mailsuite.directory.sql import Connection
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.maybe import at_once
from mailsuite.meaning import Broken, Meaning

# Those that lead to an alias in so many steps; a few of them show whether one is too deep.
_ABOVE = """
    WITH RECURSIVE above (local, domain, level) AS (
        SELECT a.local, d.name, 1 FROM alias_targets t
        JOIN addresses a ON a.id = t.address_id JOIN domains d ON d.id = a.domain_id
        WHERE t.local = ? AND t.domain = ? AND NOT (a.local = t.local AND d.name = t.domain)
        UNION
        SELECT a.local, d.name, above.level + 1 FROM above
        JOIN alias_targets t ON t.local = above.local AND t.domain = above.domain
        JOIN addresses a ON a.id = t.address_id JOIN domains d ON d.id = a.domain_id
        WHERE above.level < ? AND NOT (a.local = t.local AND d.name = t.domain)
    ) SELECT local, domain FROM above WHERE level = ? ORDER BY domain, local LIMIT 20"""

_NAMED = "SELECT a.local, d.name FROM addresses a JOIN domains d ON d.id = a.domain_id WHERE a.id = ?"
_LEADING = """
    SELECT o.local, d.name FROM alias_targets t
    JOIN addresses o ON o.id = t.address_id JOIN domains d ON d.id = o.domain_id
    WHERE t.domain = ? AND t.local = ? ORDER BY d.name, o.local"""
_EMPTY = """
    DELETE FROM alias_targets WHERE address_id IN
        (SELECT a.id FROM addresses a JOIN domains d ON d.id = a.domain_id WHERE d.name = ? AND a.local = ?)"""


def domain_id(connection: Connection, name: str) -> int:
    """Return the number of the domain *name* (key form). Raises `NoSuch`."""
    return _domain(connection, name)[0]


def inhabited_id(connection: Connection, name: str, what: str, *classes: DomainClass) -> int:
    """Return the number of the domain *name*, in which there shall be *what*. Raises `NoSuch`, or `WrongClass` where
    it is not of one of *classes*."""
    number, domain_class = _domain(connection, name)
    if domain_class not in classes:
        raise WrongClass(
            f"{name} is a domain of class {domain_class}, which has no {what} here;"
            f" to change that: mailsuite domain set {name} --class local"
        )
    return number


def is_elsewhere(connection: Connection, name: str) -> bool:
    """Say whether *name* is a domain of ours whose mail does not end here."""
    row = connection.execute("SELECT class FROM domains WHERE name = ?", (name,)).fetchone()
    return row is not None and row[0] != LOCAL


def refuse_lost(connection: Connection, address: Address, what: str) -> None:
    """Raise `LeadsNowhere` where *address*, the target of *what*, leads to no mailbox or alias of ours."""
    resolver = Resolver(SqlRecords(lambda: connection))
    if at_once(resolver.listed(address)) is not None:
        return
    if at_once(resolver.is_remote(address)):
        raise LeadsNowhere(
            f"{what} can only lead to a user or an alias here, and {address.domain} is not one of the local domains;"
            " an alias may lead elsewhere"
        )
    raise LeadsNowhere(f"no user or alias {address} here; add it first with: mailsuite user add {address}")


def refuse_broken(connection: Connection, address: Address) -> int:
    """Raise `LeadsNowhere` where *address* is an alias that reaches nobody or grew past a limit; else return how deep
    aliases are nested below it."""
    meaning, deepest = _followed(connection, address)
    if isinstance(meaning, Broken):
        raise LeadsNowhere(f"{address} would lead to no mailbox: {meaning.reason}")
    return deepest


def refuse_too_deep(connection: Connection, address: Address, below: int) -> None:
    """Raise `LeadsNowhere` where an alias that leads to the alias *address* by its name is nested too deeply by it.

    *below* is what `refuse_broken` has returned. Only where the chain above may be so long is it followed from there:
    a mailbox that keeps a copy may be counted twice.
    """
    level = DEPTH - below
    for row in connection.execute(_ABOVE, (address.local, address.domain, level, level)).fetchall():
        other = Address(*row)
        meaning, _ = _followed(connection, other)
        if isinstance(meaning, Broken) and meaning.kind == "far":
            raise LeadsNowhere(f"{other}, which leads to {address}, would lead to no mailbox: {meaning.reason}")


def _followed(connection: Connection, address: Address) -> tuple[Meaning | None, int]:
    """Return what the alias *address* leads to, ``None`` where it is none, and how deep aliases are nested below."""
    resolver = Resolver(SqlRecords(lambda: connection))
    record = at_once(resolver.listed(address))
    expansion = Expansion(resolver.listed, resolver.is_remote, 0.0)
    return None if record is None else at_once(expansion.meaning(record)), expansion.deepest


def adopt_targets(connection: Connection, domain: str) -> None:
    """Let targets in *domain*, which is local from now on, be written in key form as ours are."""
    rows = connection.execute(
        "SELECT address_id, position, local FROM alias_targets WHERE domain = ?", (domain,)
    ).fetchall()
    for number, position, local in rows:
        if local != local_key(local):
            ours, key = (number, position), local_key(local)
            connection.execute(
                "UPDATE alias_targets SET local = ? WHERE address_id = ? AND position = ? AND NOT EXISTS"
                " (SELECT 1 FROM alias_targets WHERE address_id = ? AND domain = ? AND local = ?)",
                (key, *ours, number, domain, key),
            )
            # It was there in two spellings: one is enough.
            connection.execute(
                "DELETE FROM alias_targets WHERE address_id = ? AND position = ? AND local = ?", (*ours, local)
            )


def dangling(connection: Connection, domain: str, named: Address | None = None) -> frozenset[str]:
    """Return, in words, what points into *domain*, or into one that is its alias, and reaches nothing there; of what
    names the address *named*, what reaches nothing but itself, too.

    That is nothing while the domain is of another class than local: mail goes on to its addresses as they are.
    """
    words = set[str]()
    for name in _called(connection, domain):
        aliases = connection.execute(
            "SELECT o.local, d.name FROM addresses o JOIN domains d ON d.id = o.domain_id"
            " WHERE o.id IN (SELECT address_id FROM lost_targets WHERE domain = ?)",
            (name,),
        )
        words.update(f"the alias {Address(*row)}" for row in aliases.fetchall())
        catching = connection.execute("SELECT name FROM lost_catch_alls WHERE domain = ?", (name,))
        words.update(f"the catch-all of {other}" for (other,) in catching.fetchall())
    words.update(f"the alias {alias}" for alias in _naming(connection, named) if _is_loop(connection, alias))
    return frozenset(words)


def refuse_dangling(
    connection: Connection,
    domain: str,
    before: Iterable[str],
    removed: str,
    named: Address | None = None,
    forcible: bool = True,
) -> None:
    """Raise `StillNeeded` where a removal, of what is called *removed*, left more dangling than was *before*."""
    lost = sorted(dangling(connection, domain, named).difference(before))
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise StillNeeded(
            f"{removed} still gets mail through {', '.join(lost[:5])}{more}; change these first"
            + (", or use --force, which takes it out of them" if forcible else "")
        )


def prune(connection: Connection, domain: str, removed: Address | None = None) -> None:
    """Take out whatever points into *domain* and reaches nothing, then aliases that are left without a target, or with
    none but each other.

    What names the address *removed* may find another in its place, a wildcard say, and is looked at, too.
    """
    waiting = set(_called(connection, domain))
    doubtful = _naming(connection, removed)
    while waiting or doubtful:
        doubtful += _prune(connection, waiting)
        loops = [alias for alias in doubtful if _is_loop(connection, alias)]
        for alias in loops:
            connection.execute(_EMPTY, (alias.domain, alias.local))
        gone = _remove_empty(connection)
        waiting.update(name for alias in gone for name in _called(connection, alias.domain))
        doubtful = [other for alias in gone for other in _naming(connection, alias)]


def leading_to(connection: Connection, address: Address) -> list[Address]:
    """Return the aliases that name *address* itself among their targets, by domain and name."""
    rows = connection.execute(_LEADING, (address.domain, address.local)).fetchall()
    return [Address(*row) for row in rows]


def _naming(connection: Connection, address: Address | None) -> list[Address]:
    """Return the aliases that have *address* among their targets, by any of the names of its domain."""
    if address is None:
        return []
    found: list[Address] = []
    for name in _called(connection, address.domain):
        found += leading_to(connection, Address(address.local, name))
    return found


def _is_loop(connection: Connection, alias: Address) -> bool:
    meaning, _ = _followed(connection, alias)
    return isinstance(meaning, Broken) and meaning.kind == "loop"


def _prune(connection: Connection, waiting: set[str]) -> list[Address]:
    """Take out what points into the domains *waiting* and reaches nothing, and aliases that are empty, until none are
    left; return the aliases that have lost a target and have others, and those that name one that is gone."""
    shorter: dict[int, None] = {}
    doubtful: list[Address] = []
    while waiting:
        place = (waiting.pop(),)
        if is_elsewhere(connection, *place):
            continue
        lost = connection.execute("SELECT DISTINCT address_id FROM lost_targets WHERE domain = ?", place)
        shorter.update(dict.fromkeys(number for (number,) in lost.fetchall()))
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
        for alias in _remove_empty(connection):
            waiting.update(_called(connection, alias.domain))
            doubtful += _naming(connection, alias)
    named = (connection.execute(_NAMED, (number,)).fetchone() for number in shorter)
    return [*(Address(*row) for row in named if row is not None), *doubtful]


def _remove_empty(connection: Connection) -> list[Address]:
    """Remove aliases without a target, and return them."""
    rows = connection.execute(
        "SELECT a.local, e.domain FROM empty_aliases e JOIN addresses a ON a.id = e.id"
    ).fetchall()
    connection.execute("DELETE FROM addresses WHERE id IN (SELECT id FROM empty_aliases)")
    return [Address(*row) for row in rows]


def aliases_of(connection: Connection, domain: str) -> list[str]:
    """Return the domains that are aliases of *domain*."""
    rows = connection.execute(
        "SELECT a.name FROM domains a JOIN domains d ON d.id = a.alias_of WHERE d.name = ? ORDER BY a.name", (domain,)
    )
    return [name for (name,) in rows.fetchall()]


def _called(connection: Connection, domain: str) -> list[str]:
    """Return the names under which addresses of *domain* are reached: its own, and those of its aliases; none where
    its mail does not end here."""
    if is_elsewhere(connection, domain):
        return []
    return [domain, *aliases_of(connection, domain)]


def _domain(connection: Connection, name: str) -> tuple[int, str]:
    row = connection.execute("SELECT id, class FROM domains WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise NoSuch(f"no domain {name} here; add it with: mailsuite domain add {name}")
    return int(row[0]), str(row[1])
