"""The client's core: whatever a server says, nothing but commands and content is sent, and one outcome is told."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailsuite.smtp.client_events import Ready
from tests import smtp
from tests.chat import octets
from tests.fuzz.target import FIRST, Target, choose, pieces
from tests.smtp.client_talk import SETTINGS, TRANSACTIONS, ClientTalk

KINDS, SENT = list(SETTINGS), list(TRANSACTIONS)


def run(data: bytes) -> None:
    """The first octet chooses settings, the second what is to be sent, the third how the server's lines are cut."""
    kind, sent = choose(data, 0, KINDS), choose(data, 1, SENT)
    # A server that answers before it is asked has its answers taken for others: so lines never come together.
    lines = data[3:].splitlines(keepends=True)
    size = choose(data, 2, range(1, 17))
    whole = talk(kind, sent, lines)
    cut = talk(kind, sent, [piece for line in lines for piece in pieces(line, size)])

    rest = whole.said.replace(b"\r\n", b"")
    is_text = not TRANSACTIONS[sent][0].binary
    assert not (is_text and (b"\r" in rest or b"\n" in rest)), "a bare newline was sent"
    assert b"\r\nRSET@" not in whole.said and b"> SIZE=1@" not in whole.said, "an address became a command"
    assert whole.said == cut.said, "a cut changes what is sent"
    assert outcome(whole) == outcome(cut), "a cut changes the outcome"
    for ended in whole.ended:
        assert len(ended.answers) == len(TRANSACTIONS[sent][0].recipients)


def talk(kind: str, sent: str, segments: list[bytes]) -> ClientTalk:
    """Let a server say *segments*, up to the beginning of TLS, to a client with one transaction."""
    client = SETTINGS[kind]()
    left = [sent]
    _answer(client, left)
    for segment in segments:
        if client.tls_wanted or client.closed is not None:
            break
        client.core.receive(segment)
        client.pump()
        _answer(client, left)
    return client


def _answer(client: ClientTalk, left: list[str]) -> None:
    while client.question is not None and not client.tls_wanted:
        if not isinstance(client.question, Ready):
            client.answer(True)
        elif left:
            transaction, given = TRANSACTIONS[left.pop()]
            client.pieces = list(given)
            client.answer(transaction)
        else:
            client.answer(None)


def outcome(client: ClientTalk) -> Any:
    """Return what the client has told."""
    told = [[(answer.code, answer.status, answer.lines) for answer in ended.answers] for ended in client.ended]
    return told, client.broken, client.closed, client.tls_wanted


def seeds() -> Iterator[bytes]:
    """Yield what servers say in the chats."""
    for script in sorted((Path(smtp.__file__).parent / "client_chats").glob("*.txt")):
        text = script.read_text()
        turns = [row.strip() for row in text.splitlines() if row.strip().startswith(("S:", "S>"))]
        sent = re.search(r"^SEND (\S+)", text, re.M)
        kind = re.search(r"^client: (\S+)", text, re.M)
        number = SENT.index(sent[1]) if sent is not None and sent[1] in SENT else 0
        setting = KINDS.index(kind[1]) if kind is not None and kind[1] in KINDS else 0
        yield bytes([FIRST + setting, FIRST + number, FIRST]) + b"".join(octets("C" + turn[1:]) for turn in turns)


PART = Target("smtp_client", run, seeds)
