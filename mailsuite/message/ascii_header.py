"""A header section with letters that are not ASCII (RFC 6532) as one that programs without SMTPUTF8 can read.

This is RFC 6858's simplified downgrading, with one thing more: what comes out has exactly as many octets as what went
in, so that sizes which were told before any message was read stay true (RFC 1939 §11). Where ASCII takes more room,
fields are left out whose loss nobody feels; where it takes less, a Comments field fills it.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from mailsuite.message.headers import fields, unfold

# RFC 6858 §2.1: stands for an address that cannot be shown; the display name says which one that is.
NO_ADDRESS = "<invalid@internationalized-address.invalid>"
_ADDRESSES = frozenset(
    (
        b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"return-path",
        b"resent-from", b"resent-sender", b"resent-to", b"resent-cc", b"resent-bcc",
    )
)  # fmt: skip
_WITH_PARAMETERS = frozenset((b"content-type", b"content-disposition"))
# Left out for the sake of room, in this order: signatures, which no changed message has; what programs say of
# themselves; the way that it came.
_SPARED = (
    re.compile(rb"dkim-signature|arc-|domainkey-signature|x-google-dkim-signature"),
    re.compile(rb"x-|user-agent|authentication-results"),
    re.compile(rb"received"),
)
# Then, in this order, letters become question marks.
_MARKED = (
    re.compile(rb"return-path|resent-.*|reply-to|sender"),
    re.compile(rb"to|cc|bcc"),
    re.compile(rb"from"),
    re.compile(rb"subject"),
)
# A quoted string, a comment, what is in angle brackets, what stands between addresses, and all else. Each may lack its
# end: whoever looked for that again and again would take as many steps as there are octets, squared.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|\((?:[^()\\]|\\.)*\)?|<[^<>]*>?|[,;:]|[^"(<,;:]+', re.DOTALL)
_PARAMETER = re.compile(rb'(?:"(?:[^"\\]|\\.)*"?|[^";])+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
# RFC 2047 §2: an encoded word has at most 75 octets, in base64 so many of text.
_WORD_OCTETS = 45
# Of a header section that is longer no field is looked at: what is made on purpose may take as long as 5 us an octet.
SHOWN_OCTETS = 1 << 14
# Any but those that stand for octets that are no UTF-8.
_LETTER = re.compile("[^\0-\x7f\udc80-\udcff]")
_BLOTS = bytes([*range(128), *b"?" * 128])
_NOTE = b"Comments: Some letters of this message are not shown to your program "
_LINE_OCTETS = 78


@dataclass(slots=True)
class _Field:
    """One field: its name in lower case, what is sent of it, and all that it was."""

    name: bytes
    form: bytes
    whole: bytes


def in_ascii(header: bytes) -> bytes:
    """Return *header* in ASCII and of the same length; a field not in UTF-8 is nothing of RFC 6532 and stays."""
    if header.isascii():
        return header
    if len(header) > SHOWN_OCTETS:
        return marked(header)
    converted = [
        _Field(name, _downgraded(name, body, whole) if _is_internationalized(whole) else whole, whole)
        for name, body, whole in fields(header)
    ]
    return _filled(_fitted(converted, len(header)), len(header))


def marked(header: bytes) -> bytes:
    """Return *header* as `in_ascii` does, in next to no time, with a question mark for each letter."""
    text = header.decode("utf-8", "surrogateescape")
    return _filled(_LETTER.sub("?", text).encode("ascii", "surrogateescape"), len(header))


def blotted(octets: bytes) -> bytes:
    """Return a part of a header section with a question mark for each octet that is not ASCII."""
    return octets.translate(_BLOTS)


def _is_internationalized(whole: bytes) -> bool:
    if whole.isascii():
        return False
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _downgraded(name: bytes, body: bytes, whole: bytes) -> bytes:
    """RFC 6858 §2: nothing is left of a field whose meaning ASCII cannot carry."""
    spelled = whole[: len(name)].decode("ascii")
    if name == b"subject":
        return f"{spelled}: {_words(unfold(body))}\r\n".encode("ascii")
    if name in _ADDRESSES:
        return f"{spelled}: {_mailboxes(unfold(body), _shown).lstrip()}\r\n".encode("ascii")
    if name in _WITH_PARAMETERS:
        return _without_parameters(whole)
    return b""


def _fitted(converted: list[_Field], octets: int) -> bytes:
    """Return the fields joined, changed further for as long as they are longer than *octets*."""
    over = sum(len(field.form) for field in converted) - octets
    for spared in _SPARED:
        for field in reversed(converted):
            if over > 0 and spared.match(field.name):
                over -= len(field.form)
                field.form = b""
    for rank in _MARKED:
        for field in converted:
            if over > 0 and rank.fullmatch(field.name) and _is_internationalized(field.whole):
                plain = _plain(field.name, field.whole)
                over += len(plain) - len(field.form)
                field.form = plain
    return b"".join(field.form for field in converted)


def _plain(name: bytes, whole: bytes) -> bytes:
    """Return a field that is never longer than it was: a question mark for each letter."""
    text = whole.decode("utf-8")
    if name in _ADDRESSES:
        head, _, body = text.removesuffix("\r\n").partition(":")
        return f"{head}:{_mailboxes(body, _marked)}\r\n".encode("ascii")
    return _question_marks(text).encode("ascii")


def _filled(header: bytes, octets: int) -> bytes:
    """Return *header* with a filling that makes *octets* of it."""
    room = octets - len(header)
    if room < 4:
        return header[:-2] + b" " * room + b"\r\n" if room else header
    if room <= len(b"Comments: \r\n"):
        return header + b"X:" + b" " * (room - 4) + b"\r\n"
    filling = []
    note = _NOTE
    while room:
        line = _LINE_OCTETS if room > _LINE_OCTETS + len(b"Comments: -\r\n") else room
        start = note if line >= len(note) + 3 else b"Comments: "
        filling.append(start + b"-" * (line - len(start) - 2) + b"\r\n")
        room -= line
        note = b"Comments: "
    return header + b"".join(filling)


def _mailboxes(text: str, form: Callable[[str, str], str]) -> str:
    """Return a list of addresses (RFC 5322 §3.4), those that are not ASCII in their other *form*."""
    done: list[str] = []
    pieces: list[str] = []
    for piece in [*_PIECE.findall(text), ""]:
        if piece not in (",", ";", ":", ""):
            pieces.append(piece)
            continue
        whole = "".join(pieces)
        done.append(whole if whole.isascii() else form(whole, _bare(pieces, piece == ":")))
        done.append(piece)
        pieces.clear()
    return "".join(done)


def _bare(pieces: list[str], is_group: bool) -> str:
    """Return the address alone; of a group's name, nothing."""
    if is_group:
        return ""
    bracketed = [piece for piece in pieces if piece.startswith("<")]
    return bracketed[0] if bracketed else "".join(piece for piece in pieces if not piece.startswith("(")).strip()


def _shown(whole: str, address: str) -> str:
    if not address:
        return f" {_words(_unquoted(whole))}"
    if not address.isascii():
        # RFC 6858 §2.1: the display name tells what happened; here, what stood there.
        return f" {_words(_unquoted(whole))}\r\n {NO_ADDRESS}"
    name = _unquoted(whole.replace(address, "", 1)) if address.startswith("<") else _commented(whole)
    return f" {_words(name)}\r\n {address if address.startswith('<') else f'<{address}>'}"


def _marked(whole: str, address: str) -> str:
    # RFC 5322 §3.4: an empty group is what says least.
    group = f"{_ends(whole)}?:;"
    # It is longer than what was no address anyhow, such as a letter alone.
    return group if not address.isascii() and len(group) <= len(whole.encode()) else _question_marks(whole)


def _ends(whole: str) -> str:
    return "\r\n " if whole.startswith("\r\n") else ""


def _unquoted(text: str) -> str:
    """Return the words of a phrase, quotes taken off."""
    words = (
        _ESCAPED.sub(r"\1", piece[1:].removesuffix('"')) if piece.startswith('"') else piece
        for piece in _PIECE.findall(text)
    )
    return "".join(words).strip()


def _commented(text: str) -> str:
    """Return what comments say: of old, a name stood in one behind its address."""
    return " ".join(piece[1:].removesuffix(")") for piece in _PIECE.findall(text) if piece.startswith("("))


def _without_parameters(whole: bytes) -> bytes:
    """RFC 6858 §2.2: a parameter that is not ASCII is left out."""
    first, *others = _PARAMETER.findall(whole.rstrip(b"\r\n"))
    kept = [each for each in others if each.isascii()]
    return b";".join([first, *kept]) + b"\r\n" if first.isascii() else b""


def _words(text: str) -> str:
    """Return *text* in encoded words of whole characters (RFC 2047 §5)."""
    found: list[str] = []
    some = b""
    for letter in text:
        octets = letter.encode("utf-8")
        if len(some) + len(octets) > _WORD_OCTETS:
            found.append(_word(some))
            some = b""
        some += octets
    return "\r\n ".join([*found, _word(some)])


def _word(octets: bytes) -> str:
    return f"=?utf-8?B?{b64encode(octets).decode('ascii')}?="


def _question_marks(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")
