"""A message that needs UTF-8 as one for programs that do not know it (RFC 6856 §2.1, RFC 6858).

Header sections are converted (`mailsuite.message.ascii_header`), the message's own and those of its parts; bodies
stay as they are, text in 8bit too (RFC 6152).
"""

import re

from mailsuite.message import mime
from mailsuite.message.ascii_header import blotted, in_ascii, marked
from mailsuite.message.downgrade import NESTING, PARTS
from mailsuite.message.headers import HEADER_OCTETS, header_end
from mailsuite.message.mime import AS_IS, ContentType, Unclear

# Header sections in UTF-8 are looked at up to so many octets in all (`mailsuite.message.ascii_header.SHOWN_OCTETS`).
LOOKED_OCTETS = 1 << 15
_MESSAGES = frozenset({"rfc822", "global"})
_END = b"\r\n\r\n"


class Surrogate:
    """Takes a message with CRLF line ends in pieces, and gives as many octets. What is not clear it leaves alone."""

    __slots__ = ("_boundaries", "_delimiter", "_done", "_held", "_in_header", "_is_long", "_looked", "_parts")

    def __init__(self) -> None:
        self._held = b""
        self._in_header = True
        # The header section is longer than one that is looked at, and what follows it is not clear.
        self._is_long = False
        # Nothing is left to be converted.
        self._done = False
        # Those of the multiparts around the place, the innermost last, each with the type that its parts have unsaid.
        self._boundaries: list[tuple[bytes, ContentType | None]] = []
        self._delimiter: re.Pattern[bytes] | None = None
        self._parts = 0
        self._looked = 0

    def take(self, data: bytes) -> bytes:
        """Return what *data* adds; some octets may be held back until more has come."""
        if self._done:
            return data
        data, self._held = self._held + data, b""
        out: list[bytes] = []
        while data and not self._done:
            if self._is_long:
                data = self._long_header(data, out)
            else:
                data = self._header(data, out) if self._in_header else self._body(data, out)
        out.append(data)
        return b"".join(out)

    def end(self) -> bytes:
        """Return what was held back: the message is over."""
        data, self._held = self._held, b""
        if self._is_long:
            return blotted(data)
        # RFC 5322 §3.5: without a body all of it is header.
        return self._converted(data) if self._in_header and not self._parts and data.endswith(b"\r\n") else data

    def _converted(self, header: bytes) -> bytes:
        if header.isascii():
            return header
        self._looked += len(header)
        return in_ascii(header) if self._looked <= LOOKED_OCTETS else marked(header)

    def _header(self, data: bytes, out: list[bytes]) -> bytes:
        """Convert a header section; return what follows it, from the empty line on."""
        end = header_end(data)
        found = self._next(data, len(data) if end < 0 else end)
        if found is not None:
            # The part is over before its header section is; it counts all the same.
            self._parts += 1
            self._done = self._parts >= PARTS
            return self._delimited(data, found, out)
        if end > HEADER_OCTETS or (end < 0 and len(data) > HEADER_OCTETS + 1):
            self._is_long = True
            return self._long_header(data, out)
        if end < 0:
            self._held = data
            return b""
        header = self._converted(data[:end])
        out.append(header)
        self._enter(header)
        if self._in_header:
            out.append(b"\r\n")
            return data[end + 2 :]
        return data[end:]

    def _long_header(self, data: bytes, out: list[bytes]) -> bytes:
        """Go on with a header section that is too long: none of its letters is shown."""
        end = data.find(_END)
        self._done = end >= 0
        if end < 0:
            # The next piece may have the rest of its end.
            end = max(0, len(data) - len(_END) + 1)
            self._held = data[end:]
        out.append(blotted(data[:end]))
        return data[end:] if self._done else b""

    def _enter(self, header: bytes) -> None:
        """Learn of what kind the body behind *header* is."""
        self._parts += 1
        self._in_header = False
        default = self._boundaries[-1][1] if self._boundaries else None
        try:
            kind = mime.content_type(header) or default
            as_is = mime.encoding(header) in AS_IS
        except Unclear:
            kind, as_is = None, False
        if self._parts >= PARTS:
            self._done = True
        elif kind is not None and as_is and kind.major == "multipart" and len(self._boundaries) < NESTING:
            # RFC 2046 §5.1.5
            inner = ContentType("message", "rfc822") if kind.minor == "digest" else None
            self._around([*self._boundaries, (kind.boundary, inner)])
        elif kind is not None and as_is and kind.major == "message" and kind.minor in _MESSAGES:
            self._in_header = True
        else:
            self._done = not self._boundaries

    def _body(self, data: bytes, out: list[bytes]) -> bytes:
        """Go on to the next part."""
        found = self._next(data, len(data))
        if found is not None:
            return self._delimited(data, found, out)
        # What may be the beginning of a delimiter is held back.
        last = data.rfind(b"\r\n", max(0, len(data) - self._longest()))
        if last < 0:
            last = len(data) - data.endswith(b"\r")
        self._held = data[last:]
        out.append(data[:last])
        return b""

    def _delimited(self, data: bytes, found: re.Match[bytes], out: list[bytes]) -> bytes:
        out.append(data[: found.end()])
        level = next(index for index, (each, _) in enumerate(self._boundaries) if each == found[1])
        if found[2] is not None:
            self._around(self._boundaries[:level])
            self._in_header = False
            self._done = not self._boundaries
            return data[found.end() :]
        self._around(self._boundaries[: level + 1])
        self._in_header = True
        out.append(b"\r\n")
        return data[found.end() + 2 :]

    def _next(self, data: bytes, end: int) -> re.Match[bytes] | None:
        """Find the next delimiter."""
        return None if self._delimiter is None else self._delimiter.search(data, 0, end)

    def _around(self, boundaries: list[tuple[bytes, ContentType | None]]) -> None:
        self._boundaries = boundaries
        # RFC 2046 §5.1.1; the innermost first where one is another with more behind it.
        names = b"|".join(re.escape(each) for each, _ in reversed(boundaries))
        self._delimiter = re.compile(rb"\r\n--(%s)(--)?[ \t]*(?=\r\n)" % names) if boundaries else None

    def _longest(self) -> int:
        return 128 + max((len(each) for each, _ in self._boundaries), default=0)
