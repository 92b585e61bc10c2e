"""Text on the wire, whatever frames it: lines of bounded length that end in CRLF, and no CR or LF that stands alone.

Whole buffers are looked at with `bytes.count` and `bytes.rfind`; no object is made for a line.
"""


class TextWatch:
    """What was seen of a text: a bare CR or LF (`bare`), a line longer than *line_limit* with its CRLF (`long_line`).

    What to make of them is the caller's affair; with *normalize* each bare CR or LF is made a CRLF.
    """

    __slots__ = ("_column", "bare", "line_limit", "long_line", "normalize")

    def __init__(self, line_limit: int, normalize: bool = False) -> None:
        self.line_limit = line_limit
        self.normalize = normalize
        self.bare = False
        self.long_line = False
        self._column = 0

    def _measure(self, data: bytes) -> None:
        """Look for a line over the limit by leaps from line end to line end, one leap per limit."""
        if self.long_line:
            return
        limit, size = self.line_limit, len(data)
        start = -self._column  # where the line began that this piece goes on with
        while size - start > limit:
            end = data.rfind(b"\r\n", max(start, 0), start + limit)
            if end < 0:
                self.long_line = True
                return
            start = end + 2
        end = data.rfind(b"\r\n", max(start, 0))
        self._column = size - (end + 2 if end >= 0 else start)


class TextReader(TextWatch):
    """A text whose size is known, in pieces of any size. Its last line gets the CRLF that it lacks."""

    __slots__ = ("_held", "_last")

    def __init__(self, line_limit: int, normalize: bool = False) -> None:
        super().__init__(line_limit, normalize)
        # A CR at the end of a piece: the next may begin with its LF.
        self._held = b""
        # The last two octets, or the one there is; nothing at all has no line to end.
        self._last = b"\r\n"

    def read(self, data: bytes) -> bytes:
        """Return what *data* adds to the text."""
        if self._held:
            data = self._held + data
            self._held = b""
        if data.endswith(b"\r"):
            self._held = b"\r"
            data = data[:-1]
        return self._seen(data) if data else data

    def end(self) -> bytes:
        """Return what is still to come of the text: nothing, or its last octets."""
        rest, self._held = self._held, b""
        text = self._seen(rest) if rest else rest
        return text if self._last == b"\r\n" else text + b"\r\n"

    def _seen(self, data: bytes) -> bytes:
        self.bare = self.bare or has_bare_newline(data)
        if self.bare and self.normalize:
            data = normalize_newlines(data)
        self._measure(data)
        self._last = data[-2:]
        return data


def has_bare_newline(data: bytes) -> bool:
    """Say whether *data*, which cuts no CRLF in two, has a CR or an LF that stands alone."""
    # A tenth of the time of counting: pairs alone are looked for, and overwritten by something as long (to cut them
    # out takes half as long again); then what is left is looked for by memchr(3).
    rest = data.replace(b"\r\n", b"  ")
    return b"\n" in rest or b"\r" in rest


def normalize_newlines(data: bytes) -> bytes:
    """Return *data* with every bare CR and bare LF made a CRLF."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
