"""Clients that send on and on, through crashes of the server, and remember what was promised to them."""

import hashlib
import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.system.messages import message
from tests.system.wire import Wire

_KEY = re.compile(rb"^Subject: (key-[0-9a-z-]+)\r\n", re.MULTILINE)
_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(slots=True)
class Sent:
    """One message: the *digest* of its octets, and whether its 250 came.

    *tries* is how often it was begun, *ended* how often its end was sent; *id* is what the 250 calls it.
    """

    digest: str
    recipients: tuple[str, ...]
    tries: int = 0
    ended: int = 0
    acknowledged: bool = False
    id: str = ""


@dataclass(slots=True)
class Ledger:
    """What all clients have sent, by the key in the Subject."""

    messages: dict[str, Sent] = field(default_factory=dict)

    def acknowledged(self, recipient: str) -> set[str]:
        """Return the keys of the messages that were promised to *recipient*."""
        return {key for key, sent in list(self.messages.items()) if sent.acknowledged and recipient in sent.recipients}


def digest(octets: bytes) -> str:
    """Return what stands for a message's octets."""
    return hashlib.sha256(octets).hexdigest()


def key_of(octets: bytes) -> str | None:
    """Return the key of a message of ours."""
    found = _KEY.search(octets[:2000])
    return found[1].decode() if found else None


class Sender(threading.Thread):
    """One client: sends each message until it was acknowledged, and connects anew when it was cut off."""

    def __init__(self, name: str, port: int, recipients: Sequence[str], ledger: Ledger, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self._port = port
        self._recipients = recipients
        self._ledger = ledger
        self._random = random.Random(f"{seed} {name}")
        self._over = threading.Event()
        self._count = 0
        # The message that waits for its 250, so that it is sent again.
        self._pending: tuple[Sent, bytes] | None = None
        self.refusals: list[bytes] = []

    def stop(self) -> None:
        """End after the message in hand."""
        self._over.set()

    def run(self) -> None:
        """Send until told to stop."""
        while not self._over.is_set():
            try:
                with Wire(self._port, seconds=20) as wire:
                    self._expect(wire, b"220")
                    wire.send(b"EHLO client.example\r\n")
                    self._expect(wire, b"250")
                    while not self._over.is_set():
                        self._send(wire)
            except (OSError, EOFError):
                self._over.wait(0.05)

    def _send(self, wire: Wire) -> None:
        if self._pending is None:
            self._pending = self._next()
        sent, octets = self._pending
        sent.tries += 1
        rcpt = b"".join(b"RCPT TO:<%s>\r\n" % recipient.encode() for recipient in sent.recipients)
        wire.send(b"MAIL FROM:<load@client.example>\r\n" + rcpt + b"DATA\r\n")
        for code in (b"250", *(b"250" for _ in sent.recipients), b"354"):
            self._expect(wire, code)
        wire.send(_DOT.sub(b"..", octets))
        sent.ended += 1
        wire.send(b".\r\n")
        answer = self._expect(wire, b"250")
        sent.acknowledged = True
        sent.id = answer.rpartition(b"[")[2].rstrip(b"]").decode()
        self._pending = None

    def _expect(self, wire: Wire, code: bytes) -> bytes:
        answer = wire.answer()
        if not answer.startswith(code):
            self.refusals.append(answer)
            raise EOFError
        return answer

    def _next(self) -> tuple[Sent, bytes]:
        self._count += 1
        dice = self._random
        key = f"key-{self.name}-{self._count}"
        size = dice.choices((300, 6_000, 60_000, 400_000), (40, 40, 17, 3))[0] * dice.uniform(0.5, 1.5)
        line = dice.randbytes(30).hex().encode()
        body = b"\r\n".join(b".%d %s" % (number, line) for number in range(int(size) // 64)) + b"\r\n"
        octets = message("load@client.example", body, key)
        recipients = tuple(dice.sample(self._recipients, dice.randint(1, min(3, len(self._recipients)))))
        sent = Sent(digest(octets), recipients)
        self._ledger.messages[key] = sent
        return sent, octets


class Load:
    """Several senders at once."""

    def __init__(self, port: int, recipients: Sequence[str], connections: int, seed: int) -> None:
        self.ledger = Ledger()
        self._senders = [
            Sender(f"c{number}", port, recipients, self.ledger, seed) for number in range(connections)
        ]

    def start(self) -> None:
        """Let all begin."""
        for sender in self._senders:
            sender.start()

    def stop(self) -> None:
        """Let all end, and wait for them."""
        for sender in self._senders:
            sender.stop()
        for sender in self._senders:
            sender.join(30)
            assert not sender.is_alive()

    @property
    def refusals(self) -> list[bytes]:
        """What the server said instead of 250."""
        return [answer for sender in self._senders for answer in sender.refusals]


