"""The reference part of ``docs/configuration.rst``: every key with meaning, default, range and example.

It is put in place by ``python -m mailsuite.config.manual docs/configuration.rst``; a test holds the two together.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from mailsuite.config.expected import Key, keys
from mailsuite.config.section import Section
from mailsuite.config.settings import Settings
from mailsuite.config.toml import value

MARK = ".. The rest of this file is made from mailsuite/config/tables/ and settings.py.\n"


def reference() -> str:
    """Return the reference in reStructuredText."""
    return "\n".join(
        [
            MARK,
            *_table("Top level", Settings, "", "These keys stand before the first table."),
            *_tables(),
        ]
    )


def with_reference(text: str) -> str:
    """Return the manual *text* with the reference of today in place of its old one."""
    return text.partition(MARK)[0] + reference()


def _tables() -> Iterator[str]:
    for key in keys(Settings):
        if key.section is not None:
            yield from _table(f"[{key.name}]", key.section, key.name, _about(key.section))
        elif key.entries is not None:
            yield from _table(f"[{key.entry}]", key.entries, key.entry, f"{_about(key.entries)} {key.meaning}")


def _about(section: type[Section]) -> str:
    return section.__doc__ or ""


def _table(title: str, section: type[Section], table: str, about: str) -> Iterator[str]:
    yield from (title, "-" * len(title), "", about, "")
    for key in keys(section):
        if key.is_plain:
            yield from _entry(key, table)


def _entry(key: Key, table: str) -> Iterator[str]:
    yield f"``{table}.{key.name}``" if table else f"``{key.name}``"
    yield f"    {_literally(key.meaning)}"
    yield ""
    default = "none: it must be written" if key.required else f"``{value(key.default)}``"
    yield f"    Takes: {_literally(key.expected)}. Default: {default}."
    yield ""
    head = f"[{table}]\n        " if table else ""
    yield f"    Example::\n\n        {head}{key.name} = {value(key.example)}"
    yield ""


def _literally(text: str) -> str:
    """Return *text* so that a lone asterisk in it begins no emphasis in reStructuredText."""
    return text.replace("*", "\\*")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_reference(file.read_text(encoding="utf-8")), encoding="utf-8")
