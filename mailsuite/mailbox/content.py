"""The octets of one stored message as they go onto the wire.

Here, and nowhere else, a foreign file gets its CRLF line ends: each LF without a CR before it becomes CRLF, other
octets stay, and content that does not end in CRLF gets one. A file of ours is read as it is, octet for octet; only the
last CRLF may be missing in it.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

from zope.interface import implementer

from mailsuite.interfaces import IContent
from mailsuite.mailbox.message_file import Damaged, MessageFile, WouldBlock, read_whole
from mailsuite.mailbox.names import Sizes
from mailsuite.maybe import Maybe

CHUNK = 65_536
# Runs a function that blocks with its arguments, off the reactor thread.
InThread: TypeAlias = Callable[..., Awaitable[Any]]


class Missized(Damaged):
    """A message has not as many octets on the wire as it was listed with; the file may be sound."""


@implementer(IContent)
class StoredContent:
    """A file of ours, read as it lies on the disk, and then *closing*. Owns *file*."""

    __slots__ = ("_closing", "file")

    def __init__(self, file: MessageFile, closing: bytes = b"") -> None:
        self.file = file
        self._closing = closing

    def read(self, size: int) -> bytes:
        """See `IContent.read`."""
        data = self.file.read(size)
        if not data:
            data, self._closing = self._closing, b""
        return data

    def close(self) -> None:
        """See `IContent.close`."""
        self.file.close()


@implementer(IContent)
class ForeignContent:
    """A file of another program, with its line ends made CRLF on the way. Owns *file*."""

    __slots__ = ("_held", "_last", "_over", "file")

    def __init__(self, file: MessageFile) -> None:
        self.file = file
        # A CR at the end of a piece waits for what follows it.
        self._held = b""
        self._last = b"\r\n"
        self._over = False

    def read(self, size: int) -> bytes:
        """See `IContent.read`."""
        while not self._over:
            data = self.file.read(size)
            piece = self._convert(data) if data else self._end()
            if piece:
                return piece
        return b""

    def close(self) -> None:
        """See `IContent.close`."""
        self.file.close()

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


@implementer(IContent)
class PromptContent:
    """*content* whose octets are given at once where they are in memory; *in_thread* waits for the others."""

    __slots__ = ("_closed", "_content", "_in_thread", "_waiting")

    def __init__(self, content: StoredContent | ForeignContent, in_thread: InThread) -> None:
        self._content = content
        self._in_thread = in_thread
        self._waiting = False
        self._closed = False

    def read(self, size: int) -> Maybe[bytes]:
        """See `IContent.read`."""
        try:
            return self._content.read(size)
        except WouldBlock:
            return self._read_later(size)

    async def _read_later(self, size: int) -> bytes:
        file = self._content.file
        self._waiting = file.patient = True
        try:
            data: bytes = await self._in_thread(self._content.read, size)
        finally:
            self._waiting = file.patient = False
            if self._closed:
                self._content.close()
        return data

    def close(self) -> None:
        """See `IContent.close`."""
        self._closed = True
        # A thread that still reads keeps the file open: its descriptor must not become another file's.
        if not self._waiting:
            self._content.close()


def open_content(
    path: bytes, said: Sizes, octets: int, patient: bool = True, whole: bool = True
) -> StoredContent | ForeignContent | LoadedContent:
    """Open a message that was listed with *octets*; *said* is what its name says. Raises `Damaged`, `OSError`.

    A small file is read at once. A foreign one is measured first: `Missized` says that its name, or what was measured
    before, is not true; a large one only if it is to be read as a *whole*. Without *patient* raises `WouldBlock` where
    that would wait for the disk, now or later, or take its time.
    """
    if said.ours and said.disk is not None:
        closing = b"" if said.disk == said.wire else b"\r\n"
        if octets <= CHUNK:
            return LoadedContent(read_whole(path, said.disk, patient) + closing)
        return StoredContent(MessageFile(path, said.disk, patient), closing)
    file = MessageFile(path, said.disk, patient)
    if octets > CHUNK:
        return _large(file, octets) if whole else ForeignContent(file)
    content = ForeignContent(file)
    try:
        loaded = b"".join(_pieces(content, octets))
    finally:
        content.close()
    if len(loaded) != octets:
        raise Missized(f"it has not the {octets} octets that it was listed with")
    return LoadedContent(loaded)


def _large(file: MessageFile, octets: int) -> ForeignContent:
    """Return what is in *file* if that has *octets* on the wire; otherwise close it."""
    try:
        if not file.patient:
            raise WouldBlock
        measured = _measured(file)
        if measured != octets:
            raise Missized(f"it was listed with {octets} octets, and has {measured}")
        file.rewind()
    except BaseException:
        file.close()
        raise
    return ForeignContent(file)


def _pieces(content: ForeignContent, octets: int) -> Iterator[bytes]:
    """Yield all of *content*, or enough to show that it has more than *octets*."""
    while octets >= 0 and (piece := content.read(CHUNK)):
        octets -= len(piece)
        yield piece


def wire_size(path: bytes, disk: int | None, wire: int | None) -> int:
    """Return how many octets a foreign file has on the wire; *disk* and *wire* are what its name says.

    Raises `OSError`. Where the name gives the size on the wire, only the end of the file is looked at.
    """
    file = MessageFile(path, disk)
    try:
        if wire is not None:
            # RFC 1939 §11: what RETR sends is counted, and so the closing CRLF that no name counts.
            return wire + (0 if file.last() in (b"", b"\n") else 2)
        if file.size < CHUNK:
            # Most are small, and one reading shows all of them.
            return _converted_size(file.read(CHUNK))
        return _measured(file)
    finally:
        file.close()


def _measured(file: MessageFile) -> int:
    content = ForeignContent(file)
    total = 0
    while piece := content.read(CHUNK):
        total += len(piece)
    return total


def _converted_size(data: bytes) -> int:
    """Return how many octets `ForeignContent` makes of *data*."""
    bare = data.count(b"\n") - data.count(b"\r\n")
    return len(data) + bare + (0 if data[-1:] in (b"", b"\n") else 2)
