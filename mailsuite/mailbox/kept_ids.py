"""Unique ids where a name alone does not give one: two files that share a base name (RFC 1939 §7).

A small file in the mailbox keeps which file (by inode) has which id, so that an id stays with its file when the
other one is removed. It may be deleted at any time: ids of such files are then given anew, all others stay.
"""

import os
from collections.abc import Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mailsuite.mailbox.names import hashed, is_fit

FILE_NAME = b"mailsuite-unique-ids"
_FORMAT = b"mailsuite unique ids 1\n"


def plain_id(base: bytes) -> str:
    """Return the unique id of the only file whose base name is *base*."""
    return base.decode("ascii") if is_fit(base) else hashed(base)


class KeptIds:
    """The ids kept in one mailbox: base name to inode to id."""

    def __init__(self, root: bytes) -> None:
        self._path = root + b"/" + FILE_NAME
        self._root = root
        self._kept = _read(self._path)
        self._changed = False

    def __contains__(self, base: bytes) -> bool:
        """Whether files with this base name have ids of their own."""
        return base in self._kept

    def assign(self, base: bytes, inodes: Sequence[int]) -> list[str]:
        """Return one id for each of *inodes*, all the files whose base name is *base*."""
        kept = self._kept.get(base, {})
        if not any(inode in kept for inode in inodes):
            # None of these files was ever seen, after a restored backup for example.
            kept = {}
        if len(inodes) == 1 and not kept:
            return [plain_id(base)]
        given = dict(kept)
        for inode in sorted(inodes):
            if inode not in given:
                given[inode] = hashed(b"%b\0%d" % (base, inode)) if given else plain_id(base)
        if given != self._kept.get(base):
            self._kept[base] = given
            self._changed = True
        return [given[inode] for inode in inodes]

    def save(self) -> None:
        """Write what was newly assigned."""
        if not self._changed:
            return
        rows = [
            f"{inode} {unique_id} {quote_from_bytes(base)}\n".encode("ascii")
            for base, ids in self._kept.items()
            for inode, unique_id in ids.items()
        ]
        try:
            _write(self._path, self._root, _FORMAT + b"".join(rows))
        except OSError:
            # On a full disk people must be able to log in and delete. The same ids are assigned next time, as long
            # as all of the files are there.
            return
        self._changed = False


def _read(path: bytes) -> dict[bytes, dict[int, str]]:
    kept: dict[bytes, dict[int, str]] = {}
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return kept
    with os.fdopen(fd, "rb") as file:
        if file.readline() != _FORMAT:
            return kept
        for row in file:
            fields = row.split()
            if len(fields) == 3 and fields[0].isdigit() and is_fit(fields[1]):
                kept.setdefault(unquote_to_bytes(fields[2]), {})[int(fields[0])] = fields[1].decode("ascii")
    return kept


def _write(path: bytes, folder: bytes, data: bytes) -> None:
    """Replace the file at *path*, durably."""
    written = path + b".tmp"
    fd = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    os.rename(written, path)
    sync_folder(folder)


def sync_folder(path: bytes) -> None:
    """Make the names in the folder *path* durable. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
