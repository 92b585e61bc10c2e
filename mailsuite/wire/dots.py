"""Dot transparency both ways: SMTP DATA (RFC 5321 §4.5.2) and POP3 multi-line responses (RFC 1939 §3).

Whole buffers are scanned with `bytes.find`, `count` and `replace`; no object is made for a line.
"""

from typing import Literal

from mailsuite.wire.text import TextWatch, has_bare_newline, normalize_newlines

_MARK = b"\r\n.\r\n"
# Where a line begins with a dot: that of the end mark, or of transparency.
_DOT = b"\r\n."


class DotReader(TextWatch):
    """The body after DATA: finds the one end mark, CR LF . CR LF, and takes away the stuffed dots.

    It also watches what no text may have (`TextWatch`). *doubtful* says that a bare CR stood right before the end
    mark: a sender that takes CR CR LF for no line end, or for one, did not mean to end its message there.
    """

    __slots__ = ("_after_cr", "_fresh", "_held", "doubtful")

    def __init__(self, line_limit: int, normalize: bool = False) -> None:
        super().__init__(line_limit, normalize)
        self.doubtful = False
        self._after_cr = False
        # The line end of DATA itself: a body may begin with its end mark or with a stuffed dot.
        self._held = b"\r\n"
        self._fresh = True

    def read(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Return what *data* adds to the body, and what follows the end mark (``None``: it has not come).

        Up to four octets that may begin the mark are held back until the next call.
        """
        data = self._held + data
        # Most pieces have no line that begins with a dot, or the end mark's alone, and need no second look.
        dot = data.find(_DOT)
        end = data.find(_MARK, dot) if dot >= 0 else -1
        if end >= 0:
            rest: bytes | None = data[end + 5 :]
            self.doubtful = data.startswith(b"\r", end - 1) if end else self._after_cr
            data = data[: end + 2]
        else:
            rest = None
            held = _possible_mark(data)
            self._held = data[len(data) - held :]
            data = data[: len(data) - held]
            if data:
                self._after_cr = data.endswith(b"\r")
        return self._body(data, dotted=dot not in (-1, end)), rest

    def _body(self, data: bytes, dotted: bool) -> bytes:
        if not data:
            return data
        self.bare = self.bare or has_bare_newline(data)
        if dotted:
            data = data.replace(_DOT, b"\r\n")
        if self.bare and self.normalize:
            data = normalize_newlines(data)
        # RFC 5321 §4.5.3.1.6: the dot of transparency does not count.
        self._measure(data)
        if self._fresh:
            self._fresh = False
            return data[2:]
        return data


def _possible_mark(data: bytes) -> Literal[0, 1, 2, 3, 4]:
    """Count the octets at the end of *data* with which the end mark may begin."""
    if data.endswith(b"\r\n"):
        return 2
    if data.endswith(b"\r\n."):
        return 3
    if data.endswith(b"\r\n.\r"):
        return 4
    if data.endswith(b"\r"):
        return 1
    return 0


class DotWriter:
    """A multi-line response in pieces: stuffs dots, ends with CRLF and the mark."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b"\r\n"

    def write(self, data: bytes) -> bytes:
        """Return *data* with a dot before each line that begins with one; lines end in CRLF."""
        if not data:
            return data
        # A line may begin in this piece: after the CRLF, or the CR, that ended the last one.
        starts_line = self._last == b"\r\n" or (self._last.endswith(b"\r") and data[:1] == b"\n")
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        if self._last == b"\r\n":
            if data[:1] == b".":
                stuffed = b"." + stuffed
        elif starts_line and data[1:2] == b".":
            stuffed = stuffed[:1] + b"." + stuffed[1:]
        self._last = (self._last + data[-2:])[-2:]
        return stuffed

    def end(self) -> bytes:
        """Return the end mark, after the closing CRLF where the content has none."""
        return b".\r\n" if self._last == b"\r\n" else b"\r\n.\r\n"
