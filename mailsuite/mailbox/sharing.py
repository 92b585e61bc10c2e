"""A mailbox that several logins share: what each of them has hidden, and when that removes a message.

The folder ``mailsuite-shared`` in a mailbox makes it a shared one. There each login has a file of the unique ids that
it has hidden, which only ever grows at its end, so that a crash loses nothing of it; and ``settings`` says after how
many days a message goes that all have hidden. A login counts from the moment when it has a file.
"""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from zlib import crc32

from mailsuite.durable import fsync_path, read_file, replace_file
from mailsuite.mailbox.layout import MOST_OCTETS
from mailsuite.mailbox.names import is_fit
from mailsuite.pathnames import file_name

FOLDER = b"mailsuite-shared"
_SETTINGS = b"settings"
_READER = b"reader-"
_DAYS = re.compile(rb"mailsuite shared 1\nexpire (never|\d{1,5})\n")
_DAY_SECONDS = 86_400
# What a login has hidden and that is gone since is forgotten when there are so many rows more than messages.
SPARE_ROWS = 1000


def is_shared(path: str) -> bool:
    """Say whether several logins share the mailbox at *path*."""
    return os.path.isdir(os.fsencode(path) + b"/" + FOLDER)


class Sharing:
    """What is kept of the shared mailbox at *path*. Everything blocks."""

    def __init__(self, path: str) -> None:
        self._folder = os.fsencode(path) + b"/" + FOLDER

    def begin(self, days: int | None, readers: Iterable[str]) -> None:
        """Let *readers* share the mailbox; a message goes *days* after all have hidden it, or never."""
        with suppress(FileExistsError):
            os.mkdir(self._folder, 0o700)
        replace_file(self._folder + b"/" + _SETTINGS, b"mailsuite shared 1\nexpire %b\n" % _said(days))
        for reader in readers:
            self.join(reader)
        fsync_path(os.fsdecode(os.path.dirname(self._folder)))

    def end(self) -> None:
        """Let the mailbox be one login's alone; nothing is hidden any more."""
        for entry in list(os.scandir(self._folder)):
            os.unlink(entry.path)
        os.rmdir(self._folder)

    @property
    def days(self) -> int | None:
        """After how many days a message goes that all have hidden; ``None``: never."""
        found = _DAYS.fullmatch(read_file(self._folder + b"/" + _SETTINGS, 100))
        return int(found[1]) if found is not None and found[1] != b"never" else None

    def join(self, reader: str) -> None:
        """Let *reader* be one of those who have to hide a message before it goes."""
        if not os.path.exists(self._file(reader)):
            self._append(reader, b"")

    def leave(self, reader: str) -> None:
        """Ask *reader* no more."""
        with suppress(FileNotFoundError):
            os.unlink(self._file(reader))

    def hidden(self, reader: str) -> dict[bytes, int]:
        """Return the unique ids that *reader* has hidden, and when (POSIX seconds)."""
        return _rows(read_file(self._file(reader), MOST_OCTETS))

    def hide(self, reader: str, unique_ids: Iterable[str], now: float) -> None:
        """Hide messages from *reader*, durably."""
        self._append(reader, b"".join(_row(int(now), each.encode("ascii")) for each in unique_ids))

    def tidy(self, reader: str, there: Sequence[str]) -> None:
        """Forget what *reader* has hidden of messages that are not *there* any more, if it is much."""
        hidden = self.hidden(reader)
        if len(hidden) > len(there) + SPARE_ROWS:
            rows = [_row(hidden[key], key) for each in there if (key := each.encode("ascii")) in hidden]
            replace_file(self._file(reader), b"".join(rows))

    def over(self, now: float) -> set[bytes]:
        """Return the unique ids that all have hidden, for as long as the settings say."""
        days = self.days
        if days is None:
            return set()
        latest = now - days * _DAY_SECONDS
        readers = [name for name in os.listdir(self._folder) if name.startswith(_READER)]
        old = [
            {key for key, when in _rows(read_file(self._folder + b"/" + name, MOST_OCTETS)).items() if when <= latest}
            for name in readers
        ]
        return set.intersection(*old) if old else set()

    def _file(self, reader: str) -> bytes:
        return self._folder + b"/" + _READER + os.fsencode(file_name(reader))

    def _append(self, reader: str, rows: bytes) -> None:
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._file(reader), how, 0o600)
        with os.fdopen(fd, "wb", buffering=0) as file:
            # A row that was cut off by a crash ends here.
            file.write(b"\n" + rows if rows else rows)
            os.fsync(fd)
        fsync_path(os.fsdecode(self._folder))


def _said(days: int | None) -> bytes:
    return b"never" if days is None else b"%d" % days


def _row(when: int, unique_id: bytes) -> bytes:
    text = b"%d %b" % (when, unique_id)
    return b"%08x %b\n" % (crc32(text), text)


def _rows(data: bytes) -> dict[bytes, int]:
    """Return the rows that are whole: one that was cut off must not hide another message."""
    rows: dict[bytes, int] = {}
    for row in data.split(b"\n"):
        check, _, text = row.partition(b" ")
        when, _, unique_id = text.partition(b" ")
        if when.isdigit() and is_fit(unique_id) and check == b"%08x" % crc32(text):
            rows.setdefault(unique_id, int(when))
    return rows
