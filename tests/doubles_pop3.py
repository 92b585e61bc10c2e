"""Verified doubles for the POP3 side: store, maildrop, content, logins, mail log, locks."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import (
    IContent,
    IDraft,
    IListing,
    IMaildrop,
    IMailLog,
    IMailStore,
    IReceipt,
    MaildropInUse,
)
from mailsuite.maybe import Maybe
from mailsuite.meaning import Login, Mailbox, Secret
from mailsuite.pop3.drop import rows_of
from mailsuite.sasl.claims import Claim, Proof, Question, SecretWanted, TokenShown
from mailsuite.service.login import Refused

T = TypeVar("T")

MAILBOX = Mailbox(1, "example.org/alice")
ALICE = Login(1, "alice@example.org", MAILBOX)


def settled(value: Any) -> Any:
    """Return what *value* is, or what it comes to without waiting for anything."""
    if not isinstance(value, Coroutine):
        return value
    try:
        value.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("this still waits for something")


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run *function* at once, in place of a thread."""
    return function(*arguments)


@implementer(IContent)
class MemoryContent:
    """A message in memory; *read* may be told to raise."""

    def __init__(self, octets: bytes, trouble: OSError | None = None) -> None:
        self.octets = octets
        self.trouble = trouble
        self.closed = 0

    def read(self, size: int) -> bytes:
        if self.trouble is not None:
            raise self.trouble
        piece, self.octets = self.octets[:size], self.octets[size:]
        return piece

    def close(self) -> None:
        self.closed += 1


@implementer(IListing)
class MemoryListing:
    """Sizes, and made-up unique ids."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.octets = sum(sizes)
        self.unique_ids = [f"id-{index}" for index in range(len(sizes))]

    def size_rows(self, start: int, stop: int) -> bytes:
        return rows_of(self.sizes)(start, stop)

    def id_rows(self, start: int, stop: int) -> bytes:
        return rows_of(self.unique_ids)(start, stop)


@implementer(IMaildrop)
class MemoryMaildrop:
    """A snapshot in memory. *stubborn* messages cannot be removed; *pending*, if set, is what a removal waits for."""

    def __init__(self, messages: Sequence[bytes | OSError], stubborn: Sequence[int] = ()) -> None:
        self.messages = messages
        self.stubborn = stubborn
        self.removed: list[int] = []
        self.seen: list[int] = []
        self.trouble: OSError | None = None
        self.pending: Deferred[None] | None = None
        self.contents: list[MemoryContent] = []
        self.closed = 0

    def listing(self) -> "MemoryListing":
        return MemoryListing([len(message) if isinstance(message, bytes) else 9 for message in self.messages])

    def read(self, number: int, whole: bool = True) -> Maybe[IContent]:
        message = self.messages[number]
        if isinstance(message, OSError):
            raise message
        content = MemoryContent(message, self.trouble)
        self.contents.append(content)
        if self.pending is not None:
            return self._read_later(content)
        return content

    async def _read_later(self, content: MemoryContent) -> IContent:
        await cast("Deferred[None]", self.pending)
        return content

    def at_hand(self, number: int) -> bytes | None:
        message = self.messages[number]
        return message if isinstance(message, bytes) and len(message) < 100 else None

    def mark_seen(self, number: int) -> None:
        self.seen.append(number)

    def remove(self, numbers: Sequence[int]) -> Maybe[Sequence[int]]:
        return self._remove(numbers)

    async def _remove(self, numbers: Sequence[int]) -> Sequence[int]:
        if self.pending is not None:
            await self.pending
        if self.trouble is not None:
            raise self.trouble
        self.removed += [number for number in numbers if number not in self.stubborn]
        return [number for number in numbers if number in self.stubborn]

    def close(self) -> None:
        self.closed += 1


@implementer(IMailStore)
class MemoryStore:
    """Opens one maildrop, once at a time; nothing is delivered to it. *pending*, if set, is waited for first."""

    def __init__(self, maildrop: MemoryMaildrop) -> None:
        self.maildrop = maildrop
        self.pending: Deferred[None] | None = None
        self.opened: list[Mailbox] = []

    def has_room(self, size: int) -> bool:
        return True

    def draft(self) -> IDraft:
        raise OSError("this double takes no mail")

    def deliver(self, draft: IDraft, mailboxes: Sequence[Mailbox], keep: bool = False) -> IReceipt:
        raise OSError("this double takes no mail")

    def barrier(self, receipts: Sequence[IReceipt]) -> Maybe[None]:
        return None

    def create(self, mailbox: Mailbox) -> None:
        return None

    def open(self, mailbox: Mailbox, reader: str) -> Maybe[IMaildrop]:
        if len(self.opened) > self.maildrop.closed:
            raise MaildropInUse(mailbox.path)
        self.opened.append(mailbox)
        return self._open_later() if self.pending is not None else self.maildrop

    async def _open_later(self) -> IMaildrop:
        await cast("Deferred[None]", self.pending)
        return self.maildrop


class FixedLogins:
    """Says what it was told to say: a login, a refusal, or an exception."""

    def __init__(self, result: Login | Refused | Exception) -> None:
        self.result = result
        self.asked: list[tuple[Claim | Question, Peer | None, str]] = []

    async def check(self, claim: Claim, peer: Peer, scope: str) -> Login | Refused:
        self.asked.append((claim, peer, scope))
        return self._said()

    async def secret(self, wanted: SecretWanted, scope: str) -> Secret:
        self.asked.append((wanted, None, scope))
        self._said()
        return Secret(None, wanted.kind)

    async def judge(self, shown: Proof | TokenShown, peer: Peer, scope: str) -> Login | Refused:
        self.asked.append((shown, peer, scope))
        return self._said()

    def _said(self) -> Login | Refused:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@implementer(IMailLog)
class KeptLog:
    """Keeps its records."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, object]]] = []

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        self.records.append((kind, dict(fields)))
