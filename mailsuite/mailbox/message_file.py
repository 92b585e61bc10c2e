"""The file of one message, read in order: at once what the page cache has, patiently the rest.

Reading from the disk would stop the reactor, and with it every other session, for as long as the disk takes.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress

# A FIFO does not block the opening, a symbolic link is refused.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# preadv(2): Linux; where it is missing, every reading is taken for one that waits.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
_ADVISE: Callable[[int, int, int, int], None] | None = getattr(os, "posix_fadvise", None)


class Damaged(OSError):
    """The file is not what its name says; it is never served."""


class WouldBlock(Exception):
    """The octets are not in memory, and the reading was not to wait."""


def read_whole(path: bytes, size: int, patient: bool = True) -> bytes:
    """Return all of a small message of *size* octets. Raises what `MessageFile` raises, and its `read`."""
    file = MessageFile(path, size, patient)
    try:
        data = file.read(size + 1)
        if len(data) != size and not patient:
            # Only its beginning is in memory.
            raise WouldBlock
    except WouldBlock:
        # So that the disk is at it until somebody waits for it.
        file.fetch()
        raise
    finally:
        file.close()
    if len(data) != size:
        raise Damaged(f"the name says {size} octets, {len(data)} could be read")
    return data


class MessageFile:
    """An open message. Without *patient*, `read` raises `WouldBlock` where it would have to wait for the disk."""

    __slots__ = ("_at", "_fd", "patient", "size")

    def __init__(self, path: bytes, size: int | None, patient: bool = True) -> None:
        """Open it. Raises `Damaged` where it is no regular file of *size* octets, or `OSError`."""
        fd = os.open(path, _FLAGS)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise Damaged("not a regular file")
            if size is not None and status.st_size != size:
                raise Damaged(f"the name says {size} octets, the file has {status.st_size}")
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._at = 0
        self.size = status.st_size
        self.patient = patient

    def read(self, size: int) -> bytes:
        """Return the next octets, at most *size*; ``b""`` at the end. Raises `WouldBlock`, `OSError`."""
        data = os.pread(self._fd, size, self._at) if self.patient else self._read_now(size)
        self._at += len(data)
        return data

    def rewind(self) -> None:
        """Let the first octet be the next."""
        self._at = 0

    def fetch(self) -> None:
        """Let the kernel bring it into memory; that is not waited for."""
        if _ADVISE is not None:
            with suppress(OSError):
                _ADVISE(self._fd, 0, self.size, os.POSIX_FADV_WILLNEED)

    def last(self) -> bytes:
        """Return its last octet, if it has one."""
        return os.pread(self._fd, 1, self.size - 1) if self.size else b""

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)

    def _read_now(self, size: int) -> bytes:
        if _NOWAIT is None:
            raise WouldBlock
        # One octet more than it had when it was opened shows that it has grown.
        buffer = bytearray(min(size, max(self.size - self._at, 0) + 1))
        try:
            got = os.preadv(self._fd, [buffer], self._at, _NOWAIT)
        except OSError as error:
            # Not in memory; or a file system that cannot say so.
            raise WouldBlock from error
        return bytes(buffer[:got])
