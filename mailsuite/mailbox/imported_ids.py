"""Unique ids that another server gave to the messages of a mailbox, kept after they moved here (RFC 1939 §7).

A client that leaves mail on the server knows messages by these ids; with others it would fetch all of them again. A
small file in the mailbox keeps them by base name. ``mailsuite mailbox import-uidl`` writes it; a message that comes
later has an id of ours.
"""

from collections.abc import Mapping, Set
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mailsuite.mailbox.names import hashed, is_fit
from mailsuite.mailbox.replacing import read_file, replace_file

FILE_NAME = b"mailsuite-imported-ids"
_FORMAT = b"mailsuite imported ids 1\n"
# Some million messages. A larger file is not read.
MOST_OCTETS = 1 << 28


class Reused(Exception):
    """The same id was given to two messages; the text says which."""


class ImportedIds:
    """The imported ids of the mailbox *root*: base name to id."""

    def __init__(self, root: bytes) -> None:
        self._path = root + b"/" + FILE_NAME
        self._ids: dict[bytes, bytes] = {}
        first, _, rows = read_file(self._path, MOST_OCTETS).partition(b"\n")
        if first + b"\n" == _FORMAT:
            for row in rows.split(b"\n"):
                unique_id, _, base = row.partition(b" ")
                if base and is_fit(unique_id):
                    self._ids[unquote_to_bytes(base)] = unique_id
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
