"""What a server answers, off the wire (RFC 5321 §4.2): octets to replies, whatever those octets are.

Here the peer is the server, and nothing that it sends raises: what makes no sense is a `Garbled`, and what it says to
people becomes printable ASCII of a bounded length before anybody sees it (lesson 25).
"""

import re
from dataclasses import dataclass
from enum import Enum

from mailsuite.outcome import Answer

# The longest line, with its end. RFC 5321 §4.5.3.1.5 has 512; a challenge of SASL may have these (RFC 4954 §4).
LINE_OCTETS = 12_294
# The most lines of one reply, and the most octets; no EHLO comes near.
REPLY_LINES = 128
REPLY_OCTETS = 65_536
# What is kept of a reply for people.
ANSWER_LINES = 20
ANSWER_LETTERS = 200
_CUT = "..."

# status-code = class "." subject "." detail (RFC 2034 §4, RFC 3463 §2), then a space or the end.
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: +|$)")
_UNPRINTABLE = re.compile(r"[^ -~]")


class Garbled(Enum):
    """Why what came is no reply."""

    LINE_TOO_LONG = "a reply line that is too long"
    TOO_MANY_LINES = "a reply of too many lines"
    TOO_LARGE = "a reply that is too large"
    NO_CODE = "a line that is no reply"
    MIXED_CODES = "a reply with more than one code"


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One whole reply: its three digits as a number, and the text of each line, as it came."""

    code: int
    texts: tuple[bytes, ...]

    @property
    def kind(self) -> int:
        """The first digit of the code (RFC 5321 §4.2.1)."""
        return self.code // 100

    @property
    def answer(self) -> Answer:
        """What may be shown and kept: bounded printable ASCII, the enhanced status taken off the text."""
        status = ""
        lines = []
        for text in self.texts[:ANSWER_LINES]:
            line = printable(text)
            found = _STATUS.match(line)
            # RFC 2034 §4: the class is the code's own, and each line has the same status.
            if found is not None and int(line[0]) == self.kind and status in ("", found[1]):
                status = found[1]
                line = line[found.end() :]
            if line:
                lines.append(line if len(line) <= ANSWER_LETTERS else line[: ANSWER_LETTERS - len(_CUT)] + _CUT)
        return Answer("", self.code, status, tuple(lines))


def printable(text: bytes) -> str:
    """Return *text* without white space at its ends; a tab is a space, other octets are escaped (``\\xNN``)."""
    letters = text.decode("ascii", "backslashreplace")
    if not letters.isprintable():
        letters = _UNPRINTABLE.sub(_escaped, letters.replace("\t", " "))
    return letters.strip(" ")


def _escaped(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


class AnswerReader:
    """Received octets that were not read yet, and the replies cut from them.

    A line ends in CRLF; a bare LF is taken for an end, too, as sloppy servers send it.
    """

    __slots__ = ("_code", "_data", "_octets", "_start", "_texts")

    def __init__(self) -> None:
        self._data = b""
        self._start = 0
        self._code = b""
        self._texts: list[bytes] = []
        self._octets = 0

    def __len__(self) -> int:
        return len(self._data) - self._start

    @property
    def empty(self) -> bool:
        """Whether nothing is here, not even the beginning of a reply."""
        return not self._texts and self._start == len(self._data)

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
        self._texts = []
        self._octets = 0

    def read(self) -> ServerReply | Garbled | None:
        """Return the next reply; ``None`` when its end has not come. After a `Garbled` nothing here means anything."""
        while True:
            end = self._data.find(b"\n", self._start)
            if end < 0:
                return Garbled.LINE_TOO_LONG if len(self) > LINE_OCTETS else None
            start, self._start = self._start, end + 1
            if end + 1 - start > LINE_OCTETS:
                return Garbled.LINE_TOO_LONG
            line = self._data[start : end - 1 if self._data.startswith(b"\r", end - 1, end) else end]
            code, mark = line[:3], line[3:4]
            if len(code) < 3 or not code.isdigit() or mark not in (b" ", b"-", b""):
                return Garbled.NO_CODE
            if not self._texts and mark != b"-":
                return ServerReply(int(code), (line[4:],))
            fault = self._add(code, line)
            if fault is not None:
                return fault
            if mark != b"-":
                texts, self._texts, self._octets = tuple(self._texts), [], 0
                return ServerReply(int(code), texts)

    def _add(self, code: bytes, line: bytes) -> Garbled | None:
        """Take a line of a reply of several."""
        if self._texts and code != self._code:
            # RFC 5321 §4.2.1: each line has the same code.
            return Garbled.MIXED_CODES
        self._code = code
        self._texts.append(line[4:])
        self._octets += len(line)
        if len(self._texts) > REPLY_LINES:
            return Garbled.TOO_MANY_LINES
        return Garbled.TOO_LARGE if self._octets > REPLY_OCTETS else None
