"""TOP (RFC 1939 §7, RFC 2449 §6.1): the header, the blank line and some lines of the body."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3 import responses
from mailsuite.pop3.command import TRANSACTION, Capability, Command, Result, Words
from mailsuite.pop3.drop import number

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession

_BLANK = b"\r\n\r\n"


class Beginning:
    """Lets a message through up to *lines* lines behind its first blank line; see `mailsuite.pop3.sending.Cut`."""

    __slots__ = ("_in_body", "_last", "_lines")

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._in_body = False
        # The end of what went before; a message may begin with its blank line.
        self._last = b"\r\n"

    def take(self, data: bytes) -> tuple[bytes, bool]:
        """See `Cut.take`."""
        position = 0
        if not self._in_body:
            position = self._body_begins(data)
            if not self._in_body:
                return data, False
        ends = data.count(b"\n", position)
        if ends < self._lines:
            self._lines -= ends
            return data, False
        for _ in range(self._lines):
            position = data.index(b"\n", position) + 1
        self._lines = 0
        return data[:position], True

    def _body_begins(self, data: bytes) -> int:
        """Return where in *data* the body begins, if it does."""
        joined = self._last + data
        blank = joined.find(_BLANK)
        if blank < 0:
            self._last = joined[-3:]
            return 0
        self._in_body = True
        return blank + len(_BLANK) - len(self._last)


def top(session: "ServerSession", words: Words) -> Result:
    """TOP msg n."""
    lines = number(words[1])
    if lines is None:
        return responses.BAD_NUMBER
    return session.send_message(words[0], lines, Beginning(lines))


class Top(Capability):
    """Always offered."""

    keyword: ClassVar[str] = "TOP"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"TOP": Command(TRANSACTION, top, 2, 2)}


PART = Top()
