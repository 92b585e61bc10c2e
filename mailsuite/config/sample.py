"""``etc/mailsuite.toml``: a configuration with every key at its default, each with its meaning.

It is made by ``python -m mailsuite.config.sample > etc/mailsuite.toml``; a test holds the two together. Tables that
no site has by default are shown as comments: ``#`` without a space after it stands before what is TOML.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from mailsuite.config.expected import Key, keys
from mailsuite.config.section import Section
from mailsuite.config.settings import Settings
from mailsuite.config.toml import dotted, value

HEAD = """\
# mailsuite: every key of the configuration with its default and its meaning.
# Only hostname and the listeners have to be written; docs/configuration.rst says more.
# Path names are taken from this file's folder, or from state_dir where that is said.
"""

Tables = Mapping[str, Mapping[str, Any]]

LISTENERS: Tables = {
    "mta": {"service": "mta", "endpoint": "tcp:25", "tls": "starttls"},
    "submission": {"service": "submission", "endpoint": "tcp:587", "tls": "starttls"},
    "submissions": {"service": "submission", "endpoint": "tcp:465", "tls": "implicit"},
    "pop3": {"service": "pop3", "endpoint": "tcp:110", "tls": "starttls"},
    "pop3s": {"service": "pop3", "endpoint": "tcp:995", "tls": "implicit"},
}

# Shown as comments: only some sites need them.
CERTIFICATES: Tables = {
    "example-net": {
        "names": ["mail.example.net"], "certificate": "example.net.pem", "key": "example.net.key",
    },
}
ROUTES: Tables = {
    "smarthost": {
        "host": "smtp.isp.example", "port": 587, "tls": "verify", "user": "example.org",
        "password_file": "smarthost.password",
    },
    "partner": {"recipients": ["example.com", ".example.com"], "host": "192.0.2.80", "tls": "encrypt"},
    "mailstore": {"recipients": ["lists.example.org"], "host": "unix:/run/lists/lmtp", "protocol": "lmtp"},
}
BACKUPS: Tables = {
    "example.net": {
        "list": "https://mail.example.net/example.net.list",
        "key": "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    },
}

DOMAINS: Tables = {"example.net": {"pop3_login_delay": 300, "pop3_expire": 30}}

DENY: Tables = {
    "spammers": {
        "peers": ["192.0.2.0/24"], "helos": ["ylmf-pc"], "senders": ["bob@example.net", ".spam.example"],
        "file": "denied.list",
    },
    "everybody": {
        "recipients": ["everybody@example.org"], "exempt": ["192.168.7.0/24"],
        "reply": "550 5.7.1 Only for our own network",
    },
}
CHECK: Tables = {"friends": {"object": "own_check:make", "options": "friends.txt"}}
RELAY: Tables = {"printers": {"networks": ["192.168.7.0/24"], "senders": ["scanner@example.org"]}}

WRITTEN = {"listen": LISTENERS}
SHOWN = {
    "certificates": CERTIFICATES, "routes": ROUTES, "backups": BACKUPS, "domains": DOMAINS,
    "deny": DENY, "check": CHECK, "relay": RELAY,
}


def sample() -> str:
    """Return the sample file's text."""
    return "\n".join([HEAD, *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    yield from _plain(Settings)
    for key in keys(Settings):
        if key.section is not None:
            yield from _comment(_about(key.section))
            yield f"[{key.name}]"
            yield ""
            yield from _plain(key.section)
        elif key.entries is not None:
            yield from _comment(f"{_about(key.entries)} {key.meaning}")
            yield from _entries(key.name, key.entries)


def _plain(section: type[Section]) -> Iterator[str]:
    for key in keys(section):
        if key.is_plain:
            yield from _comment(f"{key.meaning} Takes {key.expected}.")
            yield f"{key.name} = {value(_default(key))}"
            yield ""


def _entries(name: str, section: type[Section]) -> Iterator[str]:
    """Yield the tables of one name, each with every key."""
    for key in keys(section):
        yield from _comment(f"{key.name}: {key.meaning} Takes {key.expected}.", indent="  ")
    mark = "#" if name in SHOWN else ""
    for title, table in (WRITTEN | SHOWN)[name].items():
        yield f"{mark}[{dotted((name, title))}]"
        for key in keys(section):
            yield f"{mark}{key.name} = {value(table.get(key.name, _default(key)))}"
        yield ""


def _about(section: type[Section]) -> str:
    text = (section.__doc__ or "").replace("``", "").replace("*", "")
    # Its paragraphs are one here, without the blanks that they are indented by.
    return " ".join(text.split())


def _default(key: Key) -> Any:
    return key.example if key.required else key.default


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, 97, initial_indent="# ", subsequent_indent=f"# {indent}", break_on_hyphens=False
    )


if __name__ == "__main__":
    print(sample(), end="")
