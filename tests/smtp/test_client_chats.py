"""Every script in `client_chats/`, heard whole and octet by octet. A script's first line names its client."""

from pathlib import Path

import pytest

from tests.smtp.client_talk import SETTINGS, play

SCRIPTS = sorted((Path(__file__).parent / "client_chats").glob("*.txt"))


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "octets"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_chat(script: Path, whole: bool) -> None:
    """The client says what the script says it says."""
    first, _, rest = script.read_text().partition("\n")

    play(SETTINGS[first.removeprefix("client:").strip()](), rest, whole)


def test_there_are_scripts() -> None:
    """The folder was found."""
    assert len(SCRIPTS) > 40
