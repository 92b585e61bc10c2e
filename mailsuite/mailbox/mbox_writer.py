"""Writes messages as an mbox (RFC 4155, quoted as mboxrd), with what `mailsuite.mailbox.mbox` reads of each.

The length comes first, so that one that the message brings along is not taken for ours.
"""

import os
import re
import time
from collections.abc import Iterator

from mailsuite.mailbox.listing import Listing

_TO_QUOTE = re.compile(rb"^(>*From )", re.MULTILINE)
_RETURN_PATH = re.compile(rb"^Return-Path:[ \t]*<?([^<>\s]*)>?", re.M | re.I)
# Maildir's flags as letters of X-Status: replied is answered there, trashed deleted, and a draft has a T.
_EXTENDED = {b"R": b"A", b"F": b"F", b"T": b"D", b"D": b"T"}


def mbox(root: bytes, listing: Listing) -> Iterator[bytes]:
    """Yield each message of *listing*, which lies in the mailbox *root*, as it stands in an mbox; those that are gone
    meanwhile are left out. Raises `OSError`."""
    for index in range(len(listing)):
        place = listing.path(index)
        try:
            fd = os.open(root + b"/" + place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with os.fdopen(fd, "rb") as file:
            content = file.read()
            when = os.fstat(fd).st_mtime
        yield _entry(content, when, place, listing.unique_id(index))


def _entry(content: bytes, when: float, place: bytes, unique_id: str) -> bytes:
    text = content.replace(b"\r\n", b"\n")
    head = text.partition(b"\n\n")[0]
    found = _RETURN_PATH.search(head)
    sender = found[1] if found and found[1] else b"MAILER-DAEMON"
    notes = _notes(place) + b"X-UIDL: %b\n" % unique_id.encode("ascii")
    quoted = _TO_QUOTE.sub(rb">\1", notes + text)
    date = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(when)).encode()
    whole = quoted if quoted.endswith(b"\n") else quoted + b"\n"
    length = len(whole.partition(b"\n\n")[2])
    return b"From %b %b\nContent-Length: %d\n%b\n" % (sender, date, length, whole)


def _notes(place: bytes) -> bytes:
    """Return the header fields that say what flags the message has."""
    flags = place.partition(b":2,")[2]
    seen = b"R" if b"S" in flags else b""
    old = b"O" if not place.startswith(b"new/") else b""
    extended = b"".join(letter for flag, letter in _EXTENDED.items() if flag in flags)
    notes = b"Status: %b%b\n" % (seen, old) if seen or old else b""
    return notes + (b"X-Status: %b\n" % extended if extended else b"")
