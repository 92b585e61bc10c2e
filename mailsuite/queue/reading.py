"""One queued message being read."""

import errno
import os
import stat

from zope.interface import implementer

from mailsuite.interfaces import IContent

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Damaged(OSError):
    """The content is not what was accepted, and never will be."""


@implementer(IContent)
class LoadedContent:
    """A whole message in memory."""

    __slots__ = ("_at", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def read(self, size: int) -> bytes:
        """See `IContent.read`."""
        piece = self._octets[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """See `IContent.close`."""
        self._octets = b""


@implementer(IContent)
class FileContent:
    """A message in a file, of which *left* octets are to come. Owns the descriptor *fd*."""

    __slots__ = ("_fd", "_left")

    def __init__(self, fd: int, left: int) -> None:
        self._fd = fd
        self._left = left

    def read(self, size: int) -> bytes:
        """See `IContent.read`. Raises `OSError` where the file ends too early: half a message is never sent as one."""
        piece = os.read(self._fd, min(size, self._left))
        if not piece and self._left and size:
            raise Damaged(errno.EIO, "the file has become shorter")
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """See `IContent.close`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_file(path: str, skip: int, size: int) -> FileContent:
    """Open the message of *size* octets that follow the first *skip* ones of a file.

    Raises `Damaged` where the file is gone or is not of that size, and `OSError` for a trouble that may pass.
    """
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EIO):
            raise Damaged(error.errno, f"the file {path} cannot be opened: {error.strerror}") from error
        raise
    try:
        check(fd, skip + size)
        os.lseek(fd, skip, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return FileContent(fd, size)


def check(fd: int, size: int) -> None:
    """Raises `Damaged` where *fd* is no file of *size* octets."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise Damaged(errno.EIO, "the content is no regular file")
    if status.st_size != size:
        raise Damaged(errno.EIO, f"the file should have {size} octets and has {status.st_size}")
