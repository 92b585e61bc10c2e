"""Unique ids where a name alone does not give one: two files that share a base name (RFC 1939 §7).

A small file in the mailbox keeps which file has which id, so that an id stays with its file when the other one is
removed. A file is known by its inode and its time of modification, which no move and no flag changes; an inode alone
is soon given to another file. The map may be deleted at any time: ids of such files are then given anew, and all
others stay.
"""

from collections.abc import Sequence, Set
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mailsuite.durable import read_file, replace_file
from mailsuite.mailbox.layout import MOST_OCTETS
from mailsuite.mailbox.names import hashed, is_fit

FILE_NAME = b"mailsuite-unique-ids"
_FORMAT = b"mailsuite unique ids 1"


class FileKey(NamedTuple):
    """What tells one file in a mailbox from another, whatever its name is."""

    inode: int
    modified: int


class KeptIds:
    """The ids kept in one mailbox: base name to file to id."""

    def __init__(self, root: bytes) -> None:
        self._path = root + b"/" + FILE_NAME
        self._kept = _read(self._path)
        self._changed = False

    def __contains__(self, base: bytes) -> bool:
        """Whether files with this base name have ids of their own."""
        return base in self._kept

    @property
    def bases(self) -> Set[bytes]:
        """The base names of files that have ids of their own."""
        return self._kept.keys()

    def assign(self, base: bytes, plain_id: str, files: Sequence[FileKey]) -> list[str]:
        """Return one id for each of *files*, all the files whose base name is *base*; one alone has *plain_id*."""
        kept = self._kept.get(base, {})
        if not any(file in kept for file in files):
            # None of these files was ever seen, after a restored backup for example.
            kept = {}
        if len(files) == 1 and not kept:
            return [plain_id]
        given = dict(kept)
        for file in sorted(files):
            if file not in given:
                given[file] = hashed(b"%b\0%d\0%d" % (base, *file)) if given else plain_id
        if given != self._kept.get(base):
            self._kept[base] = given
            self._changed = True
        return [given[file] for file in files]

    def save(self) -> None:
        """Write what was newly assigned."""
        if not self._changed:
            return
        rows = [
            f"{file.inode} {file.modified} {unique_id} {quote_from_bytes(base)}\n".encode("ascii")
            for base, ids in self._kept.items()
            for file, unique_id in ids.items()
        ]
        try:
            replace_file(self._path, _FORMAT + b"\n" + b"".join(rows))
        except OSError:
            # On a full disk people must be able to log in and delete. The same ids are assigned next time, as long
            # as all of the files are there.
            return
        self._changed = False


def _read(path: bytes) -> dict[bytes, dict[FileKey, str]]:
    kept: dict[bytes, dict[FileKey, str]] = {}
    first, _, rows = read_file(path, MOST_OCTETS).partition(b"\n")
    if first != _FORMAT:
        return kept
    for row in rows.splitlines():
        fields = row.split()
        if len(fields) == 4 and fields[0].isdigit() and fields[1].isdigit() and is_fit(fields[2]):
            file_key = FileKey(int(fields[0]), int(fields[1]))
            kept.setdefault(unquote_to_bytes(fields[3]), {})[file_key] = fields[2].decode("ascii")
    return kept
