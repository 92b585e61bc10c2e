"""A message's content on its way out: line ends made canonical, then dots or chunks around it.

Whatever was stored, a strict server sees one message and its end (lesson 2): no bare CR or LF is ever sent, but in
chunks to a server that takes any octets there (RFC 3030 §3).
"""

from typing import Protocol

from mailsuite.wire.dots import DotWriter
from mailsuite.wire.text import has_bare_newline, normalize_newlines


class Canonical:
    """Octets in pieces of any size: each bare CR or LF becomes CRLF, and so does a missing one at the end."""

    __slots__ = ("_at_start", "_held")

    def __init__(self) -> None:
        # Whether what was given on ends in CRLF (or is nothing).
        self._at_start = True
        # A CR at the end of a piece: the next may begin with its LF.
        self._held = b""

    def write(self, data: bytes) -> bytes:
        """Return what *data* adds, without a CR at its end."""
        if self._held:
            data = self._held + data
            self._held = b""
        if data.endswith(b"\r"):
            self._held = b"\r"
            data = data[:-1]
        if not data:
            return data
        if has_bare_newline(data):
            data = normalize_newlines(data)
        self._at_start = data.endswith(b"\r\n")
        return data

    def end(self) -> bytes:
        """Return what is missing: nothing, or the last CRLF."""
        return b"\r\n" if self._held or not self._at_start else b""


class AsItIs:
    """Octets that are sent as they were stored (RFC 3030 §3)."""

    __slots__ = ()

    def write(self, data: bytes) -> bytes:
        """Return *data*."""
        return data

    def end(self) -> bytes:
        """Return nothing: nothing is missing."""
        return b""


class Form(Protocol):
    """How content goes over the wire."""

    def write(self, data: bytes) -> bytes:
        """Return what *data* adds on the wire; it may be kept back."""

    def end(self) -> bytes:
        """Return the rest, with what says that it is the end."""


class Dotted:
    """The content after DATA (RFC 5321 §4.5.2)."""

    __slots__ = ("_dots", "_text")

    def __init__(self) -> None:
        self._text = Canonical()
        self._dots = DotWriter()

    def write(self, data: bytes) -> bytes:
        """See `Form.write`."""
        return self._dots.write(self._text.write(data))

    def end(self) -> bytes:
        """See `Form.end`: with the end mark."""
        return self._dots.write(self._text.end()) + self._dots.end()


class Chunked:
    """The content as BDAT commands (RFC 3030 §2), each of which is answered.

    A chunk is kept back until it is known whether it is the last one, so that no empty one has to say so. *binary*
    content goes out octet for octet.
    """

    __slots__ = ("_held", "_text")

    def __init__(self, binary: bool = False) -> None:
        self._text = AsItIs() if binary else Canonical()
        self._held = b""

    def write(self, data: bytes) -> bytes:
        """See `Form.write`: one command, or nothing."""
        text = self._text.write(data)
        if not text:
            return b""
        held, self._held = self._held, text
        return b"BDAT %d\r\n%s" % (len(held), held) if held else b""

    def end(self) -> bytes:
        """See `Form.end`: one command."""
        data = self._held + self._text.end()
        self._held = b""
        return b"BDAT %d LAST\r\n%s" % (len(data), data)
