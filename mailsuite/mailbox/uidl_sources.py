"""Where other POP3 servers keep the unique ids they gave: Dovecot, Courier, Qpopper's header, or a plain list.

Each reader yields pairs of a file's name and its id; a line that says nothing of a message is passed over. What
cannot be read at all raises `BadSource`.
"""

import re
from collections.abc import Iterable, Iterator

from mailsuite.mailbox.uidl_format import DOVECOT_FORMAT, BadFormat, expanded

# Numbers of 32 bits; what has more digits was never written by it.
_DOVECOT_HEAD = re.compile(rb"3 (?:.* )?V(\d{1,10})(?!\d)|1 (\d{1,10}) \d+$")
_DOVECOT_UID = re.compile(rb"\d{1,10}")
_COURIER_HEAD = re.compile(rb"/([23]) \d+ \d+")
_COURIER = re.compile(rb"(.+) \d+ (\d+):(\d+)(?::\d+)?")
_COURIER_OLD = re.compile(rb"([^ ]+) (\d+)")

Pair = tuple[bytes, bytes]


class BadSource(ValueError):
    """The file is not of that kind, or the format cannot be followed."""


def dovecot(lines: Iterable[bytes], form: str = DOVECOT_FORMAT) -> Iterator[Pair]:
    """Read a ``dovecot-uidlist``; *form* is the ``pop3_uidl_format``, and what the file itself says of an id wins."""
    rest = iter(lines)
    first = next(rest, b"")
    if not first:
        # Taken for no list, clients would fetch all mail again if it was lost in a copy.
        raise BadSource("it is empty, as none of Dovecot's is: copy it again, or remove it, and messages get new ids")
    head = _DOVECOT_HEAD.match(first)
    if head is None:
        raise BadSource("this is no dovecot-uidlist of version 1 or 3")
    validity = head[1] or head[2]
    for line in rest:
        facts, colon, name = line.rstrip(b"\n").partition(b" :" if head[1] else b" ")
        uid, *more = facts.split(b" ")
        if not colon or _DOVECOT_UID.fullmatch(uid) is None:
            continue
        told = {fact[:1]: fact[1:] for fact in more}
        name = name.partition(b":")[0]
        if b"P" in told:
            yield name, told[b"P"]
            continue
        values = {"u": uid, "v": validity, "f": name, "g": told.get(b"G") or name}
        try:
            yield name, expanded(form, values)
        except BadFormat as error:
            raise BadSource(str(error)) from error


def courier(lines: Iterable[bytes]) -> Iterator[Pair]:
    """Read a ``courierpop3dsizelist``, of any version."""
    rest = iter(lines)
    head = next(rest, b"")
    if head.startswith(b"/"):
        if _COURIER_HEAD.match(head) is None:
            raise BadSource("this is no courierpop3dsizelist of version 1, 2 or 3")
        for line in rest:
            row = _COURIER.fullmatch(line.rstrip(b"\n"))
            if row is not None:
                yield row[1], _courier_id(*row.groups())
        return
    for line in (head, *rest):
        row = _COURIER_OLD.fullmatch(line.rstrip(b"\n"))
        if row is not None:
            yield row[1], b"UID" + row[2]


def _courier_id(name: bytes, number: bytes, validity: bytes) -> bytes:
    if number == b"0":
        # An id from before Courier numbered messages.
        return b"".join(
            b"%c" % octet if 0x21 <= octet <= 0x7E and octet not in b"'\"+" else b"+%02X" % octet
            for octet in name.partition(b":")[0]
        )
    return b"UID" + number if validity == b"0" else b"UID" + number + b"-" + validity


def plain(lines: Iterable[bytes]) -> Iterator[Pair]:
    """Read lines of ``NAME ID``, empty ones and comments aside. Raises `BadSource` at any other."""
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or fields[0].startswith(b"#"):
            continue
        if len(fields) != 2:
            raise BadSource(f"line {number} is not a name and an id")
        yield fields[0], fields[1]


def header_id(beginning: bytes) -> bytes | None:
    """Return the id, fit or not, that Qpopper or another server has written into a message (``X-UIDL``)."""
    text = beginning.replace(b"\r\n", b"\n")
    head = text.partition(b"\n\n")[0] + b"\n"
    found = re.search(rb"^X-UIDL:([^\n]*)$", head, re.M | re.I)
    return None if found is None else found[1].strip(b" \t") or None
