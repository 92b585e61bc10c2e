"""Handing a message over to the running server: SMTP over its UNIX socket, one command after the other."""

import os
import re
import select
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import BinaryIO, Self

from mailsuite.sendmail.exit_codes import DATAERR, NOPERM, NOUSER, OK, TEMPFAIL, UNAVAILABLE, Ends

# For how many seconds a reply is waited for: the server may have to ask and to sync.
REPLY_SECONDS = 600.0
# How long a line of a reply may be, and how many of them there are at most.
REPLY_OCTETS = 2048
REPLY_LINES = 100
# For how many seconds a server has to be silent to have said all.
SILENCE_SECONDS = 5.0
# How often a server that is away is looked for, in seconds.
_PAUSE = 0.25
_PIECE = 65_536
_NOTHING = "; nothing was sent"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send: *sender* is empty for the null path. *notify*, *returned* and *envelope_id* are DSN's."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    notify: str = ""
    returned: str = ""
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server has answered."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.code} {' '.join(self.lines)}"


def connect(path: str, patience: float) -> socket.socket:
    """Return a connection to the server at *path*, waiting *patience* seconds for one. Raises `Ends`."""
    until = time.monotonic() + patience
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(REPLY_SECONDS)
        try:
            connection.connect(path)
        except PermissionError as error:
            raise Ends(NOPERM, f"you may not send mail by {path}: {error.strerror}") from error
        except OSError as error:
            connection.close()
            if time.monotonic() >= until:
                away = f"the mail server cannot be reached at {path} ({error.strerror}); nothing was sent"
                raise Ends(TEMPFAIL, f"{away}: try again later") from error
            time.sleep(min(_PAUSE, max(until - time.monotonic(), 0.0)))
        else:
            return connection


@dataclass(slots=True)
class Dialogue:
    """A session with the server, which has greeted. Every method raises `Ends` where it cannot go on."""

    connection: socket.socket
    origin: str = ""
    offered: Mapping[str, str] = field(default_factory=dict)
    _input: BinaryIO = field(init=False)

    def __post_init__(self) -> None:
        self._input = self.connection.makefile("rb")

    def __enter__(self) -> Self:
        _expect(self._reply(), 220)
        answer = _expect(self.command("EHLO localhost"), 250)
        first, *rest = answer.lines
        # The server says here what stands behind names without a domain.
        self.origin = first.split(" ")[0]
        self.offered = {line.partition(" ")[0].upper(): line.partition(" ")[2] for line in rest}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Nobody waits for the answer to a goodbye.
        try:
            self.connection.sendall(b"QUIT\r\n")
        except OSError:
            pass
        self._input.close()
        self.connection.close()

    def send(self, message: Message) -> list[tuple[str, Reply]]:
        """Send *message*; return those whom it cannot reach, each with what was answered. It went to the others.

        Where one of them could be served later nothing is sent: the caller comes again for all of them. (Of more than
        the server takes at a time, some may have it then.)
        """
        refused: list[tuple[str, Reply]] = []
        done = 0
        for few in self._in_turn(message.recipients):
            try:
                refused += self._send(replace(message, recipients=few))
            except Ends as end:
                if not done:
                    raise
                text = str(end).removesuffix(_NOTHING)
                first = "first recipient has" if done == 1 else f"first {done} recipients have"
                raise Ends(end.status, f"{text}; the {first} the message") from end
            done += len(few)
        return refused

    def _in_turn(self, recipients: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Yield *recipients*, no more at once than the server says that it takes (LIMITS, RFC 9422)."""
        told = re.search(r"\bRCPTMAX=([1-9]\d{0,5})\b", self.offered.get("LIMITS", ""))
        most = int(told[1]) if told else len(recipients)
        for start in range(0, len(recipients), most):
            yield recipients[start : start + most]

    def _send(self, message: Message) -> list[tuple[str, Reply]]:
        _expect(self.command(f"MAIL FROM:<{message.sender}>{self._parameters(message)}"), 250)
        notify = f" NOTIFY={message.notify}" if message.notify and "DSN" in self.offered else ""
        refused: list[tuple[str, Reply]] = []
        for recipient in message.recipients:
            reply = self.command(f"RCPT TO:<{recipient}>{notify}")
            if reply.code // 100 == 4:
                raise Ends(TEMPFAIL, f"{recipient}: {reply.text}{_NOTHING}")
            if reply.code // 100 != 2:
                refused.append((recipient, reply))
        if len(refused) < len(message.recipients):
            _expect(self.command("DATA"), 354)
            self._write(_stuffed(message.content) + b".\r\n")
            _expect(self._reply(), 250)
        return refused

    def _parameters(self, message: Message) -> str:
        addresses = (message.sender, *message.recipients)
        # A client must not call it so where it is not (8BITMIME); other octets are a matter of the body alone.
        foreign = not all(address.isascii() for address in addresses)
        said = f" SIZE={len(message.content)}" if "SIZE" in self.offered else ""
        if foreign:
            if "SMTPUTF8" not in self.offered:
                raise Ends(UNAVAILABLE, "an address has letters that are not ASCII, which the server does not take")
            said += " SMTPUTF8"
        if not message.content.isascii() and "8BITMIME" in self.offered:
            said += " BODY=8BITMIME"
        if "DSN" in self.offered:
            said += f" RET={message.returned}" if message.returned else ""
            said += f" ENVID={_xtext(message.envelope_id)}" if message.envelope_id else ""
        return said

    def command(self, line: str) -> Reply:
        """Say *line*; return the reply."""
        self._write(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return self._reply()

    def _write(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError:
            # It has said why before it closed, perhaps.
            return

    def _reply(self) -> Reply:
        lines: list[str] = []
        for _ in range(REPLY_LINES):
            try:
                line = self._input.readline(REPLY_OCTETS).decode("utf-8", "replace").rstrip("\r\n")
            except OSError as error:
                raise Ends(TEMPFAIL, f"the mail server has not answered in time ({error}): try again later") from error
            if not line[:3].isdecimal():
                break
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), tuple(lines))
        raise Ends(TEMPFAIL, "the mail server has gone away before it said that it has the message: try again later")


def _expect(reply: Reply, code: int) -> Reply:
    if reply.code // 100 == code // 100:
        return reply
    raise Ends(_status(reply), f"the mail server refuses: {reply.text}{_NOTHING}")


def _status(reply: Reply) -> int:
    if reply.code // 100 == 4:
        return TEMPFAIL
    status = reply.lines[0].split(" ")[0]
    if status.startswith("5.7."):
        return NOPERM
    return DATAERR if status.startswith(("5.6.", "5.5.")) else UNAVAILABLE


def status_of(refused: list[tuple[str, Reply]]) -> int:
    """Return how the program ends where these were refused."""
    return NOUSER if refused else OK


def _stuffed(content: bytes) -> bytes:
    return (b"." if content.startswith(b".") else b"") + content.replace(b"\r\n.", b"\r\n..")


def _xtext(text: str) -> str:
    plain = {letter for letter in map(chr, range(33, 127)) if letter not in "+="}
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if chr(octet) in plain else f"+{octet:02X}" for octet in octets)


class Spoken:
    """Turns what a script says, piece by piece, into lines of SMTP."""

    def __init__(self) -> None:
        self._bare: bool | None = None
        # Whether the last piece has ended within a line's end.
        self._cr = False

    def on_the_wire(self, piece: bytes) -> bytes:
        """Return *piece*; with CR LF at the end of each line, where the first one of all had LF alone."""
        before, self._cr = self._cr, piece.endswith(b"\r") or (self._cr and not piece)
        text = b"\r" * before + piece
        if self._bare is None and b"\n" in piece:
            self._bare = not text.partition(b"\n")[0].endswith(b"\r")
        return re.sub(rb"(?<!\r)\n", b"\r\n", text)[before:] if self._bare else piece


def speak(connection: socket.socket) -> int:
    """Let standard input and output speak with the server (``-bs``) until it ends the session.

    Input that ends without QUIT ends the session once the server has nothing more to say. Where the first line ends
    with LF alone, as scripts write it, all lines may.
    """
    connection.setblocking(True)
    spoken = Spoken()
    here, there = sys.stdin.fileno(), connection.fileno()
    waiting, last, patience = [here, there], b"", None
    while True:
        ready, _, _ = select.select(waiting, [], [], patience)
        if not ready:
            return OK
        if there in ready:
            data = connection.recv(_PIECE)
            if not data:
                return OK
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        if here in ready:
            data = os.read(here, _PIECE)
            connection.sendall(spoken.on_the_wire(data))
            last = (last + data)[-8:]
            if not data:
                # (To close our half would look to the server as though we were gone, and its last replies be lost.)
                waiting.remove(here)
                patience = REPLY_SECONDS if last.strip().upper().endswith(b"QUIT") else SILENCE_SECONDS
