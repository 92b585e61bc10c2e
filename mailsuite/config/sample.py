"""``etc/mailsuite.toml``: a configuration with every key at its default, each with its meaning.

It is made by ``python -m mailsuite.config.sample > etc/mailsuite.toml``; a test holds the two together.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

from mailsuite.config.expected import Key, keys
from mailsuite.config.settings import Listener, Section, Settings
from mailsuite.config.toml import value

HEAD = """\
# mailsuite: every key of the configuration with its default and its meaning.
# Only hostname and the listeners have to be written; docs/configuration.rst says more.
# Path names are taken from this file's folder, or from state_dir where that is said.
"""

LISTENERS: dict[str, dict[str, Any]] = {
    "mta": {"service": "mta", "endpoint": "tcp:25", "tls": "starttls"},
    "submission": {"service": "submission", "endpoint": "tcp:587", "tls": "starttls"},
    "submissions": {"service": "submission", "endpoint": "tcp:465", "tls": "implicit"},
    "pop3": {"service": "pop3", "endpoint": "tcp:110", "tls": "starttls"},
    "pop3s": {"service": "pop3", "endpoint": "tcp:995", "tls": "implicit"},
}


def sample() -> str:
    """Return the sample file's text."""
    return "\n".join([HEAD, *_lines(Settings, "")]) + "\n"


def _lines(section: type[Section], table: str) -> Iterator[str]:
    plain = [key for key in keys(section) if key.section is None and key.name != "listen"]
    for key in plain:
        yield from _comment(f"{key.meaning} Takes {key.expected}.")
        yield f"{key.name} = {value(key.example if key.required else key.default)}"
        yield ""
    for key in keys(section):
        if key.name == "listen":
            yield from _listeners()
        elif key.section is not None:
            yield from _comment((key.section.__doc__ or "").replace("``", ""))
            yield f"[{table}{key.name}]"
            yield ""
            yield from _lines(key.section, f"{table}{key.name}.")


def _listeners() -> Iterator[str]:
    yield from _comment((Listener.__doc__ or "").replace("``", ""))
    for key in keys(Listener):
        yield from _comment(f"{key.name}: {key.meaning} Takes {key.expected}.", indent="  ")
    for name, listener in LISTENERS.items():
        yield f"[listen.{name}]"
        for key in keys(Listener):
            yield f"{key.name} = {value(listener.get(key.name, _default(key)))}"
        yield ""


def _default(key: Key) -> Any:
    return key.example if key.required else key.default


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, 97, initial_indent="# ", subsequent_indent=f"# {indent}", break_on_hyphens=False
    )


if __name__ == "__main__":
    print(sample(), end="")
