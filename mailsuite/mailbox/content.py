"""The octets of one stored message as they go onto the wire.

Here, and nowhere else, a foreign file gets its CRLF line ends: each LF without a CR before it becomes CRLF, other
octets stay, and content that does not end in CRLF gets one. A file of ours is read as it is, octet for octet; only the
last CRLF may be missing in it.
"""

import os
import stat
from collections.abc import Iterator

from zope.interface import implementer

from mailsuite.interfaces import IContent
from mailsuite.mailbox.names import Sizes

CHUNK = 65_536
# A FIFO does not block the opening, a symbolic link is refused.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Damaged(OSError):
    """The file is not what its name says; it is never served."""


def open_file(path: bytes, size: int | None) -> int:
    """Open a message and return its descriptor. Raises `Damaged` where it has not *size* octets, or `OSError`."""
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
    return fd


@implementer(IContent)
class StoredContent:
    """A file of ours, read as it lies on the disk, and then *closing*. Owns the descriptor *fd*."""

    __slots__ = ("_closing", "_fd")

    def __init__(self, fd: int, closing: bytes = b"") -> None:
        self._fd = fd
        self._closing = closing

    def read(self, size: int) -> bytes:
        """See `IContent.read`."""
        data = os.read(self._fd, size)
        if not data:
            data, self._closing = self._closing, b""
        return data

    def close(self) -> None:
        """See `IContent.close`."""
        os.close(self._fd)


@implementer(IContent)
class ForeignContent:
    """A file of another program, with its line ends made CRLF on the way. Owns the descriptor *fd*."""

    __slots__ = ("_fd", "_held", "_last", "_over")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        # A CR at the end of a piece waits for what follows it.
        self._held = b""
        self._last = b"\r\n"
        self._over = False

    def read(self, size: int) -> bytes:
        """See `IContent.read`."""
        while not self._over:
            data = os.read(self._fd, size)
            piece = self._convert(data) if data else self._end()
            if piece:
                return piece
        return b""

    def close(self) -> None:
        """See `IContent.close`."""
        os.close(self._fd)

    def _convert(self, data: bytes) -> bytes:
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        if self._held:
            data = data[:-1]
        data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self._last = (self._last + data[-2:])[-2:]
        return data

    def _end(self) -> bytes:
        self._over = True
        if self._held:
            return self._held + b"\r\n"
        return b"" if self._last == b"\r\n" else b"\r\n"


@implementer(IContent)
class LoadedContent:
    """A whole message in memory."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def read(self, size: int) -> bytes:
        """See `IContent.read`."""
        piece, self._octets = self._octets[:size], self._octets[size:]
        return piece

    def close(self) -> None:
        """See `IContent.close`."""
        self._octets = b""


def open_content(path: bytes, said: Sizes, octets: int) -> IContent:
    """Open a message that was listed with *octets*; *said* is what its name says. Raises `Damaged`, `OSError`.

    A small foreign file is loaded and measured, so that one with a false size is refused before its first octet.
    """
    fd = open_file(path, said.disk)
    if said.ours:
        return StoredContent(fd, b"" if said.disk == said.wire else b"\r\n")
    content = ForeignContent(fd)
    if octets > CHUNK:
        return content
    try:
        loaded = b"".join(_pieces(content, octets))
    finally:
        content.close()
    if len(loaded) != octets:
        raise Damaged(f"listed with {octets} octets, now it has {len(loaded)}")
    return LoadedContent(loaded)


def _pieces(content: ForeignContent, octets: int) -> Iterator[bytes]:
    """Yield all of *content*, or enough to show that it has more than *octets*."""
    while octets >= 0 and (piece := content.read(CHUNK)):
        octets -= len(piece)
        yield piece


def wire_size(path: bytes, disk: int | None, wire: int | None) -> int:
    """Return how many octets a foreign file has on the wire; *disk* and *wire* are what its name says.

    Raises `OSError`. Where the name gives the size on the wire, only the end of the file is looked at.
    """
    fd = open_file(path, disk)
    try:
        if wire is not None:
            # RFC 1939 §11: what RETR sends is counted, and so the closing CRLF that no name counts.
            size = os.fstat(fd).st_size
            return wire + (2 if size and os.pread(fd, 1, size - 1) != b"\n" else 0)
        content = ForeignContent(fd)
        total = 0
        while piece := content.read(CHUNK):
            total += len(piece)
        return total
    finally:
        os.close(fd)
