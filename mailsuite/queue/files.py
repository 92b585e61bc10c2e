"""The content of queued messages: what is taken of a draft, and the files that large messages lie in.

A file is written, or linked to the draft's, and synced with its name before the row that tells of it is committed; it
is unlinked after the row has gone. A file without a row is never more than a leftover.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from mailsuite.interfaces import IDraft
from mailsuite.queue.reading import FileContent, check, open_file

_COPIED_AT_ONCE = 1 << 20


@dataclass(slots=True)
class Taken:
    """What was taken of a draft: its content's *size*, and where the content is.

    That is in memory (*octets*), or in *file* of the content folder or behind *fd*, after the first *skip* octets.
    """

    size: int
    octets: bytes | None = None
    file: str | None = None
    fd: int = -1
    skip: int = 0

    def close(self) -> None:
        """Free the descriptor, if there is one."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a content is: *octets* for the database, or *file* without its first *skip* octets, which is durable."""

    size: int
    octets: bytes | None = None
    file: str | None = None
    skip: int = 0


class ContentFolder:
    """The files of the queue in *path*. *name* makes new names for them.

    Content up to *inline_size* octets goes into the database.
    """

    def __init__(self, path: str, inline_size: int, name: Callable[[], str]) -> None:
        self._queue = path
        self._path = f"{path}/content"
        self._damaged = f"{path}/damaged"
        self._inline_size = inline_size
        self._name = name

    def create(self) -> None:
        """Make the folders where they are missing, durably. Raises `OSError`."""
        for folder in (self._queue, self._path, self._damaged):
            with suppress(FileExistsError):
                os.makedirs(folder, 0o700)
                fsync(os.path.dirname(folder))

    def take(self, draft: IDraft, skip: int) -> Taken:
        """Take what is needed of *draft*, quickly: afterwards it may be discarded. Raises `OSError`."""
        size = draft.size - skip
        if draft.path is None:
            octets = draft.octets()
            return Taken(size, octets[skip:] if skip else octets)
        if size > self._inline_size:
            name = self._name()
            # Another file system, or one that has no links: then it is copied.
            with suppress(OSError):
                os.link(draft.path, f"{self._path}/{name}")
                return Taken(size, file=name, skip=skip)
        return Taken(size, fd=os.open(draft.path, os.O_RDONLY | os.O_CLOEXEC), skip=skip)

    def place(self, taken: Taken) -> Placed:
        """Make the content durable where it is a file's; where it is not, return its octets. Raises `OSError`.

        After an error no file is left.
        """
        if taken.octets is not None and taken.size <= self._inline_size:
            return Placed(taken.size, taken.octets)
        if taken.fd >= 0:
            check(taken.fd, taken.skip + taken.size)
            if taken.size <= self._inline_size:
                return Placed(taken.size, b"".join(_pieces(taken.fd, taken.skip)))
        try:
            self._write(taken)
            assert taken.file is not None
            fsync(f"{self._path}/{taken.file}", taken.skip + taken.size)
            fsync(self._path)
        except BaseException:
            self.drop(taken)
            raise
        return Placed(taken.size, file=taken.file, skip=taken.skip)

    def drop(self, taken: Taken) -> None:
        """Forget what was taken: nothing came of it."""
        taken.close()
        if taken.file is not None:
            self.remove(taken.file)

    def remove(self, name: str) -> None:
        """Remove a file; what cannot be removed is a leftover, and no reason to stop."""
        with suppress(OSError):
            os.unlink(f"{self._path}/{name}")

    def open(self, name: str, skip: int, size: int) -> FileContent:
        """Open a file. Raises as `reading.open_file`."""
        return open_file(f"{self._path}/{name}", skip, size)

    def set_aside(self, name: str) -> None:
        """Move a damaged file, if it is there, to where nobody reads it."""
        with suppress(OSError):
            os.rename(f"{self._path}/{name}", f"{self._damaged}/{name}")

    def names(self) -> set[str]:
        """Return the names of all files. Raises `OSError`."""
        return set(os.listdir(self._path))

    def made(self, name: str) -> float:
        """Return when a file was made or linked, in POSIX seconds; now is no later. Raises `OSError`."""
        return os.stat(f"{self._path}/{name}", follow_symlinks=False).st_ctime

    def _write(self, taken: Taken) -> None:
        if taken.file is not None:
            return
        taken.file = self._name()
        fd = os.open(f"{self._path}/{taken.file}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            pieces = _pieces(taken.fd, taken.skip) if taken.octets is None else iter([taken.octets])
            for piece in pieces:
                _write_all(fd, piece)
        finally:
            os.close(fd)
        # The copy has nothing to be skipped.
        taken.skip = 0


def fsync(path: str, size: int | None = None) -> None:
    """Sync a file, which must have *size* octets, or a folder. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if size is not None:
            check(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)


def _pieces(fd: int, at: int) -> Iterator[bytes]:
    while piece := os.pread(fd, _COPIED_AT_ONCE, at):
        at += len(piece)
        yield piece


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.write(fd, view)
        if not written:
            raise OSError(errno.EIO, "nothing was written")
        view = view[written:]
