"""The configuration: whatever the file holds, it is settings, or every problem is named, each on a line of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from mailsuite.config import ConfigError, load
from tests.fuzz.target import Target

SHIPPED = Path(__file__).parents[3] / "etc" / "mailsuite.toml"


def run(data: bytes) -> None:
    """The octets are the file."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        try:
            settings = load(file.name)
        except ConfigError as error:
            assert error.problems
            assert all(each.startswith(file.name) and "\n" not in each for each in error.problems)
        else:
            assert settings.state_dir.startswith("/")


def seeds() -> Iterator[bytes]:
    """Yield the file that is shipped."""
    yield SHIPPED.read_bytes()


PART = Target("settings", run, seeds)
