"""Header sections as octets (RFC 5322 §2.2): found, read, and changed without touching another field."""

import re
from collections.abc import Iterator

# A header section larger than this is refused; real ones have some kilobytes.
HEADER_OCTETS = 1 << 18
# So is one of more fields: to go through each of them takes a millisecond a thousand, in which nobody else is served.
HEADER_FIELDS = 5000

# field-name = 1*ftext; the folded lines of its body begin with white space (RFC 5322 §2.2.3, §3.6.8).
_FIELD = re.compile(rb"(?P<name>[!-9;-~]+)[ \t]*:(?P<body>[^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)")
# Behind which no line is folded.
_END = re.compile(rb"\r\n(?![ \t])")


def header_end(content: bytes) -> int:
    """Return the index after the header section, where the empty line begins; -1 where it has not come yet."""
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n")
    return end + 2 if end >= 0 else -1


def is_too_large(header: bytes) -> bool:
    """Say whether *header* goes beyond `HEADER_OCTETS` or `HEADER_FIELDS`; a line that is no field counts as one.

    For each of them `fields` yields two at most: one, but where a bare CR or LF stands in what is folded.
    """
    if len(header) > HEADER_OCTETS:
        return True
    # A line has an octet at least, and its end.
    if len(header) <= 3 * HEADER_FIELDS:
        return False
    folded = header.count(b"\r\n ") + header.count(b"\r\n\t")
    return header.count(b"\r\n") - folded > HEADER_FIELDS


def fields(header: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield each field as its name in lower case, its body still folded, and the whole of its octets.

    Octets that are no field (a message without a header, a broken line, with what is folded behind it) are yielded
    with an empty name, so that the third parts joined are *header* again.
    """
    start = 0
    while start < len(header):
        found = _FIELD.match(header, start)
        if found is None:
            broken = _END.search(header, start)
            end = len(header) if broken is None else broken.end()
            yield b"", b"", header[start:end]
        else:
            end = found.end()
            yield found["name"].lower(), found["body"], found[0]
        start = end


def has_field(header: bytes, name: bytes) -> bool:
    """Say whether *header* has a field called *name* (lower case)."""
    return any(field == name for field, _, _ in fields(header))


def without(header: bytes, *names: bytes) -> bytes:
    """Return *header* without the fields called *names* (lower case); all other octets stay as they are."""
    return b"".join(whole for name, _, whole in fields(header) if name not in names)


def unfold(body: bytes) -> str:
    """Return a field's body as text on one line (RFC 5322 §2.2.3)."""
    return body.replace(b"\r\n", b"").decode("utf-8", "surrogateescape").strip()
