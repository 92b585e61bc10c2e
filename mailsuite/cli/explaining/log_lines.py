"""Reads the mail log, in either of its forms, with those before it that logrotate has kept."""

import glob
import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mailsuite.reach import present

# What follows "key=": values with commas between them, each plain or a JSON string.
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s",]*)'
_FIELD = re.compile(rf" ([a-z_]+)=({_VALUE}(?:,{_VALUE})*)")
_ONE = re.compile(_VALUE)
_HEAD = re.compile(r"(\S+) ([a-z_]+)")
# Of kept logs: mail.log.1, mail.log.2.gz, mail.log-20261126.
_KEPT = "[.-][0-9]*"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: *time* as it stands there (ISO 8601, UTC), its *kind*, and its fields; a list has several values."""

    time: str
    kind: str
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """Return the field *name* for people; empty where there is none."""
        value = self.fields.get(name)
        return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)

    def texts(self, name: str) -> list[str]:
        """Return the values of the field *name*."""
        value = self.fields.get(name)
        return [] if value in (None, "-") else [str(each) for each in (value if isinstance(value, list) else [value])]


def lines_with(path: str, words: list[str], read: Callable[[int], object] = lambda octets: None) -> Iterator[Line]:
    """Yield the lines of the log *path*, and of those kept before it, the oldest first, that hold one of *words*.

    *read* is called with the number of octets that were read. Raises `OSError`.
    """
    wanted = [word.encode() for word in words]
    for name in logs(path):
        opener: Callable[[str, str], Any] = gzip.open if name.endswith(".gz") else open
        with opener(name, "rb") as file:
            for line in file:
                read(len(line))
                if any(word in line for word in wanted):
                    found = parse(line.decode(errors="replace"))
                    if found is not None:
                        yield found


def recent(path: str, octets: int = 1_048_576) -> Iterator[Line]:
    """Yield the lines in the last *octets* of the log *path*; none where there is no log. Raises `OSError`."""
    if not present(path):
        return
    with open(path, "rb") as file:
        # The first line that is found so is most likely cut.
        if file.seek(0, os.SEEK_END) > octets:
            file.seek(-octets, os.SEEK_END)
            file.readline()
        else:
            file.seek(0)
        for line in file:
            found = parse(line.decode(errors="replace"))
            if found is not None:
                yield found


def logs(path: str) -> list[str]:
    """Return the log *path* and those kept before it, the oldest first."""
    kept = glob.glob(glob.escape(path) + _KEPT)
    return [*sorted(kept, key=lambda name: (os.stat(name).st_mtime, name)), *([path] if present(path) else [])]


def parse(text: str) -> Line | None:
    """Return what a line says; ``None`` where it is none of the mail log's."""
    if text.startswith("{"):
        try:
            fields = json.loads(text)
            return Line(fields.pop("time"), fields.pop("kind"), fields)
        except (ValueError, KeyError):
            return None
    head = _HEAD.match(text)
    if head is None:
        return None
    return Line(head[1], head[2], {found[1]: _value(found[2]) for found in _FIELD.finditer(text, head.end())})


def _value(text: str) -> str | list[str]:
    found = [_plain(each) for each in _ONE.findall(text) if each] if text else []
    return found[0] if len(found) == 1 else found or ""


def _plain(text: str) -> str:
    try:
        return str(json.loads(text)) if text.startswith('"') else text
    except ValueError:
        return text
