"""Every script in `chats/`, fed whole and octet by octet. A script's first line names its listener."""

from pathlib import Path

import pytest

from tests.chat import chat
from tests.pop3.respondent import session

SCRIPTS = sorted((Path(__file__).parent / "chats").glob("*.txt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_chat(script: Path) -> None:
    """The server says what the script says it says, and not a line more."""
    first, _, rest = script.read_text().partition("\n")
    name = first.removeprefix("listener:").strip()

    last = chat(lambda: session(name), rest)

    assert last.said == b""


def test_there_are_scripts() -> None:
    """The folder was found."""
    assert len(SCRIPTS) > 10
