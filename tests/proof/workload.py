"""What peers do with a server while it lives, each in the same order every time, and what was promised to them."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

from tests.proof.place import PASSWORD, Place
from tests.system.messages import message
from tests.system.site import DOMAIN
from tests.system.wire import Wire

SENDER = "peer@client.example"
ALICE, BOB, DAVE, ERIN, FRANK, GRACE = (
    f"{name}@{DOMAIN}" for name in ("alice", "bob", "dave", "erin", "frank", "grace")
)
NOW, CHUNKS, LATER, NEVER = "now@dots.test", "now@chunks.test", "later@chunks.test", "never@dots.test"
# By name: octets, reverse-path, recipients.
MESSAGES: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "first": (400, SENDER, (ALICE,)),
    "second": (3_000, SENDER, (ALICE, BOB)),
    "newcomer": (500, SENDER, (ERIN, ALICE)),
    "large": (300_000, SENDER, (BOB, ALICE)),
    "onward": (600, SENDER, (NOW,)),
    "mixed": (5_000, SENDER, (BOB, CHUNKS, LATER)),
    "bulk": (300_000, SENDER, (BOB, NOW)),
    "reported": (700, ALICE, (NEVER,)),
    "beside-1": (2_000, SENDER, (ALICE, BOB)),
    "beside-2": (900, SENDER, (BOB, CHUNKS)),
    "beside-3": (1_500, SENDER, (ALICE, DAVE)),
    "no-room": (500, SENDER, (FRANK,)),
    "either": (400, SENDER, (GRACE,)),
    "or": (450, SENDER, (GRACE,)),
    "last": (800, SENDER, (LATER, ALICE)),
}
# One after the other over one connection; those of the same step at the same time, each over its own.
STEPS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("first", "second", "newcomer"),),
    (("large", "onward"),),
    (("mixed", "bulk", "no-room", "reported"),),
    (("beside-1", "either"), ("beside-2", "or"), ("beside-3",)),
    (("last",),),
)
_ID = re.compile(rb"\[([^]]+)\]")
# No answer takes so long, nor a start, even where many others are at work on the machine.
_SECONDS = 60.0
# Where something went wrong, there may be nothing to wait for.
_WORKED_OFF = 2.0


@lru_cache
def octets(name: str) -> bytes:
    """Return the message of that name."""
    size, sender, _ = MESSAGES[name]
    line = f"{name} ".encode() * 6
    body = b"".join(b"%d %s\r\n" % (number, line) for number in range(size // len(line) + 1))
    return message(sender, body, f"key-{name}")


@dataclass(slots=True)
class Offer:
    """One message as its sender saw it: whether its end was sent, what was *said* then, and our *id* of it."""

    name: str
    ended: bool = False
    said: bytes = b""
    id: str = ""

    @property
    def acknowledged(self) -> bool:
        """Whether it was promised to be kept."""
        return self.said.startswith(b"250")

    @property
    def refused(self) -> bool:
        """Whether it was said that it was not taken."""
        return self.said[:1] in (b"4", b"5")


@dataclass(slots=True)
class Removal:
    """What one reader has marked, by unique id; whether QUIT was sent, and how it was answered."""

    user: str
    marked: tuple[str, ...] = ()
    asked: bool = False
    said: bytes = b""

    @property
    def promised(self) -> bool:
        """Whether it was said that they are gone."""
        return self.said.startswith(b"+OK")


@dataclass(slots=True)
class Journal:
    """What peers know of one life."""

    offers: dict[str, Offer] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    # Of an import: whether it has ended, and by that said that all is here.
    brought: bool = False
    # What a server said that it should not have said to anybody, in any trouble.
    surprises: list[str] = field(default_factory=list)


def work(place: Place, journal: Journal, over: Callable[[], bool]) -> None:
    """Do all of it, or as much as the server lives for; *over* says whether it has died."""
    for number, step in enumerate(STEPS):
        if number == 2:
            _read(place, "carol", journal, over, quits=True)
        if number == 3:
            _read(place, "dave", journal, over, quits=False)
        senders = [threading.Thread(target=_send, args=(place, names, journal, over)) for names in step]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    _wait(place, journal, over)


def connect(port: int, over: Callable[[], bool], seconds: float = _SECONDS) -> Wire | None:
    """Return a connection, as soon as the server takes it; ``None`` where it has died."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return Wire(port, _SECONDS)
        except OSError:
            if over():
                return None
            time.sleep(0.005)
    return None


def _send(place: Place, names: tuple[str, ...], journal: Journal, over: Callable[[], bool]) -> None:
    wire: Wire | None = None
    for name in names:
        offer = journal.offers[name] = Offer(name)
        try:
            if wire is None:
                wire = connect(place.ports.mta, over)
                if wire is None:
                    return
                _greet(wire)
            _offer(wire, offer, journal)
        except _Refused:
            pass
        except (OSError, EOFError):
            # The next one needs another connection.
            wire = None
            if over():
                return
    if wire is not None:
        wire.socket.close()


class _Refused(Exception):
    pass


def _greet(wire: Wire) -> None:
    _positive(wire, b"220")
    wire.send(b"EHLO client.example\r\n")
    _positive(wire, b"250")


def _positive(wire: Wire, code: bytes) -> None:
    answer = wire.answer()
    if answer.startswith(b"421"):
        raise EOFError
    if not answer.startswith(code):
        wire.send(b"RSET\r\n")
        wire.answer()
        raise _Refused


def _offer(wire: Wire, offer: Offer, journal: Journal) -> None:
    _, sender, recipients = MESSAGES[offer.name]
    for command in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients)):
        wire.send(command.encode() + b"\r\n")
        _positive(wire, b"250")
    wire.send(b"DATA\r\n")
    _positive(wire, b"354")
    wire.send(octets(offer.name))
    offer.ended = True
    wire.send(b".\r\n")
    offer.said = wire.answer()
    found = _ID.search(offer.said)
    offer.id = found[1].decode() if found is not None else ""
    if offer.said[:3] not in (b"250", b"421", b"451", b"452"):
        journal.surprises.append(f"{offer.name}: {offer.said!r}")


def _read(place: Place, user: str, journal: Journal, over: Callable[[], bool], quits: bool) -> None:
    """Fetch one message, mark all but the last, and end by QUIT, or in silence."""
    removal = Removal(user)
    journal.removals.append(removal)
    wire = connect(place.ports.pop3, over)
    with suppress(OSError, EOFError, AssertionError):
        if wire is None:
            return
        unique_ids = log_in(wire, f"{user}@{DOMAIN}")
        wire.send(b"RETR 1\r\n")
        list(lines(wire))
        for number in range(1, len(unique_ids)):
            wire.send(b"DELE %d\r\n" % number)
            wire.ok()
        removal.marked = tuple(unique_ids[:-1])
        if quits:
            removal.asked = True
            wire.send(b"QUIT\r\n")
            removal.said = wire.line()
    if wire is not None:
        wire.socket.close()


def log_in(wire: Wire, address: str) -> list[str]:
    """Begin a POP3 session; return the unique ids."""
    wire.ok()
    wire.send(f"USER {address}\r\nPASS {PASSWORD}\r\nUIDL\r\n".encode())
    wire.ok()
    wire.ok()
    return [line.split()[1].decode() for line in lines(wire)]


def lines(wire: Wire) -> Iterator[bytes]:
    """Yield the lines of a multi-line response (RFC 1939 §3), as they were before they were sent."""
    wire.ok()
    while (line := wire.line()) != b".":
        yield line.removeprefix(b".")


def _wait(place: Place, journal: Journal, over: Callable[[], bool]) -> None:
    """Wait until next hops and the sender of what failed have what they will get: then nothing is in hand."""
    promised = [MESSAGES[name][2] for name, offer in journal.offers.items() if offer.acknowledged]
    taken = sum(bool({NOW, CHUNKS} & set(recipients)) for recipients in promised)
    # alice is told what failed.
    kept = sum(ALICE in recipients or NEVER in recipients for recipients in promised)
    end = time.monotonic() + _WORKED_OFF
    while not over() and time.monotonic() < end:
        if len(place.taken()) >= taken and len(os.listdir(place.maildir("alice") / "new")) >= kept:
            return
        time.sleep(0.01)
