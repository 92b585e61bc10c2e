"""The text files that Postfix makes its tables of: maps (``key value``, postmap(1)) and aliases(5)."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# What only a mail program of that machine can do.
_LOCAL_WORK = re.compile(r'"*(?:\||/|:include:)')
# An address or the like; white space and commas in quotes are part of it.
_TARGET = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s,"()<>])+')
_BETWEEN = re.compile(r"[\s,]*")


class Entry(NamedTuple):
    """What stands from line *line* on, counted from 1; *wrong* says why it cannot be used."""

    line: int
    key: str
    value: str
    wrong: str = ""


def entries(lines: Iterable[str], colon: bool) -> Iterator[Entry]:
    """Yield each entry; with *colon* the key ends at one, as in aliases(5), else at white space.

    A line that begins with white space goes on with the one before; comments and empty lines are passed over.
    """
    for number, text in _logical(lines):
        if colon:
            key, sign, value = text.partition(":")
            wrong = "" if sign else "expected name: target, target"
            yield Entry(number, key.strip().strip('"'), value.strip(), wrong)
        else:
            key, *rest = text.split(maxsplit=1)
            yield Entry(number, key, rest[0] if rest else "")


def targets(value: str, domain: str) -> list[str]:
    """Return the addresses in *value*, parted by commas or white space, as Postfix takes them.

    *domain* is that of names without one. Raises `ValueError` for what is no address: a command, a file, a list.
    """
    if not _BETWEEN.fullmatch(_TARGET.sub("", value)):
        raise ValueError(f"{value} has something else than addresses in it, or quotes that do not end")
    found: list[str] = []
    for part in _TARGET.findall(value):
        text = part.lstrip("\\")
        if _LOCAL_WORK.match(text):
            raise ValueError(f"{text} is a command, a file or a list in a file, and no address")
        if text:
            found.append(whole(text, domain))
    return found


def whole(name: str, domain: str) -> str:
    """Return *name* as an address."""
    return name if "@" in name else f"{name}@{domain}"


def _logical(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    begun, text = 0, ""
    for number, line in enumerate(lines, 1):
        plain = line.rstrip("\r\n")
        if not plain.strip() or plain.lstrip().startswith("#"):
            continue
        if plain[0].isspace() and text:
            text += f" {plain.strip()}"
            continue
        if text:
            yield begun, text
        begun, text = number, plain.strip()
    if text:
        yield begun, text
