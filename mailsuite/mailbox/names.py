"""What the name of a file in a Maildir says: when it was delivered, its sizes, its unique id.

https://cr.yp.to/proto/maildir.html; ``,S=`` (octets on disk) and ``,W=`` (octets with CRLF line ends) as Dovecot
and Courier write them; RFC 1939 §7 (UIDL). Names are octets: other programs may write any.
"""

import hashlib
import re
from dataclasses import dataclass

# Ends the unique part of the name of a file of ours whose last line has no CRLF; POP3 has to send one (RFC 1939 §3),
# and to count it, without a look at the file.
OPEN = "o"
# A name that `mailsuite.mailbox.maildir.Names` has made: such a file goes onto the wire as it is.
_OURS = re.compile(rb"\d{1,12}\.M\d{6}P[^.,:/]*Q[0-9a-f]+(o?),S=(\d{1,15}),W=(\d{1,15})(?::.*)?", re.DOTALL)
_SIZE = re.compile(rb",S=(\d{1,15})(?=[,:]|$)")
_WIRE = re.compile(rb",W=(\d{1,15})(?=[,:]|$)")
_DIGITS = re.compile(rb"\d{1,19}")
_BASE = re.compile(rb"[^,:]*")
# RFC 1939 §7: one to 70 characters in the range 0x21 to 0x7E.
_FIT = re.compile(rb"[\x21-\x7e]{1,70}")
_HASHED_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a name says of its file: octets on disk, octets on the wire, ``None`` where it says nothing.

    *ours*: the file was written by this suite, is sent as it lies on the disk, and needs no look to be listed; where
    it has fewer octets there than on the wire, CRLF comes behind it.
    """

    disk: int | None
    wire: int | None
    ours: bool = False


def our_size(name: bytes) -> int | None:
    """Return the size of a file of ours on the wire; ``None`` for any other name."""
    match = _OURS.fullmatch(name)
    if match is None or match[2] != match[3]:
        return None
    return int(match[2]) + 2 if match[1] else int(match[2])


def sizes(name: bytes) -> Sizes:
    """Return what *name* says of sizes."""
    match = _OURS.fullmatch(name)
    if match is not None and match[2] == match[3]:
        disk = int(match[2])
        return Sizes(disk, disk + 2 if match[1] else disk, True)
    fields = name.partition(b":")[0]
    found, wire = _SIZE.search(fields), _WIRE.search(fields)
    return Sizes(int(found[1]) if found else None, int(wire[1]) if wire else None)


def sized(name: bytes, content: bytes) -> bytes:
    """Return *name*, which has no flags, with the true sizes of *content* in it; one of ours that is true stays."""
    there = sizes(name)
    if there.ours and there.disk == len(content):
        return name
    wire = len(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    named = b"%b,S=%d,W=%d" % (base(name), len(content), wire)
    said = sizes(named)
    # A name like ours says more than it should of another program's file.
    is_true = not said.ours or said.wire == wire + (0 if content.endswith(b"\n") else 2)
    return named if is_true else b"%b,S=%d" % (base(name), len(content))


def base(name: bytes) -> bytes:
    """Return the part of *name* that stays when flags change: up to the first comma or colon."""
    match = _BASE.match(name)
    return b"" if match is None else match[0]


def order(name: bytes) -> bytes:
    """Return the key that sorts names by the second of delivery, then by base name."""
    match = _DIGITS.match(name)
    seconds = b"" if match is None else match[0].lstrip(b"0")
    return seconds.rjust(19, b"0") + name


def is_fit(unique_id: bytes) -> bool:
    """Say whether *unique_id* may stand in a UIDL listing as it is."""
    return _FIT.fullmatch(unique_id) is not None


def hashed(octets: bytes) -> str:
    """Return a fit unique id made from *octets*, always the same."""
    return hashlib.sha256(octets).hexdigest()[:_HASHED_DIGITS]
