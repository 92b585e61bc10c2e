"""What foreign files have on the wire, measured once: a small index in each mailbox that has such files.

It is an index and nothing more: it can be deleted at any time, and a row that was not written to its end is left out.
A file is known by its base name, inode, size and time of modification, so that none is taken for another.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from os import stat_result
from typing import TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zlib import crc32

from mailsuite.durable import read_file
from mailsuite.mailbox.layout import MOST_OCTETS

FILE_NAME = b"mailsuite-sizes"
_FORMAT = b"mailsuite sizes 1"
# The file is written anew when it has more rows than twice what lies in the mailbox, and some.
SPARE_ROWS = 1000

_Key: TypeAlias = tuple[bytes, int]
_Row: TypeAlias = tuple[int, int, int]


class Measured:
    """The index of the mailbox *root*, read when it is first asked for."""

    def __init__(self, root: bytes) -> None:
        self._path = root + b"/" + FILE_NAME
        self._rows: dict[_Key, _Row] | None = None
        self._in_file = 0
        self._used: set[_Key] = set()
        self._new: list[_Key] = []

    def find(self, base: bytes, status: stat_result) -> int | None:
        """Return what the file has on the wire; ``None`` where that was not measured."""
        key = (base, status.st_ino)
        size, modified, octets = self._known().get(key, (-1, 0, 0))
        if size != status.st_size or modified != status.st_mtime_ns:
            return None
        self._used.add(key)
        return octets

    def add(self, base: bytes, status: stat_result, octets: int) -> None:
        """The file has *octets* on the wire."""
        key = (base, status.st_ino)
        self._known()[key] = (status.st_size, status.st_mtime_ns, octets)
        self._used.add(key)
        self._new.append(key)

    def save(self, all_used: bool = True) -> None:
        """Write what was added; it is no harm if that cannot be done.

        With *all_used* every message of the mailbox was asked for or added: what was not is gone, and may be left out.
        """
        if not self._new:
            return
        rows = self._known()
        grown = all_used and self._in_file + len(self._new) > 2 * len(self._used) + SPARE_ROWS
        anew = grown or not self._in_file
        keys = sorted(self._used) if anew else self._new
        # A row that was cut off ends where the next one begins.
        data = b"".join([b"\n" + _written(key, rows[key]) for key in keys]) + b"\n"
        with suppress(OSError):
            if anew:
                self._write(self._path + b".tmp", os.O_TRUNC, _FORMAT + data)
                os.rename(self._path + b".tmp", self._path)
            else:
                self._write(self._path, os.O_APPEND, data)

    def _known(self) -> dict[_Key, _Row]:
        if self._rows is None:
            self._rows = {}
            for key, row in _read(read_file(self._path, MOST_OCTETS)):
                self._rows[key] = row
                self._in_file += 1
        return self._rows

    def _write(self, path: bytes, how: int, data: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how, 0o600)
        with os.fdopen(fd, "wb", buffering=0) as file:
            file.write(data)


def _written(key: _Key, row: _Row) -> bytes:
    text = b"%d %d %d %d %b" % (key[1], *row, quote_from_bytes(key[0]).encode())
    return b"%08x %b" % (crc32(text), text)


def _read(data: bytes) -> Iterator[tuple[_Key, _Row]]:
    """Yield the rows of the index that are whole."""
    first, _, rows = data.partition(b"\n")
    if first != _FORMAT:
        return
    for line in rows.split(b"\n"):
        check, _, text = line.partition(b" ")
        fields = text.split(b" ")
        if len(fields) == 5 and check == b"%08x" % crc32(text):
            inode, size, modified, octets = map(int, fields[:4])
            yield (unquote_to_bytes(fields[4]), inode), (size, modified, octets)
