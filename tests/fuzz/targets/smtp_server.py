"""The SMTP server's core: every line has its reply, however octets are cut, and mail needs MAIL and RCPT."""

import re
from collections.abc import Iterator
from pathlib import Path

from mailsuite.smtp.server import ServerSession
from tests import smtp
from tests.chat import octets
from tests.fuzz.serving import serve
from tests.fuzz.target import FIRST, Target, choose, pieces
from tests.smtp.respondent import LISTENERS, Respondent

NAMES = list(LISTENERS)
# In the clear, and as if TLS had come first.
CHOICES = [(name, encrypted) for encrypted in (False, True) for name in NAMES]
REPLIES = re.compile(rb"(?:\d{3}(?:-[^\x00-\x1f\x7f]{0,508}\r\n|(?: [^\x00-\x1f\x7f]{0,508})?\r\n))*")
FAULTY = re.compile(rb"55[24] 5\.[36][^\r]*")


def run(data: bytes) -> None:
    """The first octet chooses the listener, the second how the rest is cut."""
    name, encrypted = choose(data, 0, CHOICES)
    text = data[2:]
    whole, said = session(name, encrypted, [text])
    cut, said_again = session(name, encrypted, pieces(text, choose(data, 1, range(1, 17))))

    assert REPLIES.fullmatch(said), said
    # Which of two faults of a message is met first, a cut may decide.
    assert FAULTY.sub(b"55x", said) == FAULTY.sub(b"55x", said_again), "a cut changes the replies"
    assert whole.messages == cut.messages, "a cut changes a message"
    for _, recipients, body in whole.messages:
        assert recipients
        assert name == "normalize" or b"BDAT" in text.upper() or not stands_alone(body), "a bare newline was taken"


def session(name: str, encrypted: bool, segments: list[bytes]) -> tuple[Respondent, bytes]:
    """Serve one session."""
    respondent = Respondent()
    return respondent, serve(ServerSession(LISTENERS[name], encrypted), respondent, segments)


def stands_alone(body: bytes) -> bool:
    """Say whether a CR or LF stands alone in *body*."""
    rest = body.replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest


def seeds() -> Iterator[bytes]:
    """Yield what clients say in the chats."""
    for script in sorted((Path(smtp.__file__).parent / "chats").glob("*.txt")):
        first, *rows = script.read_text().splitlines()
        listener = NAMES.index(first.removeprefix("listener:").strip())
        turns = [row.strip() for row in rows if row.strip().startswith(("C:", "C>"))]
        yield bytes([FIRST + listener, FIRST]) + b"".join(map(octets, turns))


PART = Target("smtp_server", run, seeds)
