"""Client sessions for tests: driven without a reactor, by hand or by a script of what the server says.

Lines of a script::

    S: 250-mail.example.org           the server says this line and CRLF
    S> raw octets\\r\\n                 the server says exactly these (Python escapes)
    C: EHLO *                         the client must send this line (fnmatch pattern)
    C> raw octets\\r\\n                 the client must send exactly these
    NOTHING                           the client must have sent nothing more
    TLS good                          the core asked for TLS, which begins, and whether it is good (bad, or fails)
    READY SIZE PIPELINING             the core must ask for a transaction, and know of these capabilities
    SEND small                        it is given this transaction (`TRANSACTIONS`), or none: SEND none
    ENDED 250@END 550@RCPT            the core must have told these answers
    BROKEN MAIL 421 *closes*          the core must have told this (stage, code or -, pattern of the reason)
    CLOSED, HUNG UP                   the core must have closed the session, so
    EXPIRE, SHUT DOWN, FAIL           the driver says this to the core

Every script is run twice: what the server says between two other lines in one segment, and octet by octet.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from mailsuite.address import Address
from mailsuite.smtp.client import ClientSession
from mailsuite.smtp.client_events import (
    Broken,
    ClientSettings,
    Ended,
    ReadBody,
    Ready,
    Secured,
    Transaction,
    TransactionRecipient,
)
from mailsuite.wire.events import CLOSE, HANG_UP, SAID, START_TLS, Event
from tests.chat import octets

A = Address("a", "a.example")
BODY = b"Subject: x\r\n\r\n.dot\r\nend\r\n"


def to(*locals_: str) -> tuple[TransactionRecipient, ...]:
    """Return recipients at b.example."""
    return tuple(TransactionRecipient(Address(local, "b.example")) for local in locals_)


class ClientTalk:
    """Drives one client core. Questions but `ReadBody` wait for the test; that is answered from *pieces*."""

    def __init__(self, settings: ClientSettings, encrypted: bool = False, pieces: Iterable[bytes] = ()) -> None:
        self.core = ClientSession(settings, encrypted)
        self.pieces = list(pieces)
        self.question: Any = None
        self.ended: list[Ended] = []
        self.broken: Broken | None = None
        self.tls_wanted = False
        self.closed: Event | None = None
        self.said = b""
        # What was sent, as the driver would have: one item a write.
        self.writes: list[bytes] = []
        self.pump()

    def hear(self, data: bytes, whole: bool = True) -> None:
        """Let the server say *data*, in one segment or octet by octet."""
        for segment in [data] if whole else [data[index : index + 1] for index in range(len(data))]:
            self.core.receive(segment)
            self.pump()

    def answer(self, answer: Any) -> None:
        """Answer the question that is open."""
        assert self.question is not None, "nothing was asked"
        self.question = None
        self.core.answer(answer)
        self.pump()

    def fail(self) -> None:
        """Let the respondent raise."""
        self.question = None
        self.core.fail()
        self.pump()

    def start_tls(self) -> None:
        """Do what the driver does."""
        assert self.tls_wanted, "TLS is not wanted"
        self.tls_wanted = False
        self.core.tls_started()
        self.pump()

    def pump(self) -> None:
        """Take events until one has to be answered by the test."""
        pending = b""
        while self.question is None and not self.tls_wanted and (event := self.core.next_event()) is not None:
            pending += self.core.bytes_to_send()
            self._take(event)
        pending += self.core.bytes_to_send()
        if pending:
            self.said += pending
            self.writes.append(pending)

    def _take(self, event: Event) -> None:
        assert self.closed is None, f"{event} after the end"
        if isinstance(event, ReadBody):
            self.core.answer(self.pieces.pop(0) if self.pieces else b"")
        elif isinstance(event, Ended):
            assert self.broken is None
            self.ended.append(event)
        elif isinstance(event, Broken):
            assert self.broken is None, "broken twice"
            self.broken = event
        elif event is START_TLS:
            self.tls_wanted = True
        elif event is CLOSE or event is HANG_UP:
            self.closed = event
        elif event is not SAID:
            assert event.asks
            self.question = event

    def take(self) -> bytes:
        """Take what the client has sent since."""
        said, self.said = self.said, b""
        return said


TRANSACTIONS: dict[str, tuple[Transaction, list[bytes]]] = {
    "small": (Transaction(A, to("b"), len(BODY), content=BODY), []),
    "two": (Transaction(A, to("b", "c"), len(BODY), content=BODY), []),
    "three": (Transaction(A, to("b", "c", "d"), len(BODY), content=BODY), []),
    "pieces": (Transaction(None, to("b"), len(BODY)), [BODY[:5], BODY[5:11], BODY[11:]]),
    "two-pieces": (Transaction(None, to("b", "c"), len(BODY)), [BODY[:5], BODY[5:11], BODY[11:]]),
    "empty": (Transaction(A, to("b"), content=b""), []),
    "odd": (Transaction(Address("ä", "a.example"), to("b"), content=BODY), []),
    "odd-recipients": (
        Transaction(
            A,
            (
                TransactionRecipient(Address("ä", "b.example")),
                TransactionRecipient(Address("c", "bücher.example")),
                TransactionRecipient(Address("x\r\nRSET", "b.example")),
                TransactionRecipient(Address("d", "b.example> SIZE=1")),
            ),
            content=BODY,
        ),
        [],
    ),
    "utf8": (
        Transaction(
            Address("мария", "пример.рф"),
            (
                TransactionRecipient(Address("пётр", "b.example"), original="utf-8;пё тр@c.example"),
                TransactionRecipient(Address("c", "bücher.example")),
                TransactionRecipient(Address("x\r\nRSET", "ё.example")),
                TransactionRecipient(Address("d", "ё.example> SIZE=1")),
            ),
            content=BODY,
            smtputf8=True,
        ),
        [],
    ),
    "binary": (Transaction(A, to("b"), content=b"a: b\r\n\r\n\0\n.\n\xff\r\r", binary=True), []),
    "binary pieces": (Transaction(A, to("b"), binary=True), [b"a: b\r\n\r\n\r\n", b"\n.\n\0\r"]),
    "full": (
        Transaction(
            Address("a b", "a.example"),
            (
                TransactionRecipient(Address("b", "b.example"), "SUCCESS,FAILURE", "rfc822;x+y@c.example"),
                TransactionRecipient(Address("Postmaster", ""), "NEVER"),
            ),
            123,
            True,
            "HDRS",
            "q=1 é",
            BODY,
        ),
        [],
    ),
}

SECRET = ClientSettings("client.example", user="tim", password="tanstaaftanstaaf")
SETTINGS: dict[str, Callable[[], ClientTalk]] = {
    "none": lambda: ClientTalk(ClientSettings("client.example", "none")),
    "may": lambda: ClientTalk(ClientSettings("client.example", "may")),
    "must": lambda: ClientTalk(ClientSettings("client.example", "must")),
    "tls": lambda: ClientTalk(ClientSettings("client.example", "must"), encrypted=True),
    "foreign": lambda: ClientTalk(ClientSettings("client.example", "may", foreign=True)),
    "no-chunking": lambda: ClientTalk(ClientSettings("client.example", "none", chunking=False)),
    "lmtp": lambda: ClientTalk(ClientSettings("client.example", "none", lmtp=True)),
    "login": lambda: ClientTalk(SECRET),
    "login-tls": lambda: ClientTalk(SECRET, encrypted=True),
    "login-clear": lambda: ClientTalk(
        ClientSettings("client.example", "none", user="tim", password="tanstaaftanstaaf", clear_auth=True)
    ),
    "login-long": lambda: ClientTalk(
        ClientSettings("client.example", "none", user="tim", password="p" * 400, clear_auth=True)
    ),
    "scram": lambda: ClientTalk(
        ClientSettings(
            "client.example",
            user="user",
            password="pencil",
            nonce="rOprNGfwEbeRWgbNEkqO",
            mechanisms=("SCRAM-SHA-256",),
        ),
        encrypted=True,
    ),
}


def play(talk: ClientTalk, script: str, whole: bool) -> None:
    """Run *script* once."""
    heard = b""
    for row in script.strip().splitlines():
        turn = row.strip()
        if not turn or turn.startswith("#"):
            continue
        if turn.startswith(("S:", "S>")):
            heard += octets("C" + turn[1:])
            continue
        if heard:
            talk.hear(heard, whole)
            heard = b""
        obey(talk, turn)
    assert not heard, "a script ends with what the client does"
    assert talk.said == b"", "the client sent more"


def obey(talk: ClientTalk, turn: str) -> None:
    """Carry out one line that is not the server's."""
    word, _, rest = turn.partition(" ")
    if word == "C:":
        line, found, talk.said = talk.said.partition(b"\r\n")
        assert found, f"expected {rest!r}; the client sent no more than {line!r} ({talk.broken})"
        assert fnmatchcase(line.decode(), rest), f"expected {rest!r}, got {line!r}"
    elif word == "C>":
        expected = octets(turn)
        assert talk.said[: len(expected)] == expected
        talk.said = talk.said[len(expected) :]
    elif turn == "NOTHING":
        assert talk.said == b""
    elif word == "TLS":
        if talk.tls_wanted:
            talk.start_tls()
        assert isinstance(talk.question, Secured)
        if rest == "fails":
            talk.fail()
        else:
            talk.answer(rest == "good")
    elif word == "READY":
        assert isinstance(talk.question, Ready), talk.broken
        assert all(keyword in talk.question.capabilities for keyword in rest.split())
    elif word == "SEND":
        assert isinstance(talk.question, Ready), talk.broken
        transaction, talk.pieces = (None, []) if rest == "none" else TRANSACTIONS[rest]
        talk.pieces = list(talk.pieces)
        talk.answer(transaction)
    elif word == "ENDED":
        ended = talk.ended.pop(0)
        stages = zip(ended.answers, ended.stages, strict=True)
        assert " ".join(f"{answer.code}@{stage.name}" for answer, stage in stages) == rest
    elif word == "BROKEN":
        check_broken(talk.broken, *rest.split(" ", 2))
    elif turn in ("CLOSED", "HUNG UP"):
        assert talk.closed is (CLOSE if turn == "CLOSED" else HANG_UP)
    elif turn == "FAIL":
        talk.fail()
    elif turn in ("EXPIRE", "SHUT DOWN"):
        (talk.core.expire if turn == "EXPIRE" else talk.core.shut_down)()
        talk.question = None
        talk.pump()
    else:
        raise AssertionError(f"not a line of a script: {turn!r}")


def check_broken(broken: Broken | None, stage: str, code: str, reason: str) -> None:
    """Hold what was told against what the script says."""
    assert broken is not None, "the session is whole"
    said = "-" if broken.answer is None else str(broken.answer.code)
    assert (broken.stage.name, said) == (stage, code)
    assert fnmatchcase(broken.reason, reason), broken.reason
