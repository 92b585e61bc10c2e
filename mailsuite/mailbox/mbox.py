"""Messages in an mbox: where each begins, when it came, and what mail programs have noted in its header.

RFC 4155 for the separators; quoting as in mboxrd: of ``>From `` at the beginning of a line one ``>`` is taken off. No
separator is looked for in what is as long as its Content-Length says (mboxcl, mboxcl2); where such a message has lines
that are not quoted, none was.
"""

import calendar
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mailsuite.mailbox.uidl_sources import BadSource, header_id

# So much of a line is read at once: an mbox may have lines of any length.
_LINE_OCTETS = 65_536
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
# A zone may stand before the year or behind it; by RFC 4155 there is none, and UTC is meant.
_SEPARATOR = re.compile(
    rb"From .*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (%b) +(\d{1,2}) +(\d\d):(\d\d)(?::(\d\d))?"
    rb"(?: (?:[A-Z]{1,5}|([+-]\d{4})))? (\d{4})(?: ([+-]\d{4}))?(?: remote from \S+)?\s*" % b"|".join(_MONTHS)
)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
# What is said of a message as one of an mbox, and not in it.
_NOTES = re.compile(
    rb"^(?:Status|X-Status|X-Keywords|X-UID|X-UIDL|X-IMAP|X-IMAPbase|Content-Length):.*\n(?:[ \t].*\n)*", re.M | re.I
)
_LENGTH = re.compile(rb"Content-Length:[ \t]*(\d{1,15})[ \t]*\r?\n", re.I)
_UNQUOTED = re.compile(rb"^From ", re.MULTILINE)
_FIELD = re.compile(rb"[!-9;-~]+:")
_BLANK = (b"\n", b"\r\n")
_STATUS = re.compile(rb"^(?:X-)?Status:[ \t]*([A-Za-z]*)", re.M | re.I)
# What others write of a message as a letter, and what Maildir does.
_FLAGS = {b"Status": {b"R": b"S"}, b"X-Status": {b"A": b"R", b"F": b"F", b"D": b"T", b"T": b"D"}}
# The first message of an mbox that an IMAP server has kept its own notes in.
_INTERNAL = re.compile(rb"^Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA", re.M)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies in the file, without its separator, and when it came (POSIX seconds)."""

    start: int
    length: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it was: with CRLF line ends, and without the notes, of which *flags* and *unique_id* are made.

    *flags* are Maildir's letters; *old*: a program has shown that it is there.
    """

    content: bytes
    flags: bytes
    old: bool
    unique_id: bytes | None


def places(file: BinaryIO) -> Iterator[Place]:
    """Yield where each message lies. Raises `BadSource` where *file* is no mbox; one that is empty has none."""
    begun: tuple[int, int] | None = None
    at = 0
    length: int | None = None
    # Whether the first message has a length: else those of others come from whoever has sent them.
    has_lengths: bool | None = None
    line_begins = blank_before = True
    in_head = False
    while line := file.readline(_LINE_OCTETS):
        after = at + len(line)
        seconds = _seconds(line) if line_begins and line.startswith(b"From ") else None
        is_behind_text = begun is not None and at > begun[0]
        if seconds is not None and (blank_before or (is_behind_text and _is_cut_off(file, after))):
            if begun is not None:
                yield Place(begun[0], at - begun[0], begun[1])
            begun, length, in_head = (after, seconds), None, True
        elif begun is None:
            raise BadSource("this is no mbox: it does not begin with a line such as"
                            " From alice@example.com Thu Jan  1 00:00:00 2026")  # fmt: skip
        elif in_head:
            in_head = not (line_begins and line in _BLANK)
            told = _LENGTH.fullmatch(line) if line_begins else None
            length = int(told[1]) if told and length is None else length
            if not in_head:
                has_lengths = length is not None if has_lengths is None else has_lengths
                after = _end(file, after, length) if length is not None and has_lengths else after
        blank_before = line_begins and line in _BLANK
        line_begins = line.endswith(b"\n")
        at = after
    if begun is not None:
        yield Place(begun[0], at - begun[0], begun[1])


def _is_cut_off(file: BinaryIO, after: int) -> bool:
    """Say whether a separator without an empty line before it is one all the same: a header begins behind it.

    So what was being written when the disk was full, or the machine went down, does not swallow what came next.
    """
    field = file.readline(_LINE_OCTETS)
    file.seek(after)
    return _FIELD.match(field) is not None


def _end(file: BinaryIO, start: int, length: int) -> int:
    """Go to the end of the body at *start*, if there is one after *length* octets; return where *file* is then."""
    file.seek(0, os.SEEK_END)
    if start + length <= file.tell():
        file.seek(start + length)
        end = start + length
        line = file.readline(_LINE_OCTETS)
        if line in _BLANK:
            end += len(line)
            line = file.readline(_LINE_OCTETS)
        if not line or (line.startswith(b"From ") and _seconds(line) is not None):
            file.seek(end)
            return end
    file.seek(start)
    return start


def letter(octets: bytes) -> Letter | None:
    """Return the message that *octets*, of one `Place`, are; ``None`` for one that is a mail program's own notes."""
    text = octets.replace(b"\r\n", b"\n")
    # An empty line ends each message, and is none of its own.
    text = text.removesuffix(b"\n") if text.endswith(b"\n\n") else text
    text = text if text.endswith(b"\n") else text + b"\n"
    end = 0 if text.startswith(b"\n") else text.find(b"\n\n") + 1 or len(text)
    head, rest = text[:end], text[end:]
    if _INTERNAL.search(head):
        return None
    unique_id = header_id(head)
    flags, old = _noted(head)
    # Of a message that had notes alone an empty line is left.
    whole = _NOTES.sub(b"", head) + rest or b"\n"
    if not (_UNQUOTED.search(rest) and b"\ncontent-length:" in b"\n" + head.lower()):
        whole = _QUOTED.sub(rb"\1", whole)
    return Letter(whole.replace(b"\n", b"\r\n"), flags, old, unique_id)


def _noted(head: bytes) -> tuple[bytes, bool]:
    flags = set[bytes]()
    old = False
    for found in _STATUS.finditer(head):
        extended = found[0][:2].upper() == b"X-"
        letters = {found[1][index : index + 1].upper() for index in range(len(found[1]))}
        known = _FLAGS[b"X-Status" if extended else b"Status"]
        flags |= {known[each] for each in letters if each in known}
        old = old or bool(letters & {b"O", b"R"}) or extended
    return b"".join(sorted(flags)), old or bool(flags)


def _seconds(line: bytes) -> int | None:
    found = _SEPARATOR.fullmatch(line)
    if found is None:
        return None
    month, day, hour, minute, second, before, year, behind = found.groups()
    parts = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second or 0))
    if not (1 <= parts[2] <= 31 and parts[3] < 24 and parts[4] < 60 and parts[5] <= 60 and parts[0] >= 1970):
        return None
    zone = before or behind or b"+0000"
    east = (int(zone[1:3]) * 3600 + int(zone[3:5]) * 60) * (-1 if zone.startswith(b"-") else 1)
    return max(calendar.timegm((*parts, 0, 0, 0)) - east, 0)
