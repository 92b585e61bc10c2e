"""The content of one message, in the form that a session can take."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from mailsuite.interfaces import IContent
from mailsuite.maybe import Maybe
from mailsuite.message.downgrade import CannotConvert, to_seven_bit, to_text
from mailsuite.message.headers import HEADER_OCTETS, header_end
from mailsuite.message.internationalized import is_internationalized
from mailsuite.outcome import Failed
from mailsuite.queued import Job

# Up to so many octets a message is read whole; a larger one goes from the queue to the socket piece by piece.
WHOLE_OCTETS = 1 << 20
# Up to so many octets a message is converted for a server that takes seven bits alone; all of it is in memory then.
CONVERT_OCTETS = 8 << 20
# What takes longer to convert than the reactor may be kept for goes to a thread.
IN_PLACE_OCTETS = 1 << 16
PIECE_OCTETS = 1 << 18

OpenContent = Callable[[], Awaitable[IContent]]
# Runs a function off the reactor's thread, as `deferToThread` does.
InThread: TypeAlias = Callable[..., Awaitable[Any]]
_LARGE = "the message is too large to convert"
_NO_EIGHT_BIT = "The next host takes no 8-bit content, and "
_NO_BINARY = "The next host takes no binary content, and "


async def next_piece(content: IContent, size: int, in_thread: InThread) -> bytes:
    """Return the next octets of *content*, about *size*; ``b""`` at the end. Raises `OSError`.

    A disk that is slow, or a message that is large, does not keep the reactor.
    """
    piece: Maybe[bytes] = await in_thread(content.read, size)
    return piece if isinstance(piece, bytes) else await piece


class ContentTrouble(Exception):
    """The queue could not give the message; the text says why."""


class Stream:
    """One reading of a large message: *added* first, then *content*. Its `read` is a session's source."""

    def __init__(self, added: bytes, content: IContent, in_thread: InThread) -> None:
        self._added = added
        self._content = content
        self._in_thread = in_thread
        # Why it could not be read on; empty while it could.
        self.trouble = ""
        self._reading = False
        self._closed = False

    def read(self, size: int) -> Maybe[bytes]:
        """Return the next octets, about *size*; ``b""`` at the end."""
        if self._added:
            added, self._added = self._added, b""
            return added
        return self._guarded(size)

    async def _guarded(self, size: int) -> bytes:
        self._reading = True
        try:
            return await next_piece(self._content, size, self._in_thread)
        except OSError as error:
            self.trouble = str(error)
            raise
        finally:
            self._reading = False
            if self._closed:
                self._content.close()

    def close(self) -> None:
        """Free what the reading took. Called once."""
        self._closed = True
        # A thread that is just reading must not find its descriptor closed, and perhaps another's by then.
        if not self._reading:
            self._content.close()


class Body:
    """The content of *job*'s message; *content* opens it where it is not at hand. *in_thread* runs what may take long.

    Every method that reads raises `ContentTrouble`.
    """

    def __init__(self, job: Job, content: OpenContent, in_thread: InThread) -> None:
        self._size = job.message.size
        self._open = content
        self._in_thread = in_thread
        self._whole = job.content
        self._eight_bit: bool | None = None
        self._internationalized: bool | None = None

    @property
    def size(self) -> int:
        """Its octets."""
        return self._size if self._whole is None else len(self._whole)

    def at_hand(self) -> Maybe[bytes | None]:
        """Return all of it, ``None`` where it is a large one that has to be streamed."""
        if self._whole is not None or self._size > WHOLE_OCTETS:
            return self._whole
        return self._load()

    async def is_eight_bit(self) -> bool:
        """Say whether it has octets above 127. A large message is read through for that, once."""
        if self._eight_bit is None:
            self._eight_bit = await self._scan() if self._whole is None else not self._whole.isascii()
        return self._eight_bit

    async def is_internationalized(self) -> bool:
        """Say whether it has header fields that are not ASCII (RFC 6532).

        Of a large one, what stands deeper than its own header section is not looked at.
        """
        if self._internationalized is None:
            is_large = self._whole is None and self._size > WHOLE_OCTETS
            found: bool = await self._quickly(
                is_internationalized, await (self._beginning() if is_large else self._load())
            )
            self._internationalized = found
        return self._internationalized

    async def seven_bit(self, added: bytes) -> bytes | Failed:
        """Return *added* and it converted to seven bits (RFC 6152 §3), or why it cannot be."""
        return await self._converted(to_seven_bit, added, _NO_EIGHT_BIT)

    async def text(self, added: bytes, eight_bit: bool) -> bytes | Failed:
        """Return *added* and it, binary content, converted to lines (RFC 3030 §3), or why it cannot be.

        *eight_bit*: they may have octets above 127.
        """
        return await self._converted(partial(to_text, eight_bit=eight_bit), added, _NO_BINARY)

    async def _converted(self, convert: Callable[[bytes], bytes], added: bytes, lack: str) -> bytes | Failed:
        if self.size > CONVERT_OCTETS:
            return Failed("5.6.3", f"{lack}{_LARGE}")
        content = added + await self._load()
        try:
            converted: bytes = await self._quickly(convert, content)
            return converted
        except CannotConvert as error:
            return Failed("5.6.3", f"{lack}it cannot be converted: {error}")

    async def stream(self, added: bytes) -> Stream:
        """Begin a reading of *added* and the content."""
        return Stream(added, await self._opened(), self._in_thread)

    async def _quickly(self, work: Callable[[bytes], Any], content: bytes) -> Any:
        """Return what *work* makes of *content*, without keeping the reactor for long."""
        return await self._in_thread(work, content) if len(content) > IN_PLACE_OCTETS else work(content)

    async def _opened(self) -> IContent:
        try:
            return await self._open()
        except OSError as error:
            raise ContentTrouble(str(error)) from error

    async def _load(self) -> bytes:
        if self._whole is not None:
            return self._whole
        pieces: list[bytes] = []
        await self._each(pieces.append)
        whole = b"".join(pieces)
        if self._size <= WHOLE_OCTETS:
            self._whole = whole
        return whole

    async def _beginning(self) -> bytes:
        """Return the header section of a large message, as one without a body."""
        header = b""
        content = await self._opened()
        try:
            while header_end(header) < 0 and len(header) < HEADER_OCTETS:
                piece = await next_piece(content, PIECE_OCTETS, self._in_thread)
                if not piece:
                    break
                header += piece
        except OSError as error:
            raise ContentTrouble(str(error)) from error
        finally:
            content.close()
        return header[: header_end(header)] + b"\r\n" if header_end(header) >= 0 else header

    async def _scan(self) -> bool:
        ascii_only = True

        def look(piece: bytes) -> None:
            nonlocal ascii_only
            ascii_only = ascii_only and piece.isascii()

        await self._each(look)
        return not ascii_only

    async def _each(self, take: Callable[[bytes], Any]) -> None:
        """Give the content to *take*, piece by piece."""
        content = await self._opened()
        try:
            while piece := await next_piece(content, PIECE_OCTETS, self._in_thread):
                take(piece)
        except OSError as error:
            raise ContentTrouble(str(error)) from error
        finally:
            content.close()
