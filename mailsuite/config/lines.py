"""On which line of a TOML text each key stands: `tomllib` does not say."""

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str, ...]

_TOKEN = re.compile(
    r"""(?P<text>\"\"\"(?:\\.|[^\\])*?\"{3,5}|'''.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"|(?P<comment>\#[^\n]*)"
    r"|(?P<newline>\n)"
    r"|(?P<bare>[A-Za-z0-9_-]+)"
    r"|(?P<mark>[\[\]{}=])"
    r"|[^\n]",
    re.DOTALL,
)


def key_lines(text: str) -> dict[Path, int]:
    """Return the line of each table and key of *text*, which must be valid TOML.

    Keys of an inline table are not listed: `line_of` gives the line of the key that holds it.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    for path, header, line in _statements(text):
        if header:
            table = path
        where = path if header else table + path
        for length in range(1, len(where) + 1):
            found.setdefault(where[:length], line)
    return found


def first_twice(text: str) -> tuple[Path, int, int] | None:
    """Return the first table or key that *text* gives twice, with the lines where it stands; the text up to the second
    must be valid TOML."""
    found: dict[tuple[Path, bool], int] = {}
    table: Path = ()
    for path, header, line in _statements(text):
        if header:
            table = path
        where = path if header else table + path
        first = found.setdefault((where, header), line)
        if first != line:
            return where, first, line
    return None


def line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """Return the line of *path*, or of the nearest table around it, or ``None``."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _statements(text: str) -> Iterator[tuple[Path, bool, int]]:
    """Yield each table header and each ``key =`` with its (dotted) name and line."""
    names: list[str] = []
    header, in_value, depth, line = False, False, 0, 1
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind == "newline":
            if depth == 0:
                names, header, in_value = [], False, False
        elif in_value:
            depth += (word in ("[", "{")) - (word in ("]", "}"))
        elif kind in ("bare", "text"):
            names.append(_name(word))
        elif word == "[":
            header = True
        elif word in ("=", "]"):
            if names:
                yield tuple(names), header, line
            names, in_value = [], word == "="
        line += word.count("\n")


def _name(word: str) -> str:
    return next(iter(tomllib.loads(f"{word} = 0"))) if word.startswith(("'", '"')) else word
