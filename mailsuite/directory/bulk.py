"""Importing many users: passwords are hashed on all cores, rows are committed some hundreds at a time."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeAlias

from mailsuite.directory.errors import AccountsError
from mailsuite.directory.passwords import UnfitPassword
from mailsuite.directory.rows import Imported, ImportOutcome, Rejected
from mailsuite.directory.secrets import Kept
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.sql import Connection, transaction
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
                insert_user(connection, parse_address(address), stored.hashed, stored.secrets)
                outcomes.append(Imported(index, users.show(address)))
            except AccountsError as error:
                outcomes.append(Rejected(index, str(error)))
    return outcomes
