"""Verified doubles for the way of mail in: directory, store, intake, passwords. Each may be slow or fail."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.envelope import Acceptance, Peer
from mailsuite.interfaces import (
    IAuthenticator,
    ICaps,
    IDraft,
    IGuessingLimit,
    IIntake,
    IMailboxDirectory,
    IMaildrop,
    IMailStore,
    IQuotas,
    IRates,
    IReceipt,
)
from mailsuite.maybe import Maybe
from mailsuite.meaning import Login, Mailbox, Mailboxes, Meaning, Relayed, Room, Secret, Unknown
from mailsuite.outcome import DELIVERED, Outcome

T = TypeVar("T")


class Slow:
    """What the doubles have in common: *pending*, if set, is waited for; *trouble*, if set, is raised."""

    pending: "Deferred[None] | None" = None
    trouble: Exception | None = None

    def give(self, value: T) -> Maybe[T]:
        """Return *value*, at once or later, or raise."""
        if self.pending is not None:
            return self._later(self.pending, value)
        if self.trouble is not None:
            raise self.trouble
        return value

    async def _later(self, pending: "Deferred[None]", value: T) -> T:
        await pending
        if self.trouble is not None:
            raise self.trouble
        return value


@implementer(IMailboxDirectory)
class FixedDirectory(Slow):
    """Knows the addresses that it was given, and who may send as whom."""

    def __init__(self, meanings: Mapping[str, Meaning] | None = None) -> None:
        self.meanings = dict(meanings or {})
        self.rights: set[tuple[str, str]] = set()
        self.members: dict[str, Sequence[Address]] = {}
        self.asked: list[str] = []

    def find(self, address: Address) -> Maybe[Meaning]:
        self.asked.append(str(address))
        return self.give(self.meanings.get(str(address), Unknown()))

    def is_local(self, domain: str) -> Maybe[bool]:
        return self.give(any(known.endswith(f"@{domain}") for known in self.meanings))

    def may_send_as(self, login: Login, address: Address) -> Maybe[bool]:
        self.asked.append(str(address))
        return self.give((login.name, str(address)) in self.rights)

    def expand(self, address: Address) -> Maybe[Sequence[Address] | None]:
        return self.give(self.members.get(str(address)))

    def relayed_below(self, domain: str) -> Maybe[Sequence[str]]:
        known = [name.partition("@")[2] for name, meaning in self.meanings.items() if isinstance(meaning, Relayed)]
        return self.give(sorted({name for name in known if name.endswith(f".{domain.lower()}")}))


@implementer(IDraft)
class MemoryDraft:
    """A message in memory. *trouble*, if set, is raised by `write`."""

    def __init__(self) -> None:
        self.size = 0
        self.data = b""
        self.path: str | None = None
        self.trouble: Exception | None = None
        self.discarded = 0
        self.delivered = False

    def octets(self) -> bytes:
        return self.data

    def write(self, data: bytes) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.data += data
        self.size += len(data)

    def discard(self) -> None:
        self.discarded += 1


@implementer(IReceipt)
class MemoryReceipt:
    """Remembers whether it was withdrawn."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)
        self.withdrawn = False

    def withdraw(self) -> None:
        self.withdrawn = True


@implementer(IMailStore)
class MemoryMail(Slow):
    """A store in memory; *pending* and *trouble* are those of the barrier.

    *refusals* are the outcomes of mailboxes that cannot be written to.
    """

    def __init__(self) -> None:
        self.room = 1 << 30
        self.drafts: list[MemoryDraft] = []
        self.draft_trouble: Exception | None = None
        self.refusals: dict[Mailbox, Outcome] = {}
        self.deliveries: list[tuple[bytes, list[Mailbox], MemoryReceipt]] = []

    def has_room(self, size: int) -> bool:
        return size <= self.room

    def draft(self) -> IDraft:
        draft = MemoryDraft()
        draft.trouble = self.draft_trouble
        self.drafts.append(draft)
        return cast(IDraft, draft)

    def deliver(self, draft: IDraft, mailboxes: Sequence[Mailbox], keep: bool = False) -> IReceipt:
        receipt = MemoryReceipt([self.refusals.get(mailbox, DELIVERED) for mailbox in mailboxes])
        memory = cast(MemoryDraft, draft)
        memory.delivered = True
        self.deliveries.append((memory.data, list(mailboxes), receipt))
        return cast(IReceipt, receipt)

    def barrier(self, receipts: Sequence[IReceipt]) -> Maybe[None]:
        return cast(Maybe[None], self.give(None))

    def create(self, mailbox: Mailbox) -> None:
        return None

    def open(self, mailbox: Mailbox, reader: str) -> Maybe[IMaildrop]:
        raise OSError("this double gives no mail out")


@implementer(IIntake)
class FixedIntake(Slow):
    """Takes all there is and says what it was told to: *outcome* for each recipient."""

    def __init__(self) -> None:
        self.outcome: Outcome = DELIVERED
        self.taken: list[tuple[bytes, Acceptance]] = []

    def accept(self, acceptance: Acceptance, draft: IDraft) -> Maybe[Sequence[Outcome]]:
        self.taken.append((draft.octets(), acceptance))
        return self.give(cast(Sequence[Outcome], [self.outcome for _ in acceptance.envelope.recipients]))


@implementer(IAuthenticator)
class OnePassword(Slow):
    """Everybody's password is ``sesame``; the logins are those it was given. *stored* are everybody's secrets."""

    def __init__(self, *logins: Login) -> None:
        self.logins = {login.name: login for login in logins}
        self.stored: dict[str, str] = {}

    def authenticate(self, name: str, password: str, scope: str) -> Maybe[Login | None]:
        return self.give(self.logins.get(name) if password == "sesame" else None)

    def secret(self, name: str, kind: str, scope: str) -> Maybe[Secret]:
        return self.give(Secret(self.logins.get(name), self.stored[kind]))

    def account(self, name: str, scope: str) -> Maybe[Login | None]:
        return self.give(self.logins.get(name))


@implementer(IGuessingLimit)
class CountedTries:
    """Admits *tries* wrong passwords, without waiting."""

    def __init__(self, tries: int = 3) -> None:
        self.left = tries

    def admit(self, peer: Peer, account: str) -> Maybe[bool]:
        return self.left > 0

    def is_barred(self, peer: Peer, account: str) -> bool:
        return False

    def failed(self, peer: Peer, account: str) -> None:
        self.left -= 1

    def succeeded(self, peer: Peer, account: str, login: str) -> None:
        return None


@implementer(IRates)
class CountedMail:
    """So many messages and recipients for each address, or each login, and no more."""

    def __init__(self, messages: int = 2, recipients: int = 3) -> None:
        self.left = {"message": messages, "recipient": recipients}
        self.asked: list[tuple[str, str, Login | None]] = []

    def message(self, peer: Peer, login: Login | None) -> str:
        return self._count("message", peer, login)

    def recipient(self, peer: Peer, login: Login | None) -> str:
        return self._count("recipient", peer, login)

    def _count(self, what: str, peer: Peer, login: Login | None) -> str:
        self.asked.append((what, peer.host, login))
        self.left[what] -= 1
        return "" if self.left[what] >= 0 else f"{what}_rate"


@implementer(IQuotas)
class FixedQuotas(Slow):
    """Says of mailboxes by their numbers what they lack; *kept* is what room is kept for."""

    def __init__(self, lacks: Mapping[int, Literal["full", "too small"]] | None = None) -> None:
        self.lacks = dict(lacks or {})
        self.kept: list[tuple[Sequence[int], int]] = []

    def reserve(self, mailboxes: Sequence[Mailbox], octets: int) -> Maybe[Room]:
        numbers = [box.id for box in mailboxes]
        lacking = [self.lacks[number] for number in numbers if number in self.lacks]
        if len(lacking) == len(numbers):
            return self.give(Room(lambda: None, lacking[0]))
        kept = (numbers, octets)
        self.kept.append(kept)
        return self.give(Room(lambda: self.kept.remove(kept)))

    def delivered(self, mailbox: Mailbox, octets: int) -> None:
        """Only a store tells of that."""

    def withdrawn(self, mailbox: Mailbox, octets: int) -> None:
        """Nor of this."""


@implementer(ICaps)
class OneCap:
    """Lets *most* messages of each login through."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.judged: list[tuple[str, list[str]]] = []

    def judge(self, login: Login, recipients: Sequence[Address]) -> str:
        self.judged.append((login.name, [str(each) for each in recipients]))
        return "" if len(self.judged) <= self.most else "too much"


def mailboxes(*numbers: int) -> Mailboxes:
    """Return a meaning with a mailbox for each number."""
    return Mailboxes(tuple(Mailbox(number, f"b.example/box{number}") for number in numbers))
