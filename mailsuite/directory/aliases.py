"""Aliases: an address of a local domain whose mail goes to others, here or elsewhere, or is answered with a reply."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from mailsuite.address import ROLES, Address
from mailsuite.database import transaction
from mailsuite.directory.errors import LeadsNowhere, NoSuch, StillNeeded, TooMany
from mailsuite.directory.references import (
    dangling,
    domain_id,
    inhabited_id,
    leading_to,
    prune,
    refuse_broken,
    refuse_dangling,
    refuse_lost,
    refuse_too_deep,
)
from mailsuite.directory.replies import ChosenReply
from mailsuite.directory.resolve import Resolver
from mailsuite.directory.rows import LOCAL, Alias
from mailsuite.directory.spelling import parse_address, parse_domain, parse_written, place_of
from mailsuite.directory.sql import Connection
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.wildcards import ANY, ASTERISKS, WILDCARDS
from mailsuite.maybe import at_once

_FIND = """
    SELECT a.id, a.mailbox_id FROM addresses a JOIN domains d ON d.id = a.domain_id WHERE d.name = ? AND a.local = ?"""
_ALL = """
    SELECT a.local, d.name, a.wildcard, a.reject_code, a.reject_status, a.reject_text, a.reject_from, t.local, t.domain
    FROM addresses a JOIN domains d ON d.id = a.domain_id LEFT JOIN alias_targets t ON t.address_id = a.id
    WHERE (t.local IS NOT NULL OR a.reject_code IS NOT NULL)"""
_SET_REJECT = """
    UPDATE addresses SET reject_code = ?, reject_status = ?, reject_text = ?, reject_from = ? WHERE id = ?"""
_WILDCARDS = """
    SELECT count(*) FROM addresses a JOIN domains d ON d.id = a.domain_id WHERE d.name = ? AND a.wildcard = 1"""
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

        A user's own address may become an alias if it is among its targets: so the user keeps a copy. An asterisk in a
        new address makes it a wildcard. Raises `NoSuch`, `WrongClass` for an address of a domain that is not local,
        `BadName`, `TooMany`, or `LeadsNowhere` for a target that should be here and is not, or that only leads back,
        and where aliases would be nested too deeply.
        """
        with transaction(self._connection):
            self.add_within(address, targets)
        return self.show(address)

    def add_within(self, address: str, targets: Sequence[str]) -> None:
        """Do what `add` does, within the caller's transaction."""
        parsed = parse_address(address)
        self._append(parsed, targets)
        self._refuse_bypass(parsed)

    def reject(self, address: str, reply: ChosenReply, since: int | None = None) -> Alias:
        """Answer mail for *address* with *reply*, from *since* on (POSIX seconds; ``None``: from now on).

        Whatever it was before, it is again after `accept`; it need not have been anything. Raises `NoSuch`,
        `WrongClass`, `BadName`, `TooMany`, or `StillNeeded` for postmaster and abuse.
        """
        parsed = parse_address(address)
        _refuse_role(parsed)
        with transaction(self._connection):
            self._reject(parsed, reply, since)
        return self.show(address)

    def accept(self, address: str) -> Alias | None:
        """Answer mail for *address* with no reply of its own any more; return it as an alias, if it is one.

        Raises `NoSuch` where there is no such reply, and `LeadsNowhere` where the address would lead to nobody.
        """
        parsed = parse_address(address)
        with transaction(self._connection):
            alias = self.show(address)
            if not alias.reply:
                raise NoSuch(f"mail for {alias.name} is not answered with a reply of its own")
            before = dangling(self._connection, parsed.domain, parsed)
            self._connection.execute(_SET_REJECT, (None, None, None, None, self._row(parsed)[0]))
            self._drop_empty(parsed)
            refuse_broken(self._connection, parsed)
            refuse_dangling(self._connection, parsed.domain, before, alias.name, parsed, False)
        return self.show(alias.name) if alias.targets else None

    def leave(
        self, address: str, until: int, reply: ChosenReply, targets: Sequence[str] = (), keep: bool = True
    ) -> Alias:
        """Let mail for the user *address* go to *targets* too, until *until* (POSIX seconds), and then answer *reply*.

        Without *keep* the mailbox gets no more of it now, if there are targets. All of it is one change; raises what
        `add` and `reject` raise, or `NoSuch` where *address* is no user.
        """
        parsed = parse_address(address)
        _refuse_role(parsed)
        with transaction(self._connection):
            row = self._connection.execute(_FIND, (parsed.domain, parsed.local)).fetchone()
            if row is None or row[1] is None:
                raise NoSuch(f"no user {parsed} here; see: mailsuite user list {parsed.domain}")
            if targets:
                self._append(parsed, [address, *targets] if keep else targets)
            self._reject(parsed, reply, until)
        return self.show(address)

    def show(self, address: str) -> Alias:
        """Return the alias *address*. Raises `NoSuch`."""
        parsed = parse_address(address)
        rows = self._connection.execute(
            f"{_ALL} AND d.name = ? AND a.local = ? {_ORDER}", (parsed.domain, parsed.local)
        ).fetchall()
        found = next(_grouped(rows), None)
        if found is None:
            raise NoSuch(f"no alias {parsed} here; see: mailsuite alias list")
        return found

    def targets(self, address: str) -> tuple[str, ...]:
        """Return where mail for *address* goes; nothing where it is no alias."""
        try:
            return self.show(address).targets
        except NoSuch:
            return ()

    def list(self, domain: str | None = None, after: str = "") -> Iterator[Alias]:
        """Yield every alias, or those of *domain*, by domain and name; only those that come *after* that one."""
        behind = f"{_ALL} AND (d.name, a.local) > (?, ?)"
        if domain is None:
            return _grouped(self._connection.execute(behind + _ORDER, place_of(after)))
        name = parse_domain(domain)
        domain_id(self._connection, name)
        return _grouped(self._connection.execute(f"{behind} AND d.name = ? {_ORDER}", (*place_of(after), name)))

    def leading_to(self, address: str) -> tuple[str, ...]:
        """Return the aliases that name *address* itself among their targets."""
        return tuple(map(str, leading_to(self._connection, parse_address(address))))

    def remove(self, address: str, targets: Sequence[str] = (), force: bool = False) -> Alias | None:
        """Remove *targets* from the alias, or, where none are named, the whole alias; return what is left of it.

        Raises `NoSuch`, `LeadsNowhere` where nothing would be left but a loop, and `StillNeeded` where another
        alias or a catch-all leads here; with *force* these lose that target.
        """
        parsed = parse_address(address)
        with transaction(self._connection):
            alias = self.show(address)
            unwanted = dict.fromkeys(_chosen(alias, text) for text in targets or alias.targets)
            before = dangling(self._connection, parsed.domain, parsed)
            for target in unwanted:
                self._drop(parsed, target)
            self._drop_empty(parsed)
            if force:
                prune(self._connection, parsed.domain, parsed)
            else:
                refuse_dangling(self._connection, parsed.domain, before, alias.name, parsed)
            if set(map(str, unwanted)) == set(alias.targets):
                return self.show(alias.name) if alias.reply else None
            if force and self._connection.execute(_FIND, (parsed.domain, parsed.local)).fetchone() is None:
                # What was left of it led nowhere.
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

    def _append(self, address: Address, targets: Sequence[str]) -> None:
        number = self._make(address)
        for text in targets:
            target = self._target(address, text)
            self._connection.execute(_APPEND, (number, target.local, target.domain, number))
        refuse_too_deep(self._connection, address, refuse_broken(self._connection, address))

    def _reject(self, address: Address, reply: ChosenReply, since: int | None) -> None:
        place = (reply.code, reply.status, reply.text, since, self._make(address))
        self._connection.execute(_SET_REJECT, place)

    def _drop_empty(self, address: Address) -> None:
        self._connection.execute(
            "DELETE FROM addresses WHERE id = ? AND id IN (SELECT id FROM empty_aliases)", (self._row(address)[0],)
        )

    def _make(self, address: Address) -> int:
        """Return the number of *address*'s row, made where there is none."""
        place = inhabited_id(self._connection, address.domain, "aliases", LOCAL)
        known = self._connection.execute(_FIND, (address.domain, address.local)).fetchone()
        if known is not None:
            return int(known[0])
        wildcard = ANY in address.local
        if wildcard:
            self._refuse_costly(address)
        self._connection.execute(
            "INSERT INTO addresses (domain_id, local, wildcard) VALUES (?, ?, ?)",
            (place, address.local, int(wildcard)),
        )
        return self._row(address)[0]

    def _row(self, address: Address) -> tuple[int, int | None]:
        row: tuple[int, int | None] = self._connection.execute(_FIND, (address.domain, address.local)).fetchone()
        return row

    def _refuse_costly(self, address: Address) -> None:
        """Refuse a wildcard that would be one too many to look through."""
        if address.local.count(ANY) > ASTERISKS:
            raise TooMany(f"{address} has more than {ASTERISKS} asterisks, each of which stands for any characters")
        (count,) = self._connection.execute(_WILDCARDS, (address.domain,)).fetchone()
        if count >= WILDCARDS:
            raise TooMany(f"{address.domain} has {count} wildcard aliases, and there may be no more than {WILDCARDS}")

    def _refuse_bypass(self, address: Address) -> None:
        """Refuse an alias that would silently take a user's mail away from its mailbox."""
        _, box = self._row(address)
        if box is None or str(address) in self.show(str(address)).targets:
            return
        raise LeadsNowhere(
            f"{address} is a user, whose mailbox would get no more mail; name it among its targets to keep a copy:"
            f" mailsuite alias add {address} {address} OTHERS"
        )


def _refuse_role(address: Address) -> None:
    if address.local in ROLES:
        raise StillNeeded(f"mail for {address} is never refused (RFC 5321 §4.5.1, RFC 2142); let an alias take it")


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


def _grouped(rows: Iterable[tuple[Any, ...]]) -> Iterator[Alias]:
    """Yield the aliases of *rows*, which has those of one alias one after the other."""
    for key, found in groupby(rows, key=lambda row: row[:7]):
        local, domain, wildcard, code, status, text, since = key
        targets = tuple(str(Address(*row[7:])) for row in found if row[7] is not None)
        reply = "" if code is None else str(ChosenReply(code, status, text))
        yield Alias(str(Address(local, domain)), targets, bool(wildcard), reply, since or 0)
