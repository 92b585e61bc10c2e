"""A message on its way in: small ones stay in memory, large ones go to a file on the mail file system."""

import os
from collections.abc import Callable
from contextlib import suppress

from zope.interface import implementer

from mailsuite.interfaces import IDraft

# A message up to this size waits in memory for its end.
MEMORY_OCTETS = 262_144


@implementer(IDraft)
class Draft:
    """See `IDraft`. *place* returns where the file is to lie, if the message grows large."""

    __slots__ = ("_fd", "_last", "_place", "chunks", "path", "size")

    def __init__(self, place: Callable[[], str]) -> None:
        self.size = 0
        self.chunks: list[bytes] = []
        self._place = place
        # The file's path once there is one.
        self.path: str | None = None
        self._fd = -1
        # Its last two octets, or more.
        self._last = b""

    @property
    def ends_open(self) -> bool:
        """Whether its last line has no CRLF, as only binary content may (RFC 3030 §3)."""
        return not self._last.endswith(b"\r\n")

    def octets(self) -> bytes:
        """See `IDraft.octets`."""
        if len(self.chunks) > 1:
            self.chunks = [b"".join(self.chunks)]
        return self.chunks[0] if self.chunks else b""

    def write(self, data: bytes) -> None:
        """See `IDraft.write`."""
        self.size += len(data)
        self.chunks.append(data)
        self._last = data if len(data) > 1 else self._last[-1:] + data
        if self._fd >= 0 or self.size > MEMORY_OCTETS:
            self._spill()

    def close(self) -> None:
        """Close the file, if there is one; its path stays."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def discard(self) -> None:
        """See `IDraft.discard`."""
        self.chunks.clear()
        path, self.path = self.path, None
        try:
            self.close()
        finally:
            if path is not None:
                with suppress(FileNotFoundError):
                    os.unlink(path)

    def _spill(self) -> None:
        if self._fd < 0:
            path = self._place()
            self._fd = create(path)
            self.path = path
        chunks, self.chunks = self.chunks, []
        write_all(self._fd, chunks)


def create(path: str) -> int:
    """Open a new file at *path* for writing, mode 0600. Raises `OSError`, `FileExistsError` among them."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def write_all(fd: int, chunks: list[bytes]) -> None:
    """Write all of *chunks* to *fd*. Raises `OSError`."""
    data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    written = os.write(fd, data)
    while written < len(data):
        data = data[written:]
        written = os.write(fd, data)
