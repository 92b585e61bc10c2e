"""From a TOML file to `Settings`, or to a list of everything that is wrong with it."""

import os
import re
import tomllib
from typing import Any

import msgspec

from mailsuite.config.decoding import Problem, decode
from mailsuite.config.expected import keys
from mailsuite.config.forms import is_web
from mailsuite.config.lines import first_twice, key_lines, line_of
from mailsuite.config.meaning import problems_of
from mailsuite.config.section import Section
from mailsuite.config.settings import Settings
from mailsuite.config.toml import dotted


class ConfigError(Exception):
    """The configuration cannot be used: one line for each problem, with file, line and key."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: str | os.PathLike[str], text: str | None = None) -> Settings:
    """Read the TOML file at *path* and return the settings, path names absolute.

    *text* is what the file holds, for who has read it. Raises `ConfigError` when the file cannot be read, is not TOML,
    or has an unknown key or a bad value. Nothing that a path name points to is opened: see ``mailsuite check``.
    """
    file = os.fspath(path)
    text = read(file) if text is None else text
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(file, text, str(error))) from error
    except RecursionError as error:
        raise ConfigError(f"{file}: values are nested too deep to be read: expected lists of plain values") from error
    settings, problems = decode(table)
    if settings is not None and not problems:
        problems = problems_of(settings)
    if settings is None or problems:
        lines = key_lines(text)
        raise ConfigError(*(_written(file, problem, lines) for problem in problems))
    found = _absolute(settings, os.path.dirname(os.path.abspath(file)))
    if os.path.islink(file) and not _is_made(found):
        _refuse_link(file, found, _absolute(settings, os.path.dirname(os.path.realpath(file))))
    return found


def _refuse_link(file: str, found: Settings, meant: Settings) -> None:
    """Raise `ConfigError` where the site is beside the file that a link leads to, and nothing is beside the link."""
    if _is_made(meant):
        raise ConfigError(
            f"{file}: state_dir: {found.state_dir} has no site, and {meant.state_dir} has one: relative path names"
            f" begin at the folder of the link that {file} is; write absolute ones, or name the file that it leads to,"
            f" {os.path.realpath(file)}"
        )


def _is_made(settings: Settings) -> bool:
    ours = settings.directory.backend == "sqlite"
    return os.path.exists(settings.directory.path) if ours else os.path.isdir(settings.state_dir)


def read(file: str) -> str:
    """Return the text of the configuration *file*. Raises `ConfigError`."""
    try:
        with open(file, encoding="utf-8-sig") as source:  # editors of Windows begin with a BOM
            return source.read()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        text = f"{file}: is not UTF-8: {error.reason} at octet {error.start}"
        raise ConfigError(text) from error


def _syntax(file: str, text: str, message: str) -> str:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message)
    twice = first_twice(text) if message.startswith(("Cannot overwrite", "Cannot declare")) else None
    # What may stand several times (an array of tables) is not what was meant.
    if twice is not None and (found is None or found[2] == str(twice[2])):
        path, first, line = twice
        return f"{file}:{line}: {dotted(path)}: it stands on line {first} already; expected once"
    if found is None:
        return f"{file}: {message}"
    return f"{file}:{found[2]}: column {found[3]}: {found[1]}"


def _written(file: str, problem: Problem, lines: dict[tuple[str, ...], int]) -> str:
    line = line_of(problem.path, lines)
    where = file if line is None else f"{file}:{line}"
    return ": ".join(filter(None, (where, problem.name, problem.text)))


def _absolute(settings: Settings, folder: str) -> Settings:
    state_dir = os.path.normpath(os.path.join(folder, settings.state_dir))
    bases = {"config": folder, "state_dir": state_dir}
    changes: dict[str, Any] = {"state_dir": state_dir}
    for key in keys(Settings):
        value = getattr(settings, key.name)
        if key.section is not None:
            changes[key.name] = _joined(value, bases)
        elif key.entries is not None:
            changes[key.name] = {name: _joined(table, bases) for name, table in value.items()}
    return msgspec.structs.replace(settings, **changes)


def _joined(section: Section, bases: dict[str, str]) -> Section:
    changes = {
        key.name: os.path.normpath(os.path.join(bases[key.below], written))
        for key in keys(type(section))
        # Empty means none; some keys take an address on the web as well.
        if key.below is not None and (written := getattr(section, key.name)) and not is_web(written)
    }
    return msgspec.structs.replace(section, **changes)
