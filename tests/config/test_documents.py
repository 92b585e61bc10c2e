"""The sample file and the manual say what the code says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailsuite.config import load
from mailsuite.config.expected import Key, keys
from mailsuite.config.manual import reference
from mailsuite.config.sample import (
    BACKUPS,
    CERTIFICATES,
    CHECK,
    DENY,
    DOMAINS,
    LISTENERS,
    RELAY,
    ROUTES,
    Tables,
    sample,
)
from mailsuite.config.section import Section
from mailsuite.config.settings import Settings
from mailsuite.config.tables.certificates import Certificate
from mailsuite.config.tables.delivery import Backup, RouteTable
from mailsuite.config.tables.listen import Listener
from mailsuite.config.tables.policy import Check, Deny, Relay
from mailsuite.config.tables.pop3 import Domain
from mailsuite.config.toml import dotted, value
from mailsuite.sasl.choice import MECHANISMS

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "etc" / "mailsuite.toml"
MANUAL = ROOT / "docs" / "configuration.rst"


def tables() -> dict[str, type[Section]]:
    """Return every table of the configuration by the name that it has in TOML, those with free names too."""
    found: dict[str, type[Section]] = {"": Settings}
    for key in keys(Settings):
        if key.section is not None:
            found[key.name] = key.section
        elif key.entries is not None:
            found[key.entry] = key.entries
    return found


def all_keys() -> list[Key]:
    """Return every key of every table."""
    return [key for section in tables().values() for key in keys(section)]


def uncommented(text: str) -> str:
    """Return the sample with the tables that it shows as comments made real."""
    return re.sub(r"^#(?! )", "", text, flags=re.M)


def converted(shown: Tables, section: type[Section]) -> dict[str, Section]:
    """Return tables of the sample as settings: what they do not say is at its default."""
    return {name: msgspec.convert(dict(table), section) for name, table in shown.items()}


def test_the_sample_file_is_the_one_that_the_code_makes() -> None:
    """After a change: python -m mailsuite.config.sample > etc/mailsuite.toml."""
    assert SAMPLE.read_text(encoding="utf-8") == sample()


def test_the_sample_file_is_text_as_people_write_it() -> None:
    """What indents a sentence in the code does not stand between two of them."""
    assert [line for line in sample().splitlines() if "  " in line.lstrip("# ")] == []


def test_the_manual_ends_with_the_reference_that_the_code_makes() -> None:
    """After a change: python -m mailsuite.config.manual docs/configuration.rst."""
    assert MANUAL.read_text(encoding="utf-8").endswith(reference())


def test_the_sample_file_holds_every_default() -> None:
    """Loading it gives what an almost empty file gives, but for the listeners."""
    expected = Settings(hostname="mail.example.org", listen=converted(LISTENERS, Listener))  # type: ignore[arg-type]

    assert msgspec.convert(tomllib.loads(sample()), Settings) == expected


def test_the_tables_in_comments_hold_every_default_too() -> None:
    """What they show beside their examples is what holds where it is not written."""
    expected = Settings(
        hostname="mail.example.org",
        listen=converted(LISTENERS, Listener),  # type: ignore[arg-type]
        certificates=converted(CERTIFICATES, Certificate),  # type: ignore[arg-type]
        routes=converted(ROUTES, RouteTable),  # type: ignore[arg-type]
        backups=converted(BACKUPS, Backup),  # type: ignore[arg-type]
        domains=converted(DOMAINS, Domain),  # type: ignore[arg-type]
        deny=converted(DENY, Deny),  # type: ignore[arg-type]
        check=converted(CHECK, Check),  # type: ignore[arg-type]
        relay=converted(RELAY, Relay),  # type: ignore[arg-type]
    )

    assert msgspec.convert(tomllib.loads(uncommented(sample())), Settings) == expected


def test_the_sample_file_writes_every_key() -> None:
    """Nobody has to guess at what else there is: each key stands in each table that it belongs to."""
    written = tomllib.loads(uncommented(sample()))
    for name, section in tables().items():
        table = name.partition(".")[0]
        entries = written[table].values() if "." in name else [written[table] if table else written]
        for entry in entries:
            assert {key.name for key in keys(section)} == set(entry)


def test_the_sample_file_can_be_loaded(tmp_path: Path) -> None:
    """As it stands it is a valid configuration, and with what it shows in comments as well."""
    (tmp_path / "whole.toml").write_text(uncommented(sample()), encoding="utf-8")

    assert sorted(load(SAMPLE).listen) == sorted(LISTENERS)
    assert sorted(load(tmp_path / "whole.toml").routes) == sorted(ROUTES)


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: str(key.name))
def test_every_key_has_a_sentence(key: Key) -> None:
    """One sentence, with a full stop; a table's sentence is its class's docstring."""
    sentence = (key.section.__doc__ or "") if key.section is not None else key.meaning

    assert sentence.rstrip().endswith(".")
    assert sentence[0].isupper()


@pytest.mark.parametrize("name", tables())
def test_every_example_is_valid(name: str) -> None:
    """What the manual shows can be typed in."""
    examples = "\n".join(f"{key.name} = {value(key.example)}" for key in keys(tables()[name]) if key.is_plain)
    text = f"[{name}]\n{examples}" if name else examples
    if name:
        text = f'hostname = "a.example.org"\n{text}'

    assert msgspec.convert(tomllib.loads(text), Settings).hostname.endswith(".example.org")


def test_the_manual_has_every_mechanism() -> None:
    """In the order in which they are tried."""
    assert f"best first: {', '.join(MECHANISMS)};" in reference()


def test_the_manual_has_every_key() -> None:
    """Each by its full name, with the table that it stands in."""
    for name, section in tables().items():
        for key in keys(section):
            if key.is_plain:
                assert f"\n``{'.'.join(filter(None, (name, key.name)))}``\n" in reference()
                assert f"{key.name} = {value(key.example)}\n" in reference()


@pytest.mark.parametrize(
    "of", ["plain", 'a "quoted" \\ back', "tab\tnew\nline \x7f é 😀", True, False, 0, -5, 300.0, 0.5, ["a", "b"], []]
)
def test_values_are_written_as_toml_reads_them(of: object) -> None:
    """There and back again."""
    assert tomllib.loads(f"x = {value(of)}")["x"] == of


@pytest.mark.parametrize("path", [("a",), ("backups", "example.net"), ('a "b"', "-", ""), ("é",)])
def test_names_are_written_as_toml_reads_them(path: tuple[str, ...]) -> None:
    """In quotes where a dot would part them."""
    table: Any = tomllib.loads(f"{dotted(path)} = 1")
    for part in path:
        table = table[part]

    assert table == 1
