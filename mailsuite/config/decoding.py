"""A TOML table to `Settings`, key by key: every problem is found, each is named in full."""

import difflib
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from mailsuite.config.expected import Key, keys
from mailsuite.config.section import Section
from mailsuite.config.settings import Settings
from mailsuite.config.toml import dotted

Path = tuple[str, ...]
Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and with which key; an empty path means the whole file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The key as one would write it, such as ``limits.recipients``."""
        return dotted(self.path)


def decode(table: Table) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that *table* means, or ``None`` and all that is wrong with it."""
    problems = list(_section_problems(table, Settings, ()))
    if problems:
        return None, problems
    return msgspec.convert(table, Settings), []


def _section_problems(table: Any, section: type[Section], path: Path) -> Iterator[Problem]:
    if not isinstance(table, dict):
        yield Problem(path, f"expected a table, got {_shown(table)}")
        return
    known = {key.name: key for key in keys(section)}
    for name, value in table.items():
        if name in known:
            yield from _value_problems(value, known[name], (*path, name))
        else:
            yield Problem((*path, name), f"unknown key{_suggestion(name, section, path)}")
    for key in known.values():
        if key.required and key.name not in table:
            yield _missing(key, path)


def _value_problems(value: Any, key: Key, path: Path) -> Iterator[Problem]:
    if key.section is not None:
        yield from _section_problems(value, key.section, path)
    elif key.entries is not None:
        if not isinstance(value, dict):
            yield Problem(path, f"expected {key.expected}, got {_shown(value)}")
            return
        for name, table in value.items():
            yield from _section_problems(table, key.entries, (*path, name))
    else:
        try:
            msgspec.convert(value, typing.Annotated[key.type, key.meta])
        except msgspec.ValidationError:
            yield Problem(path, f"expected {key.expected}, got {_shown(value)}")
            return
        # Where the system takes texts for names, they end there.
        if any("\0" in text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)):
            yield Problem(path, f"expected {key.expected}, without the character NUL, got {_shown(value)}")


def _missing(key: Key, path: Path) -> Problem:
    if path:
        return Problem(path, f"{key.name} is missing: expected {key.expected}")
    return Problem((), f"{key.name} is missing: add the line {key.name} = ... with {key.expected}")


def _suggestion(name: str, section: type[Section], path: Path) -> str:
    near = difflib.get_close_matches(name.lower(), [key.name for key in keys(section)], n=1)
    if near:
        return f"; did you mean {dotted((*path, near[0]))}?"
    everywhere = dict(_all_names(Settings, ()))
    near = difflib.get_close_matches(name.lower(), list(everywhere), n=1, cutoff=0.8)
    if near:
        return f"; did you mean {everywhere[near[0]]}?"
    return f"; expected one of {', '.join(sorted(key.name for key in keys(section)))}"


def _all_names(section: type[Section], path: Path) -> Iterator[tuple[str, str]]:
    for key in keys(section):
        yield key.name, ".".join((*path, key.name))
        if key.section is not None:
            yield from _all_names(key.section, (*path, key.name))


def _shown(value: Any) -> str:
    """Return *value* as a line of TOML might hold it, shortened, safe to print."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        if len(str(value)) > 60:
            return "a list"
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=True) if isinstance(value, str | bool) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
