"""The POP3 server's core: every command has its response, however octets are cut, and only QUIT removes."""

from collections.abc import Iterator
from pathlib import Path

from tests import pop3
from tests.chat import octets
from tests.fuzz.serving import serve
from tests.fuzz.target import FIRST, Target, choose, pieces
from tests.pop3.respondent import LISTENERS, MESSAGES, Respondent, session

NAMES = list(LISTENERS)


def run(data: bytes) -> None:
    """The first octet chooses the listener, the second how the rest is cut."""
    listener = choose(data, 0, NAMES)
    whole, said = talk(listener, [data[2:]])
    cut, said_again = talk(listener, pieces(data[2:], choose(data, 1, range(1, 17))))

    assert said.startswith(b"+OK ") and said.endswith(b"\r\n")
    assert b"\r" not in said.replace(b"\r\n", b"") and b"\n" not in said.replace(b"\r\n", b"")
    assert said == said_again, "a cut changes the responses"
    assert whole.removed == cut.removed
    assert whole.removed is None or set(whole.removed) <= set(range(len(MESSAGES)))
    if whole.removed is not None:
        assert whole.claims and b"QUIT" in data.upper()


def talk(listener: str, segments: list[bytes]) -> tuple[Respondent, bytes]:
    """Serve one session."""
    core, respondent = session(listener)
    return respondent, serve(core, respondent, segments)


def seeds() -> Iterator[bytes]:
    """Yield what clients say in the chats."""
    for script in sorted((Path(pop3.__file__).parent / "chats").glob("*.txt")):
        first, *rows = script.read_text().splitlines()
        listener = NAMES.index(first.removeprefix("listener:").strip())
        turns = [row.strip() for row in rows if row.strip().startswith(("C:", "C>"))]
        yield bytes([FIRST + listener, FIRST]) + b"".join(map(octets, turns))


PART = Target("pop3_server", run, seeds)
