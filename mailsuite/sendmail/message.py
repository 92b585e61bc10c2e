"""The message that a program has written, made into one that can be sent: line ends, header section, names."""

import re
from collections.abc import Iterator, Sequence
from email.utils import formataddr, getaddresses

from mailsuite.message.headers import fields, has_field, unfold, without
from mailsuite.sendmail.exit_codes import DATAERR, NOUSER, Ends

# A line that may stand in a header section.
_HEADER_LINE = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]")
# What mailboxes in one file put before each message.
_FROM_LINE = re.compile(rb">?From [^\n]*\n")
_DOT_LINE = re.compile(rb"^\.\r?\n", re.MULTILINE)
# Longer lines must not be sent (without CR LF).
_LINE = 998
# Looked for at the beginning of a line alone: from anywhere else it would take as long as lines are, times that.
_LONG_LINE = re.compile(rb"^[^\n]{%d,}" % (_LINE + 1), re.MULTILINE)
_AUTHORS = ("from", "sender", "reply-to")
_RECIPIENTS = ("to", "cc", "bcc")
_ADDRESSES = frozenset(f"{resent}{name}" for resent in ("", "resent-") for name in (*_AUTHORS, *_RECIPIENTS))


def ended(content: bytes) -> bytes:
    """Return *content* up to the line with a lone dot that ends it, if there is one."""
    found = _DOT_LINE.search(content)
    return content if found is None else content[: found.start()]


def split(content: bytes) -> tuple[bytes, bytes]:
    """Return header section and body, with CR LF at the end of each line; a line that is no field begins the body."""
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found = _FROM_LINE.match(content)
    start = end = 0 if found is None else found.end()
    while end < len(content) and content[end : end + 1] != b"\n" and _HEADER_LINE.match(content, end):
        if end == start and content[end : end + 1] in b" \t":
            # Nothing that it could continue.
            break
        line = content.find(b"\n", end) + 1
        end = line or len(content)
    body = content[end + 1 :] if content[end : end + 1] == b"\n" else content[end:]
    return _lines(content[start:end]), _lines(_broken(body))


def _lines(text: bytes) -> bytes:
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return text.replace(b"\n", b"\r\n")


def _broken(body: bytes) -> bytes:
    """Return *body* with a line break and a space in lines that nobody has to take."""
    return _LONG_LINE.sub(lambda found: b"\n ".join(pieces(found[0])), body)


def pieces(line: bytes) -> Iterator[bytes]:
    """Yield *line* in parts that fit, each but the first behind a space; each octet is copied once."""
    start, room = 0, _LINE
    while len(line) - start > room:
        cut = start + room
        # Not within a character of UTF-8.
        while cut > start + room - 4 and line[cut] & 0xC0 == 0x80:
            cut -= 1
        yield line[start:cut]
        start, room = cut, _LINE - 1
    yield line[start:]


def named(header: bytes) -> list[str]:
    """Return the recipients that *header* names (``-t``). Raises `Ends` where a field cannot be read.

    A message that is sent anew goes to those of the Resent fields.
    """
    resent = any(has_field(header, f"resent-{name}".encode()) for name in _RECIPIENTS)
    wanted = {f"resent-{name}" if resent else name for name in _RECIPIENTS}
    found: list[str] = []
    for name, body, _ in fields(header):
        if name.decode() in wanted:
            found += [address for _, address in _read(name.decode(), unfold(body))]
    return found


def _read(name: str, text: str) -> list[tuple[str, str]]:
    people = getaddresses([text])
    empty = not text.strip() or re.fullmatch(r"[^@<>]*:\s*;?\s*", text)
    if empty:
        return []
    if not people or not all(address for _, address in people):
        raise Ends(DATAERR, f"the field {name.capitalize()} cannot be read: {text[:200]!r}")
    return people


def qualified(address: str, origin: str) -> str:
    """Return *address*, behind a name without a domain *origin*. Raises `Ends` for what can be none."""
    if not _possible(address):
        raise Ends(NOUSER, f"this is no address: {address!r}")
    return address if "@" in address else f"{address}@{origin}"


def _possible(address: str) -> bool:
    return bool(address) and not any(letter in "<>" or not letter.isprintable() for letter in address)


def listed(arguments: Sequence[str]) -> list[str]:
    """Return the addresses in *arguments*: each has one, or several with commas, perhaps with people's names."""
    found: list[str] = []
    for argument in arguments:
        if any(letter in ",<( \"" for letter in argument):
            people = [address for _, address in getaddresses([argument])]
            if not people or not all(people):
                raise Ends(NOUSER, f"this is no address: {argument!r}")
            found += people
        else:
            found.append(argument)
    return found


def completed(header: bytes, sender: str, full_name: str, origin: str) -> bytes:
    """Return *header* with a From field, names that have a domain, and without what only our own server writes.

    Date and Message-ID are the server's to add. What is not ASCII is left as it is.
    """
    header = b"".join(_with_domains(*field, origin) for field in fields(without(header, b"return-path")))
    if has_field(header, b"from"):
        return header
    return f"From: {_author(full_name, sender)}\r\n".encode() + header


def _author(full_name: str, address: str) -> str:
    # What no field can hold could begin another one.
    name = "".join(letter if letter.isprintable() else " " for letter in full_name).strip()
    if address.isascii():
        return formataddr((name, address))
    # RFC 6532 §3.2: as it is, which formataddr refuses.
    return f"{formataddr((name, '')).removesuffix('<>')}<{address}>"


def _with_domains(name: bytes, body: bytes, whole: bytes, origin: str) -> bytes:
    if name.decode() not in _ADDRESSES or not body.isascii():
        return whole
    people = getaddresses([unfold(body)])
    if all("@" in address for _, address in people) or not all(_possible(address) for _, address in people):
        return whole
    spelled = whole.partition(b":")[0].decode()
    told = [formataddr((person, qualified(address, origin))) for person, address in people]
    return (f"{spelled}: " + ",\r\n ".join(told) + "\r\n").encode()
