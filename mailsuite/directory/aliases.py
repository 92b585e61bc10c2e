"""Aliases: an address of a local domain whose mail goes to others, here or elsewhere."""

from collections.abc import Iterable, Iterator, Sequence

from mailsuite.address import Address
from mailsuite.directory.errors import LeadsNowhere, NoSuch
from mailsuite.directory.references import (
    dangling,
    domain_id,
    inhabited_id,
    prune,
    refuse_broken,
    refuse_dangling,
    refuse_lost,
)
from mailsuite.directory.resolve import Resolver
from mailsuite.directory.rows import LOCAL, Alias
from mailsuite.directory.spelling import parse_address, parse_domain, parse_written
from mailsuite.directory.sql import Connection, transaction
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.maybe import at_once

_FIND = """
    SELECT a.id, a.mailbox_id FROM addresses a JOIN domains d ON d.id = a.domain_id WHERE d.name = ? AND a.local = ?"""
_ALL = """
    SELECT a.local, d.name, t.local, t.domain FROM alias_targets t
    JOIN addresses a ON a.id = t.address_id JOIN domains d ON d.id = a.domain_id"""
_ORDER = " ORDER BY d.name, a.local, t.position"
_APPEND = """
    INSERT INTO alias_targets (address_id, position, local, domain)
    SELECT ?, coalesce(max(position), 0) + 1, ?, ? FROM alias_targets WHERE address_id = ? ON CONFLICT DO NOTHING"""


class Aliases:
    """Adds and removes aliases and their targets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, address: str, targets: Sequence[str]) -> Alias:
        """Let mail for *address* go to *targets* too, after those that it has already.

        A user's own address may become an alias if it is among its targets: so the user keeps a copy. Raises
        `NoSuch`, `WrongClass` for an address of a domain that is not local, `BadName`, or `LeadsNowhere` for a
        target that should be here and is not, or that only leads back.
        """
        parsed = parse_address(address)
        with transaction(self._connection):
            number = self._make(parsed)
            for text in targets:
                target = self._target(parsed, text)
                self._connection.execute(_APPEND, (number, target.local, target.domain, number))
            self._refuse_bypass(parsed)
            refuse_broken(self._connection, parsed)
        return self.show(address)

    def show(self, address: str) -> Alias:
        """Return the alias *address*. Raises `NoSuch`."""
        parsed = parse_address(address)
        rows = self._connection.execute(
            f"{_ALL} WHERE d.name = ? AND a.local = ? {_ORDER}", (parsed.domain, parsed.local)
        ).fetchall()
        if not rows:
            raise NoSuch(f"no alias {parsed} here; see: mailsuite alias list")
        return Alias(str(parsed), tuple(str(Address(*row[2:])) for row in rows))

    def list(self, domain: str | None = None) -> Iterator[Alias]:
        """Yield every alias, or those of *domain*, by domain and name."""
        if domain is None:
            return _grouped(self._connection.execute(_ALL + _ORDER))
        name = parse_domain(domain)
        domain_id(self._connection, name)
        return _grouped(self._connection.execute(f"{_ALL} WHERE d.name = ? {_ORDER}", (name,)))

    def leading_to(self, address: str) -> tuple[str, ...]:
        """Return the aliases that name *address* itself among their targets."""
        parsed = parse_address(address)
        rows = self._connection.execute(
            f"{_ALL} WHERE t.domain = ? AND t.local = ? {_ORDER}", (parsed.domain, parsed.local)
        )
        return tuple(str(Address(local, domain)) for local, domain, _, _ in rows)

    def remove(self, address: str, targets: Sequence[str] = (), force: bool = False) -> Alias | None:
        """Remove *targets* from the alias, or, where none are named, the whole alias; return what is left of it.

        Raises `NoSuch`, `LeadsNowhere` where nothing would be left but a loop, and `StillNeeded` where another
        alias or a catch-all leads here; with *force* these lose that target.
        """
        alias, parsed = self.show(address), parse_address(address)
        unwanted = dict.fromkeys(_chosen(alias, text) for text in targets or alias.targets)
        with transaction(self._connection):
            before = dangling(self._connection, parsed.domain)
            for target in unwanted:
                self._drop(parsed, target)
            self._connection.execute(
                "DELETE FROM addresses WHERE id = ? AND id IN (SELECT id FROM empty_aliases)", (self._row(parsed)[0],)
            )
            if force:
                prune(self._connection, parsed.domain)
            else:
                refuse_dangling(self._connection, parsed.domain, before, alias.name)
            if set(map(str, unwanted)) == set(alias.targets):
                return None
            self._refuse_bypass(parsed)
            refuse_broken(self._connection, parsed)
        return self.show(alias.name)

    def _target(self, alias: Address, text: str) -> Address:
        """Return the target that *text* names, as it is kept: that of another system in its own spelling."""
        target, written = parse_address(text), parse_written(text)
        if at_once(Resolver(SqlRecords(lambda: self._connection)).is_remote(target)):
            return written
        if target != alias:
            refuse_lost(self._connection, target, f"the alias {alias}")
        return target

    def _drop(self, address: Address, target: Address) -> None:
        self._connection.execute(
            "DELETE FROM alias_targets WHERE address_id = ? AND local = ? AND domain = ?",
            (self._row(address)[0], target.local, target.domain),
        )

    def _make(self, address: Address) -> int:
        """Return the number of *address*'s row, made where there is none."""
        place = inhabited_id(self._connection, address.domain, "aliases", LOCAL)
        self._connection.execute(
            "INSERT INTO addresses (domain_id, local) VALUES (?, ?) ON CONFLICT DO NOTHING", (place, address.local)
        )
        return self._row(address)[0]

    def _row(self, address: Address) -> tuple[int, int | None]:
        row: tuple[int, int | None] = self._connection.execute(_FIND, (address.domain, address.local)).fetchone()
        return row

    def _refuse_bypass(self, address: Address) -> None:
        """Refuse an alias that would silently take a user's mail away from its mailbox."""
        _, box = self._row(address)
        if box is None or str(address) in self.show(str(address)).targets:
            return
        raise LeadsNowhere(
            f"{address} is a user, whose mailbox would get no more mail; name it among its targets to keep a copy:"
            f" mailsuite alias add {address} {address} OTHERS"
        )


def _chosen(alias: Alias, text: str) -> Address:
    """Return the target of *alias* that *text* names: in the same spelling, else in another one. Raises `NoSuch`."""
    kept = [parse_written(target) for target in alias.targets]
    written = parse_written(text)
    found = [target for target in kept if target == written] or [
        target for target in kept if target.key == written.key
    ]
    if not found:
        raise NoSuch(f"{written} is not a target of {alias.name}; its targets: {', '.join(alias.targets)}")
    return found[0]


def _grouped(rows: Iterable[tuple[str, str, str, str]]) -> Iterator[Alias]:
    name, targets = "", list[str]()
    for local, domain, target_local, target_domain in rows:
        found = str(Address(local, domain))
        if found != name:
            if targets:
                yield Alias(name, tuple(targets))
            name, targets = found, []
        targets.append(str(Address(target_local, target_domain)))
    if targets:
        yield Alias(name, tuple(targets))
