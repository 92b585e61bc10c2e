"""The sample file and the manual say what the code says."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from mailsuite.config import load
from mailsuite.config.expected import Key, keys
from mailsuite.config.manual import reference
from mailsuite.config.sample import LISTENERS, sample
from mailsuite.config.settings import Listener, Section, Settings
from mailsuite.config.toml import value

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "etc" / "mailsuite.toml"
MANUAL = ROOT / "docs" / "configuration.rst"


def all_keys(section: type[Section] = Settings) -> list[Key]:
    """Return every key of the configuration, those of tables and listeners too."""
    found = list(keys(section))
    for key in keys(section):
        if key.section is not None:
            found += all_keys(key.section)
    return found + (list(keys(Listener)) if section is Settings else [])


def test_the_sample_file_is_the_one_that_the_code_makes() -> None:
    """After a change: python -m mailsuite.config.sample > etc/mailsuite.toml."""
    assert SAMPLE.read_text(encoding="utf-8") == sample()


def test_the_manual_ends_with_the_reference_that_the_code_makes() -> None:
    """After a change: python -m mailsuite.config.manual docs/configuration.rst."""
    assert MANUAL.read_text(encoding="utf-8").endswith(reference())


def test_the_sample_file_holds_every_default() -> None:
    """Loading it gives what an almost empty file gives, but for the listeners."""
    table = tomllib.loads(sample())
    listeners = {name: msgspec.convert(listener, Listener) for name, listener in LISTENERS.items()}
    expected = Settings(hostname="mail.example.org", listen=listeners)

    assert msgspec.convert(table, Settings) == expected


def test_the_sample_file_writes_every_key() -> None:
    """Nobody has to guess at what else there is."""
    assert {key.name for key in all_keys() if f"\n{key.name} = " in sample()} == {
        key.name for key in all_keys() if key.section is None and key.name != "listen"
    }


def test_the_sample_file_can_be_loaded() -> None:
    """As it stands, it is a valid configuration."""
    assert sorted(load(SAMPLE).listen) == sorted(LISTENERS)


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: str(key.name))
def test_every_key_has_a_sentence(key: Key) -> None:
    """One sentence, with a full stop; a table's sentence is its class's docstring."""
    sentence = (key.section.__doc__ or "") if key.section is not None else key.meaning

    assert sentence.rstrip().endswith(".")
    assert sentence[0].isupper()


def test_every_example_is_valid() -> None:
    """What the manual shows can be typed in."""
    examples = [f"{key.name} = {value(key.example)}" for key in keys(Listener)]
    text = 'hostname = "a.example.org"\n[listen.x]\n' + "\n".join(examples)
    for key in keys(Settings):
        if key.section is not None:
            text += f"\n[{key.name}]\n" + "\n".join(
                f"{inner.name} = {value(inner.example)}" for inner in keys(key.section)
            )

    assert msgspec.convert(tomllib.loads(text), Settings).hostname == "a.example.org"


@pytest.mark.parametrize(
    "of", ["plain", 'a "quoted" \\ back', "tab\tnew\nline \x7f é 😀", True, False, 0, -5, 300.0, 0.5, ["a", "b"], []]
)
def test_values_are_written_as_toml_reads_them(of: object) -> None:
    """There and back again."""
    assert tomllib.loads(f"x = {value(of)}")["x"] == of
