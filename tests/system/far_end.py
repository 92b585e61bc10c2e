"""Other people's mail servers on loopback, as good or bad as a test wants them; nothing of the suite is in them."""

import re
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

GREETING = "GREETING"
END = "."
GOOD: Mapping[str, str] = {
    GREETING: "220 mx.example ESMTP",
    "HELO": "250 mx.example",
    "MAIL": "250 2.1.0 Sender OK",
    "RCPT": "250 2.1.5 Recipient OK",
    "DATA": "354 Go ahead",
    "BDAT": "250 2.0.0 Chunk taken",
    END: "250 2.0.0 Taken",
    "RSET": "250 2.0.0 Forgotten",
    "NOOP": "250 2.0.0 OK",
    "QUIT": "221 2.0.0 Goodbye",
    "STARTTLS": "220 2.0.0 Go ahead",
}
# No test takes so long: what still waits then ends.
PATIENCE = 120.0
_DOT = re.compile(rb"^\.", re.MULTILINE)
_PATH = re.compile(r"<([^>]*)>")


class Over(Exception):
    """The far end has had enough of a connection."""


# Text whose lines are parted by a newline; octets that go out as they are, without a line end; or what does something
# to the conversation and returns one of both, or nothing.
Said: TypeAlias = str | bytes
Action: TypeAlias = Callable[["Conversation"], Said]


@dataclass(slots=True)
class Taken:
    """A message that came with its end, without the stuffed dots; *answers* are what was then said, and went out.

    *connection* counts from 1; *at* is when its end had come, on the monotonic clock.
    """

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    connection: int
    encrypted: bool
    at: float = field(default_factory=time.monotonic)
    answers: list[Said] = field(default_factory=list)


class FarEnd:
    """One server, which says to each verb what it is told to, and else what a good server says.

    A reply is a `Said`, an `Action`, a list of both (gone through over all connections; the last one stays), or, to
    RCPT and to the end of a message, a dict of both by local part (``""``: the others). EHLO is answered with what the
    server *offers*, unless a reply is given. *context* is for STARTTLS, which is offered by naming it; with *implicit*
    TLS begins with the connection. *lmtp*: it answers the end of a message once for each recipient. *receives*: so
    many octets, about, fit into the connection while the server does not read. *singly*: each octet that it says has a
    segment of its own.
    """

    def __init__(
        self,
        offers: tuple[str, ...] = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"),
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        lmtp: bool = False,
        receives: int = 0,
        singly: bool = False,
        **replies: Any,
    ) -> None:
        self.offers = offers
        self.context = context
        self.implicit = implicit
        self.lmtp = lmtp
        self.receives = receives
        self.singly = singly
        self.replies: dict[str, Any] = {**GOOD, **{_verb(name): reply for name, reply in replies.items()}}
        self.over = threading.Event()
        self.connections = 0
        # With the connection on which each came.
        self.commands: list[tuple[int, str]] = []
        self.taken: list[Taken] = []

    def verbs(self) -> list[str]:
        """Return the verbs that came, in order."""
        return [line.partition(" ")[0].upper() for _, line in self.commands]

    def reply(self, verb: str, recipient: str) -> Said | Action:
        """Return what there is to be said to *verb*; *recipient* is whom it is about, if anybody."""
        reply = self.replies.get(verb, "500 5.5.2 No such command")
        if isinstance(reply, dict):
            reply = reply.get(recipient.partition("@")[0], reply.get("", GOOD[verb]))
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        said: Said | Action = reply
        return said


def _verb(name: str) -> str:
    return {"greeting": GREETING, "end": END}.get(name, name.upper())


class Conversation:
    """One connection to *end*, from its side."""

    def __init__(self, end: FarEnd, connection: socket.socket) -> None:
        end.connections += 1
        self.end = end
        self.number = end.connections
        self.encrypted = False
        self._socket = connection
        self._unread = b""
        self._sender = ""
        self._mail = False
        self._accepted: list[str] = []
        self._chunks: list[bytes] = []

    def run(self) -> None:
        """Talk until one of both has had enough."""
        try:
            self._socket.settimeout(PATIENCE)
            if self.end.implicit:
                self.start_tls()
            self._say(GREETING)
            while True:
                self._obey(self._line())
        except (Over, OSError):
            pass
        finally:
            self._socket.close()

    # For actions

    def send(self, octets: bytes) -> None:
        """Send just these octets."""
        if not self.end.singly:
            self._socket.sendall(octets)
            return
        for octet in octets:
            self._socket.sendall(bytes([octet]))
            self.wait(0.001)

    def start_tls(self) -> None:
        """Shake hands."""
        assert self.end.context is not None
        self._socket = self.end.context.wrap_socket(self._socket, server_side=True)
        self.encrypted = True

    def listen(self) -> None:
        """Read on, and say nothing more."""
        while True:
            self._read()

    def wait(self, seconds: float = PATIENCE) -> None:
        """Do nothing for a while, not even read."""
        if self.end.over.wait(seconds):
            raise Over

    def reset(self) -> None:
        """Break the connection as a crash does (RST)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    # What the client says

    def _obey(self, line: str) -> None:
        self.end.commands.append((self.number, line))
        verb = line.partition(" ")[0].upper()
        match verb:
            case "EHLO" | "LHLO" if verb not in self.end.replies:
                self._answer("\n".join(f"250-{text}" for text in ("mx.example", *self._offers())) + "\n250 HELP")
            case "MAIL":
                self._forget()
                self._sender = _path(line)
                # Anything but a refusal: what a reply without sense means is the client's to find out.
                self._mail = self._say(verb)[:1] not in ("4", "5", b"4", b"5")
            case "RCPT":
                self._rcpt(_path(line))
            case "DATA":
                self._data()
            case "BDAT":
                self._bdat(line.split()[1:])
            case "STARTTLS":
                if self._say(verb)[:3] == "220":
                    self._unread = b""
                    self.start_tls()
            case "QUIT":
                self._say(verb)
                raise Over
            case _:
                if verb == "RSET":
                    self._forget()
                self._say(verb)

    def _offers(self) -> list[str]:
        return [offer for offer in self.end.offers if not (self.encrypted and offer == "STARTTLS")]

    def _rcpt(self, recipient: str) -> None:
        if not self._mail:
            self._answer("503 5.5.1 Not before MAIL")
        elif self._say("RCPT", recipient)[:2] in ("25", b"25"):
            self._accepted.append(recipient)

    def _data(self) -> None:
        if not self._accepted and self.end.replies["DATA"] == GOOD["DATA"]:
            self._answer("503 5.5.1 Not before RCPT")
        elif self._say("DATA")[:3] == "354":
            octets = self._message()
            if self._accepted:
                self._take(octets)
            else:
                self._say(END)

    def _bdat(self, words: list[str]) -> None:
        octets = self._exactly(int(words[0]))
        if not self._accepted:
            self._answer("503 5.5.1 Not before RCPT")
            return
        self._chunks.append(octets)
        if words[1:] == ["LAST"]:
            self._take(b"".join(self._chunks))
        elif self._say("BDAT")[:1] != "2":
            self._forget()

    def _take(self, octets: bytes) -> None:
        """Keep the message, and only then say so."""
        taken = Taken(self._sender, tuple(self._accepted), octets, self.number, self.encrypted)
        self._forget()
        self.end.taken.append(taken)
        for recipient in taken.recipients if self.end.lmtp else taken.recipients[:1]:
            taken.answers.append(self._say(END, recipient))

    def _forget(self) -> None:
        self._mail = False
        self._accepted = []
        self._chunks = []

    # Octets

    def _say(self, verb: str, recipient: str = "") -> Said:
        """Say what is said to *verb*; return it once it has gone out."""
        reply = self.end.reply(verb, recipient)
        said = reply(self) if callable(reply) else reply
        self._answer(said)
        if said[:3] in ("421", "521"):
            raise Over
        return said

    def _answer(self, said: Said) -> None:
        if said:
            self.send(said if isinstance(said, bytes) else said.replace("\n", "\r\n").encode() + b"\r\n")

    def _line(self) -> str:
        while b"\r\n" not in self._unread:
            self._read()
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line.decode()

    def _message(self) -> bytes:
        """Read up to the end mark (RFC 5321 §4.1.1.4)."""
        # As if the CRLF of DATA were read with it: an empty message begins with its end.
        text = bytearray(b"\r\n" + self._unread)
        start = 0
        while (end := text.find(b"\r\n.\r\n", start)) < 0:
            start = max(0, len(text) - 4)
            self._unread = b""
            self._read()
            text += self._unread
        self._unread = bytes(text[end + 5 :])
        return _DOT.sub(b"", bytes(text[2 : end + 2]))

    def _exactly(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._read()
        octets, self._unread = self._unread[:count], self._unread[count:]
        return octets

    def _read(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise Over
        self._unread += data


def _path(line: str) -> str:
    found = _PATH.search(line)
    return found[1] if found else ""


# Actions


def drop(conversation: Conversation) -> Said:
    """Close the connection in place of an answer."""
    raise Over


def reset(conversation: Conversation) -> Said:
    """Break the connection in place of an answer."""
    conversation.reset()
    return ""


def silence(conversation: Conversation) -> Said:
    """Read on, and never answer again."""
    conversation.listen()
    return ""


def drip(conversation: Conversation) -> Said:
    """Answer so slowly, octet by octet, that the answer never comes to its end."""
    conversation.send(b"250-")
    while True:
        conversation.send(b"x")
        conversation.wait(0.2)


def deaf(said: str) -> Action:
    """Say *said*, and read nothing from then on."""

    def act(conversation: Conversation) -> Said:
        conversation.send(said.encode() + b"\r\n")
        conversation.wait()
        return ""

    return act


def endless(octets: bytes) -> Action:
    """Send *octets* again and again."""

    def act(conversation: Conversation) -> Said:
        while True:
            conversation.send(octets)
            # Others would like to work, too.
            conversation.wait(0.005)

    return act


def then(said: Said, action: Action) -> Action:
    """Say *said*, then go on with *action*."""

    def act(conversation: Conversation) -> Said:
        conversation.send(said if isinstance(said, bytes) else said.encode() + b"\r\n")
        return action(conversation)

    return act


class FarEnds:
    """Runs far ends, each at a port or a UNIX socket of its own; a context manager that ends them with its block."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._ends: list[FarEnd] = []
        self._idle: list[socket.socket] = []
        self._talking: set[threading.Thread] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, name="far ends", daemon=True)

    def __enter__(self) -> "FarEnds":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping = True
        self._thread.join(10)
        for end in self._ends:
            end.over.set()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        for each in self._idle:
            each.close()
        self._selector.close()

    def listen(self, end: FarEnd, path: Path | None = None, address: tuple[str, int] = ("127.0.0.1", 0)) -> int:
        """Serve *end* at *address*; return its port, 0 where it listens at the UNIX socket *path*."""
        listener = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
        if end.receives:
            # Connections have it from their listener.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, end.receives)
        listener.bind(address if path is None else str(path))
        listener.listen(128)
        self._ends.append(end)
        self._selector.register(listener, selectors.EVENT_READ, end)
        return int(listener.getsockname()[1]) if path is None else 0

    def refuse(self) -> int:
        """Return a port that refuses every connection, and is nobody else's meanwhile."""
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self._idle.append(bound)
        return int(bound.getsockname()[1])

    def ignore(self) -> int:
        """Return a port at which every attempt to connect is left without an answer."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        # Linux has room for one more than it is told, and drops what comes beyond that.
        listener.listen(0)
        waiting = socket.create_connection(listener.getsockname())
        self._idle += [listener, waiting]
        return int(listener.getsockname()[1])

    def settle(self, seconds: float = 30.0) -> None:
        """Wait for the end of all that clients, now gone, have begun: from then on nothing comes of it any more."""
        for key in list(self._selector.get_map().values()):
            # Those who connected before are accepted before.
            with socket.create_connection(key.fileobj.getsockname()) as last:  # type: ignore[union-attr]
                last.recv(1)
        for thread in list(self._talking):
            thread.join(seconds)
            assert not thread.is_alive()
            self._talking.discard(thread)

    def _accept(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(0.05):
                connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                if connection.family == socket.AF_INET:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                conversation = Conversation(key.data, connection)
                thread = threading.Thread(target=conversation.run, name="far end", daemon=True)
                self._talking.add(thread)
                thread.start()
