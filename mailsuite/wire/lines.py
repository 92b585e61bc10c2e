"""Bytes to lines: only CRLF ends a line (RFC 5321 §2.3.8), and no line grows past its limit."""

from enum import Enum

# So much of a line that cannot be obeyed is kept: whose it was.
_BEGINNING = 16


class Fault(Enum):
    """Why a line cannot be obeyed."""

    TOO_LONG = "too long"
    BARE_NEWLINE = "bare CR or LF"


class Inbox:
    """Received octets that were not read yet, *unread* in number, and the lines cut from them.

    *began*: the first octets of the last line that was a `Fault`, its verb among them.
    """

    __slots__ = ("_data", "_skipping", "began", "unread")

    def __init__(self) -> None:
        # What is unread is at its end.
        self._data = b""
        self.unread = 0
        self.began = b""
        self._skipping = False

    def receive(self, data: bytes) -> None:
        """Add *data* behind what is here."""
        self._data = self._data[-self.unread :] + data if self.unread else data
        self.unread += len(data)

    def clear(self) -> None:
        """Forget everything that was received and not read."""
        self._data = b""
        self.unread = 0
        self._skipping = False

    def starts_with(self, prefix: bytes) -> bool:
        """Say whether the next octets to be read are *prefix*."""
        return self._data.startswith(prefix, len(self._data) - self.unread)

    def take(self) -> bytes:
        """Return all that is here, unread, and forget it."""
        return self.take_up_to(self.unread)

    def take_up_to(self, octets: int) -> bytes:
        """Return the next *octets* of what is here, or as many as there are, and forget them."""
        start = len(self._data) - self.unread
        data = self._data[start : start + octets]
        self.unread -= len(data)
        if not self.unread:
            self._data = b""
        return data

    def put_back(self, data: bytes) -> None:
        """Make *data*, the unread end of what `take` gave, the next to be read."""
        self._data = data
        self.unread = len(data)

    def line(self, limit: int) -> bytes | Fault | None:
        """Return the next line without its CRLF, or why there is none: ``None`` when its end has not come.

        *limit* counts octets with the CRLF. A line past it is skipped whole, in bounded memory, and reported
        once as `Fault.TOO_LONG` when its end arrives; no part of it is ever returned.
        """
        data = self._data
        start = len(data) - self.unread
        end = data.find(b"\r\n", start)
        if end < 0:
            if self._skipping:
                self._skip_all()
            elif self.unread > limit:
                self._skipping = True
                self.began = data[start : start + _BEGINNING]
                self._skip_all()
            return None
        line = data[start:end]
        self.unread = len(data) - end - 2
        if self._skipping:
            self._skipping = False
            return Fault.TOO_LONG
        if len(line) + 2 > limit:
            self.began = line[:_BEGINNING]
            return Fault.TOO_LONG
        if b"\n" in line or b"\r" in line:
            self.began = line[:_BEGINNING]
            return Fault.BARE_NEWLINE
        return line

    def _skip_all(self) -> None:
        self._data = b"\r" if self._data.endswith(b"\r") else b""
        self.unread = len(self._data)
