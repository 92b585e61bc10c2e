"""Importing many users and aliases: passwords are hashed on all cores, some hundreds of rows share a commit."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeAlias

from mailsuite.directory.aliases import Aliases
from mailsuite.directory.errors import AccountsError, LeadsNowhere
from mailsuite.directory.passwords import UnfitPassword
from mailsuite.directory.rows import Imported, ImportOutcome, Rejected
from mailsuite.directory.secrets import Kept
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.sql import Connection, transaction, undone_alone
from mailsuite.directory.users import Users, insert_user, refuse_taken

# So many rows share one commit; the write lock is held only while they are written, not while they are hashed.
ROWS_PER_COMMIT = 500

Row: TypeAlias = tuple[str, str]
# What is kept of a login's password (`mailsuite.directory.secrets.keeping`).
Keep: TypeAlias = Callable[[str, str], Kept]
# That, or why there is none.
_Hashed: TypeAlias = Kept | Rejected


def import_users(
    connection: Connection,
    rows: Iterable[Row],
    keep: Keep,
    hashed: Callable[[], object],
) -> Iterator[ImportOutcome]:
    """Make a user of each row, an address and a password; yield what became of it, when it is durable.

    A row that cannot be used is left out and does not harm the others. *hashed* is called after each row that was
    looked at. *keep* may raise `UnfitPassword`.
    """
    numbered = enumerate(rows)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:  # argon2 lets other threads run
        while batch := list(islice(numbered, ROWS_PER_COMMIT)):
            ready: list[_Hashed] = []
            for result in threads.map(lambda row: _hash(row, keep), _judged(connection, batch)):
                ready.append(result)
                hashed()
            yield from _store(connection, batch, ready)


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
    connection: Connection, batch: Sequence[tuple[int, Row]]
) -> list[tuple[int, str, str] | Rejected]:
    """Spare the rows that cannot be used the work of hashing: so an import can be run again."""
    judged: list[tuple[int, str, str] | Rejected] = []
    for index, (address, password) in batch:
        try:
            parsed = parse_address(address)
            refuse_taken(connection, parsed)
            judged.append((index, str(parsed), password))
        except AccountsError as error:
            judged.append(Rejected(index, str(error)))
    return judged


def _hash(row: tuple[int, str, str] | Rejected, keep: Keep) -> _Hashed:
    if isinstance(row, Rejected):
        return row
    try:
        return keep(row[1], row[2])
    except UnfitPassword as error:
        return Rejected(row[0], str(error))


def _store(
    connection: Connection, batch: Sequence[tuple[int, Row]], ready: Sequence[_Hashed]
) -> list[ImportOutcome]:
    outcomes: list[ImportOutcome] = []
    users = Users(connection)
    with transaction(connection):
        for (index, (address, _)), stored in zip(batch, ready, strict=True):
            if isinstance(stored, Rejected):
                outcomes.append(stored)
                continue
            try:
                # The checks come before the first write, so that a refusal leaves nothing behind.
                insert_user(connection, parse_address(address), stored.hashed or None, stored.secrets)
                outcomes.append(Imported(index, users.show(address)))
            except AccountsError as error:
                outcomes.append(Rejected(index, str(error)))
    return outcomes
