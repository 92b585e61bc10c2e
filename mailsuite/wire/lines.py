"""Bytes to lines: only CRLF ends a line (RFC 5321 §2.3.8), and no line grows past its limit."""

from enum import Enum


class Fault(Enum):
    """Why a line cannot be obeyed."""

    TOO_LONG = "too long"
    BARE_NEWLINE = "bare CR or LF"


class Inbox:
    """Received octets that were not read yet, and the lines cut from them."""

    __slots__ = ("_data", "_skipping", "_start")

    def __init__(self) -> None:
        self._data = b""
        self._start = 0
        self._skipping = False

    def __len__(self) -> int:
        return len(self._data) - self._start

    def receive(self, data: bytes) -> None:
        """Add *data* behind what is here."""
        if self._start == len(self._data):
            self._data = data
        else:
            self._data = self._data[self._start :] + data
        self._start = 0

    def clear(self) -> None:
        """Forget everything that was received and not read."""
        self._data = b""
        self._start = 0
        self._skipping = False

    def starts_with(self, prefix: bytes) -> bool:
        """Say whether the next octets to be read are *prefix*."""
        return self._data.startswith(prefix, self._start)

    def take(self) -> bytes:
        """Return all that is here, unread, and forget it."""
        data = self._data[self._start :] if self._start else self._data
        self._data = b""
        self._start = 0
        return data

    def take_up_to(self, octets: int) -> bytes:
        """Return the next *octets* of what is here, or as many as there are, and forget them."""
        if not self._start and len(self._data) <= octets:
            return self.take()
        data = self._data[self._start : self._start + octets]
        self._start += len(data)
        return data

    def put_back(self, data: bytes) -> None:
        """Make *data*, the unread end of what `take` gave, the next to be read."""
        self._data = data
        self._start = 0

    def line(self, limit: int) -> bytes | Fault | None:
        """Return the next line without its CRLF, or why there is none: ``None`` when its end has not come.

        *limit* counts octets with the CRLF. A line past it is skipped whole, in bounded memory, and reported
        once as `Fault.TOO_LONG` when its end arrives; no part of it is ever returned.
        """
        end = self._data.find(b"\r\n", self._start)
        if end < 0:
            if len(self._data) - self._start > limit or self._skipping:
                self._skip_all()
            return None
        line = self._data[self._start : end]
        self._start = end + 2
        if self._skipping:
            self._skipping = False
            return Fault.TOO_LONG
        if len(line) + 2 > limit:
            return Fault.TOO_LONG
        if b"\n" in line or b"\r" in line:
            return Fault.BARE_NEWLINE
        return line

    def _skip_all(self) -> None:
        self._skipping = True
        self._data = b"\r" if self._data.endswith(b"\r") else b""
        self._start = 0
