"""Clients of all manners at once, on one site, and the account of what became of each message."""

import os
import poplib
import random
import re
import socket
import struct
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.system.fetchers import pop3_session, retrieve
from tests.system.load import digest, key_of
from tests.system.messages import message, without_trace
from tests.system.senders import smtp_session
from tests.system.site import LISTENERS, Site
from tests.system.wire import Wire

_DOT = re.compile(rb"^\.", re.MULTILINE)
# Senders wait while more than this many messages lie in a mailbox, on average.
_FULL = 150


@dataclass(slots=True)
class Mail:
    """One message: the *digest* of its octets, and how far it came: its last octet went out; its 250 came."""

    digest: str
    recipients: tuple[str, ...]
    ended: bool = False
    acknowledged: bool = False


@dataclass(slots=True)
class Book:
    """What all clients did. Keys are those in the Subject."""

    site: Site
    mailboxes: tuple[str, ...]
    messages: dict[str, Mail] = field(default_factory=dict)
    # Fetched and deleted, by mailbox: only one reader writes to each.
    taken: dict[str, set[str]] = field(default_factory=dict)
    # What lay in each mailbox when its reader looked.
    lying: Counter[str] = field(default_factory=Counter)
    # By client.
    visits: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.taken = {user: set() for user in self.mailboxes}

    @property
    def full(self) -> bool:
        """Whether readers should first take some of what lies on the server."""
        return self.lying.total() > _FULL * len(self.mailboxes)

    def check(self, user: str, whole: bytes) -> str:
        """Return the key of a message that *user* has got, which must be one that was sent to them, unaltered."""
        octets = without_trace(whole)
        key = key_of(octets)
        assert key is not None, octets[:300]
        mail = self.messages[key]
        assert user in mail.recipients, key
        assert mail.ended, f"{key} was never sent to its end"
        assert digest(octets) == mail.digest, key
        assert key not in self.taken[user], f"{key} was deleted and has come back"
        return key


class Client(threading.Thread):
    """Visits the server again and again. Every trouble it does not expect is a complaint."""

    # Seconds between two visits, at most.
    rest: ClassVar[float] = 0.05
    # What may happen on a visit.
    expected: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, book: Book, name: str, seed: int) -> None:
        super().__init__(name=f"{name}-{type(self).__name__.lower()}", daemon=True)
        self.book = book
        self.site = book.site
        self.dice = random.Random(f"{seed} {self.name}")
        self._over = threading.Event()
        self._count = 0

    def stop(self) -> None:
        """End after the visit in hand."""
        self._over.set()

    def run(self) -> None:
        """Visit until told to stop."""
        while not self._over.is_set():
            try:
                self.visit()
            except self.expected:
                pass
            except Exception:
                self.book.complaints.append(f"{self.name}: {traceback.format_exc()}")
            self.book.visits[self.name] += 1
            self._over.wait(self.dice.uniform(0, self.rest))

    def visit(self) -> None:
        """Do whatever this client does on one connection."""
        raise NotImplementedError

    def compose(self, sender: str) -> tuple[Mail, bytes]:
        """Return a new message for some mailboxes, and its note in the book."""
        self._count += 1
        dice = self.dice
        key = f"key-{self.name}-{self._count}"
        size = dice.choices((300, 6_000, 60_000, 300_000), (50, 38, 10, 2))[0] * dice.uniform(0.5, 1.5)
        line = dice.randbytes(30).hex().encode()
        body = b"\r\n".join(b".%d %s" % (number, line) for number in range(int(size) // 64)) + b"\r\n"
        octets = message(sender, body, key)
        mail = Mail(digest(octets), tuple(dice.sample(self.book.mailboxes, dice.randint(1, 3))))
        self.book.messages[key] = mail
        return mail, octets

    def greet(self, wire: Wire) -> None:
        """Begin a session with the MTA, sometimes under TLS."""
        wire.greet()
        if self.dice.random() < 0.3:
            wire.ask(b"STARTTLS", 220)
            wire.start_tls(self.site.tls())
            wire.ask(b"EHLO client.example", 250)


def envelope(mail: Mail) -> list[bytes]:
    """Return the commands before the message."""
    rcpt = [b"RCPT TO:<%s>" % recipient.encode() for recipient in mail.recipients]
    return [b"MAIL FROM:<soak@client.example>", *rcpt, b"DATA"]


def on_wire(octets: bytes) -> bytes:
    """Return the message as DATA sends it, with its end."""
    return _DOT.sub(b"..", octets) + b".\r\n"


class Sender(Client):
    """Another server: brings some messages, in one go or command by command."""

    def visit(self) -> None:
        """See `Client.visit`."""
        if self.book.full:
            return
        with Wire(self.site.ports["mta"]) as wire:
            self.greet(wire)
            for _ in range(self.dice.randint(1, 10)):
                self._bring(wire, self.dice.random() < 0.5)
            wire.ask(b"QUIT", 221)

    def _bring(self, wire: Wire, pipelined: bool) -> None:
        mail, octets = self.compose("soak@client.example")
        commands = envelope(mail)
        codes = [*(250 for _ in commands[1:]), 354]
        if pipelined:
            wire.send(b"".join(command + b"\r\n" for command in commands))
            for code in codes:
                wire.reply(code)
        else:
            for command, code in zip(commands, codes, strict=True):
                wire.ask(command, code)
        mail.ended = True
        wire.send(on_wire(octets))
        wire.reply(250)
        mail.acknowledged = True


class Submitter(Client):
    """A user who logs in under TLS and sends some messages."""

    rest = 0.5

    def visit(self) -> None:
        """See `Client.visit`."""
        if self.book.full:
            return
        user = self.dice.choice(self.book.mailboxes)
        way = self.dice.choice(("submission", "submissions"))
        with smtp_session(self.site, way, user) as session:  # type: ignore[arg-type]
            for _ in range(self.dice.randint(1, 4)):
                mail, octets = self.compose(user)
                mail.ended = True
                assert session.sendmail(user, mail.recipients, octets, ["BODY=8BITMIME"]) == {}
                mail.acknowledged = True


class Quitter(Client):
    """Goes away at any point of a transaction, politely (FIN) or not (RST)."""

    expected = (OSError, EOFError)

    def visit(self) -> None:
        """See `Client.visit`."""
        with Wire(self.site.ports["mta"]) as wire:
            if self.dice.random() < 0.5:
                reset_at_close(wire)
            if self.dice.random() < 0.1:
                return
            self.greet(wire)
            mail, octets = self.compose("soak@client.example")
            commands = b"".join(command + b"\r\n" for command in envelope(mail))
            if self.dice.random() < 0.4:
                wire.send(commands[: self.dice.randrange(len(commands))])
                self._over.wait(self.dice.choice((0, 0, 0.01)))
                return
            wire.send(commands)
            while not wire.answer().startswith(b"354"):
                pass
            self._leave_in_body(wire, mail, on_wire(octets))

    def _leave_in_body(self, wire: Wire, mail: Mail, body: bytes) -> None:
        """Go away inside the body, in its last octets, or after them without waiting for the answer."""
        somewhere = self.dice.randrange(len(body))
        at = self.dice.choice((somewhere, somewhere, len(body) - self.dice.randrange(6), len(body)))
        mail.ended = at == len(body)
        wire.send(body[:at])
        self._over.wait(self.dice.choice((0, 0, 0.01)))


class Babbler(Client):
    """Says what no protocol knows, to any listener."""

    rest = 0.1
    expected = (OSError, EOFError)

    def visit(self) -> None:
        """See `Client.visit`."""
        listener = self.dice.choice(list(LISTENERS))
        # Not from where our users are: some of it looks like guessed passwords.
        with Wire(self.site.ports[listener], 1, "127.8.8.8") as wire:
            if LISTENERS[listener]["tls"] == "implicit" and self.dice.random() < 0.7:
                wire.start_tls(self.site.tls())
            if self.dice.random() < 0.2:
                wire.send(b"EHLO client.example\r\nSTARTTLS\r\nSTLS\r\n")
            wire.send(self.dice.choice(_NONSENSE)(self.dice))
            wire.socket.settimeout(self.dice.choice((0.01, 0.1, 0.5)))
            wire.ends()


class Guesser(Client):
    """Guesses passwords, from an address of its own each time; it is slowed, and no other client is."""

    rest = 3.0
    # It is told less and less, and cut off at last.
    expected = (OSError, EOFError)

    def visit(self) -> None:
        """See `Client.visit`."""
        source = f"127.7.7.{self.dice.randint(1, 250)}"
        with Wire(self.site.ports["pop3s"], source=source) as wire:
            wire.start_tls(self.site.tls())
            wire.ok()
            for _ in range(3):
                user = self.dice.choice((*self.book.mailboxes, "nobody@example.test"))
                wire.send(b"USER %s\r\n" % user.encode())
                wire.ok()
                wire.send(b"PASS %s\r\n" % self.dice.randbytes(9).hex().encode())
                assert wire.line().startswith(b"-ERR")


class Reader(Client):
    """The user of one mailbox: fetches some messages and deletes most of them, and does not always say QUIT."""

    rest = 0.3

    def __init__(self, book: Book, name: str, seed: int, user: str) -> None:
        super().__init__(book, f"{name}-{user.partition('@')[0]}", seed)
        self._user = user

    def visit(self) -> None:
        """See `Client.visit`."""
        door = self.dice.choice(("pop3", "pop3s"))
        try:
            session = pop3_session(self.site, self._user, door)  # type: ignore[arg-type]
        except poplib.error_proto as error:
            # The server may not have seen yet that the last session was cut off.
            if b"[IN-USE]" not in error.args[0]:
                raise
            return
        count = self.book.lying[self._user] = session.stat()[0]
        numbers = sorted(self.dice.sample(range(1, count + 1), min(count, 80)))
        keys = [self.book.check(self._user, retrieve(session, number)) for number in numbers]
        assert len(set(keys)) == len(keys), "a message is there twice"
        marked = {key: number for key, number in zip(keys, numbers, strict=True) if self.dice.random() < 0.9}
        for number in marked.values():
            session.dele(number)
        self._end(session, set(marked))

    def _end(self, session: poplib.POP3, keys: set[str]) -> None:
        how = self.dice.random()
        if how < 0.1:
            session.close()
            return
        if how < 0.2:
            session.rset()
            keys = set()
        session.quit()
        self.book.taken[self._user] |= keys


def reset_at_close(wire: Wire) -> None:
    """Let the connection end with RST."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


_VERBS = (
    b"EHLO [127.0.0.1] HELO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP AUTH STARTTLS BDAT TURN ETRN"
    b" USER PASS STAT LIST UIDL RETR TOP DELE STLS CAPA APOP XYZZY FROM:<> TO:<nobody@example.test> PLAIN = * \0 \xff"
).split(b" ")


def _any_words(dice: random.Random) -> bytes:
    lines = (b" ".join(dice.choices(_VERBS, k=dice.randint(1, 4))) for _ in range(dice.randint(1, 80)))
    return b"".join(line + b"\r\n" for line in lines)


def _half_command(dice: random.Random) -> bytes:
    return dice.choice((b"EH", b"EHLO client.example", b"EHLO a\r\nMAIL FROM:<a@b", b"USER al", b"\r", b"STLS\r"))


def _any_octets(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(1, 5_000))


def _endless_line(dice: random.Random) -> bytes:
    return b"X" * dice.choice((513, 10_000, 1_000_000))


def _long_lines(dice: random.Random) -> bytes:
    return b"".join(b"NOOP " + b"y" * dice.randint(400, 20_000) + b"\r\n" for _ in range(10))


def _wrong_line_ends(dice: random.Random) -> bytes:
    return dice.choice((b"\n", b"\r", b"\n\r")).join([b"EHLO client.example", b"MAIL FROM:<>", b"DATA", b".", b""])


_NONSENSE: tuple[Callable[[random.Random], bytes], ...] = (
    _any_words,
    _half_command,
    _any_octets,
    _endless_line,
    _long_lines,
    _wrong_line_ends,
)


@contextmanager
def at_work(clients: Iterable[Client]) -> Iterator[None]:
    """Let *clients* do what they do, and let them end their visits at the end."""
    all_clients = list(clients)
    for client in all_clients:
        client.start()
    try:
        yield
    finally:
        for client in all_clients:
            client.stop()
        for client in all_clients:
            client.join(60)
    assert not [client.name for client in all_clients if client.is_alive()]


def everybody(book: Book, phase: str, seed: int) -> list[Client]:
    """Return clients of all kinds; *phase* is in their names, and so in the keys of their messages."""
    kinds: list[type[Client]] = [Sender] * 3 + [Submitter] * 2 + [Quitter] * 3 + [Babbler] * 2 + [Guesser]
    clients = [kind(book, f"{phase}{number}", seed) for number, kind in enumerate(kinds)]
    return [*clients, *(Reader(book, phase, seed, user) for user in book.mailboxes)]


@dataclass(frozen=True, slots=True)
class Use:
    """What the server uses: resident memory in KiB, and descriptors."""

    memory: int
    descriptors: int


def use_at_rest(site: Site) -> Use:
    """Return what the server uses when nobody is connected any more."""
    time.sleep(1)
    status = Path(f"/proc/{site.pid}/status").read_text()
    memory = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert memory is not None
    return Use(int(memory[1]), len(os.listdir(f"/proc/{site.pid}/fd")))


def left_over(site: Site) -> list[str]:
    """Return the names of all files that lie in any mailbox's ``tmp``."""
    return [str(path) for path in (site.folder / "mail").glob("*/*/tmp/*")]


def settle(book: Book) -> Counter[str]:
    """Compare the mailboxes with the book; return how many messages came to which end.

    Counted are messages in mailboxes: one with three recipients counts three times.
    """
    ends: Counter[str] = Counter()
    for user in book.mailboxes:
        lying = [book.check(user, octets) for folder in ("new", "cur") for octets in book.site.on_disk(user, folder)]
        assert len(set(lying)) == len(lying), f"a message is twice in the mailbox of {user}"
        there = book.taken[user].union(lying)
        promised = {key for key, mail in book.messages.items() if mail.acknowledged and user in mail.recipients}
        assert promised <= there, f"acknowledged to {user} and lost: {sorted(promised - there)}"
        ends["acknowledged"] += len(promised)
        ends["taken"] += len(book.taken[user])
        ends["left"] += len(lying)
        ends["extra"] += len(there - promised)
    return ends
