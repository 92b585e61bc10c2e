"""Unique ids that another server gave to the messages of a mailbox, kept after they moved here (RFC 1939 §7).

A client that leaves mail on the server knows messages by these ids; with others it would fetch all of them again. A
small file in the mailbox keeps them by base name. ``mailsuite mailbox import-uidl`` writes it; a message that comes
later has an id of ours.
"""

import os
from collections.abc import Mapping, Set
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mailsuite.counted import counted
from mailsuite.durable import read_file, replace_file
from mailsuite.mailbox.layout import MOST_OCTETS
from mailsuite.mailbox.names import hashed, is_fit

FILE_NAME = b"mailsuite-imported-ids"
_FORMAT = b"mailsuite imported ids 1\n"


def damage(root: bytes) -> str:
    """Say what is wrong with the file in the mailbox *root*; empty where nothing is, or there is none."""
    path = root + b"/" + FILE_NAME
    if not os.path.lexists(path):
        return ""
    data = read_file(path, MOST_OCTETS)
    if not data.startswith(_FORMAT):
        return "it is no list of unique ids"
    rows = data.removeprefix(_FORMAT).split(b"\n")
    # The last one ends with the file.
    unfit = sum(_row(row) is None for row in rows[:-1]) + bool(rows[-1])
    return f"{counted(unfit, 'line')} cannot be read" if unfit else ""


def _row(row: bytes) -> tuple[bytes, bytes] | None:
    """Return base name and id; ``None`` where *row* is no such line."""
    unique_id, _, base = row.partition(b" ")
    return (unquote_to_bytes(base), unique_id) if base and is_fit(unique_id) else None


class Reused(Exception):
    """The same id was given to two messages; the text says which."""


class ImportedIds:
    """The imported ids of the mailbox *root*: base name to id."""

    def __init__(self, root: bytes) -> None:
        self._path = root + b"/" + FILE_NAME
        self._ids: dict[bytes, bytes] = {}
        first, _, rows = read_file(self._path, MOST_OCTETS).partition(b"\n")
        if first + b"\n" == _FORMAT:
            self._ids.update(filter(None, map(_row, rows.split(b"\n"))))
        self._taken = frozenset(self._ids.values())

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def bases(self) -> Set[bytes]:
        """The base names that cannot simply be the ids of their messages."""
        return self._ids.keys() | self._taken

    @property
    def ids(self) -> Mapping[bytes, bytes]:
        """The imported ids by base name."""
        return self._ids

    def unique_id(self, base: bytes) -> bytes:
        """Return the id of the message whose base name is *base*: imported, the base name itself, or a hash of it."""
        imported = self._ids.get(base)
        if imported is not None:
            return imported
        if is_fit(base) and base not in self._taken:
            return base
        return hashed(base).encode("ascii")

    def add(self, ids: Mapping[bytes, bytes]) -> None:
        """Keep *ids* too, by base name, durably. Raises `Reused`, and `OSError`."""
        merged = {**self._ids, **ids}
        owners: dict[bytes, bytes] = {}
        for base, unique_id in merged.items():
            other = owners.setdefault(unique_id, base)
            if other != base:
                raise Reused(f"{unique_id!r} would be the id of both {other!r} and {base!r}")
        rows = [b"%b %b\n" % (unique_id, quote_from_bytes(base).encode()) for base, unique_id in merged.items()]
        replace_file(self._path, _FORMAT + b"".join(rows))
        self._ids = merged
        self._taken = frozenset(owners)
