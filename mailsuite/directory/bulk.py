"""Importing many users and aliases: passwords are hashed on all cores, some hundreds of rows share a commit."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from mailsuite.address import Address
from mailsuite.database import transaction
from mailsuite.directory.aliases import Aliases
from mailsuite.directory.errors import AccountsError, LeadsNowhere
from mailsuite.directory.passwords import UnfitPassword
from mailsuite.directory.rows import Imported, ImportOutcome, Present, Rejected
from mailsuite.directory.secrets import Kept
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.sql import Connection, undone_alone
from mailsuite.directory.users import NewUser, free, insert_users, refuse_taken, users_among

# So many rows share one commit; the write lock is held only while they are written, not while they are hashed.
ROWS_PER_COMMIT = 500

Row: TypeAlias = tuple[str, str]
# What is kept of a login's password (`mailsuite.directory.secrets.keeping`).
Keep: TypeAlias = Callable[[str, str], Kept]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A row that can be used."""

    index: int
    address: Address
    password: str


# A row that needs nothing more: it is a user already, or cannot be one.
_Left: TypeAlias = Present | Rejected
# A row with what is kept of the password; or why there is none.
_Hashed: TypeAlias = tuple[_Wanted, Kept] | _Left


def import_users(
    connection: Connection,
    rows: Iterable[Row],
    keep: Keep,
    hashed: Callable[[], object],
) -> Iterator[ImportOutcome]:
    """Make a user of each row, an address and a password; yield what became of it, when it is durable.

    A row that cannot be used is left out and does not harm the others; so is one of a user who was there before, but
    for the second of two rows that name the same one. *hashed* is called after each row that was looked at. *keep* may
    raise `UnfitPassword`.
    """
    numbered = enumerate(rows)
    made: set[str] = set()
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:  # argon2 lets other threads run
        while batch := list(islice(numbered, ROWS_PER_COMMIT)):
            ready: list[_Hashed] = []
            for result in threads.map(lambda row: _hash(row, keep), _judged(connection, batch, made)):
                ready.append(result)
                hashed()
            stored = _store(connection, ready)
            made.update(outcome.user.name for outcome in stored if isinstance(outcome, Imported))
            yield from stored


def import_aliases(
    connection: Connection, rows: Sequence[tuple[str, Sequence[str]]], looked_at: Callable[[], object], stop: bool
) -> list[Rejected]:
    """Let mail for the address of each row go to its targets too; return what was left out.

    A row may lead to one behind it. With *stop* the first row that cannot be used is the last that is looked at.
    """
    aliases = Aliases(connection)
    waiting = list(enumerate(rows))
    rejected: dict[int, Rejected] = {}
    lost: dict[int, Rejected] = {}
    while waiting:
        before, left = len(waiting), iter(waiting)
        lost.clear()
        while batch := list(islice(left, ROWS_PER_COMMIT)):
            with transaction(connection):
                for index, (address, targets) in batch:
                    try:
                        with undone_alone(connection):
                            aliases.add_within(address, targets)
                        looked_at()
                    except LeadsNowhere as error:
                        # What it leads to may come.
                        lost[index] = Rejected(index, str(error))
                    except AccountsError as error:
                        rejected[index] = Rejected(index, str(error))
                    if stop and (lost or rejected):
                        break
            if stop and (lost or rejected):
                break
        waiting = [] if stop or len(lost) == before else [(index, rows[index]) for index in lost]
    return sorted((*rejected.values(), *lost.values()), key=lambda each: each.index)


def _judged(
    connection: Connection, batch: Sequence[tuple[int, Row]], made: Collection[str]
) -> list[_Wanted | _Left]:
    """Spare the rows that cannot be used, or were, the work of hashing: so an import can be run again. Who is of those
    *made* was not there before."""
    judged: list[_Wanted | Rejected] = []
    for index, (address, password) in batch:
        try:
            judged.append(_Wanted(index, parse_address(address), password))
        except AccountsError as error:
            judged.append(Rejected(index, str(error)))
    addresses = [each.address for each in judged if isinstance(each, _Wanted)]
    possible = free(connection, addresses)
    there = users_among(connection, [each for each in addresses if each not in possible])

    def found(row: _Wanted) -> _Wanted | _Left:
        user = there.get(str(row.address))
        if user is not None and user.name not in made:
            return Present(row.index, user)
        return row if row.address in possible else _refused(connection, row) or row

    return [each if isinstance(each, Rejected) else found(each) for each in judged]


def _hash(row: _Wanted | _Left, keep: Keep) -> _Hashed:
    if not isinstance(row, _Wanted):
        return row
    try:
        return row, keep(str(row.address), row.password)
    except UnfitPassword as error:
        return Rejected(row.index, str(error))


def _store(connection: Connection, ready: Sequence[_Hashed]) -> list[ImportOutcome]:
    """Make users of what is *ready*, and return what became of each, in their order."""
    outcomes: dict[int, ImportOutcome] = {each.index: each for each in ready if not isinstance(each, tuple)}
    wanted = [each for each in ready if isinstance(each, tuple)]
    with transaction(connection):
        # Whatever was so before may have changed while passwords were hashed.
        possible = free(connection, [row.address for row, _ in wanted])
        new: dict[Address, tuple[int, NewUser]] = {}
        for row, kept in wanted:
            if row.address in possible and row.address not in new:
                new[row.address] = row.index, NewUser(row.address, kept.hashed or None, kept.secrets)
        users = insert_users(connection, [user for _, user in new.values()])
        for (index, _), user in zip(new.values(), users, strict=True):
            outcomes[index] = Imported(index, user)
        for row, _ in wanted:
            if row.index not in outcomes:
                outcomes[row.index] = _refused(connection, row) or Rejected(row.index, "it cannot be added now")
    return [outcomes[index] for index in sorted(outcomes)]


def _refused(connection: Connection, row: _Wanted) -> Rejected | None:
    """Say why there can be no such user; ``None`` where there can, by now."""
    try:
        refuse_taken(connection, row.address)
    except AccountsError as error:
        return Rejected(row.index, str(error))
    return None
