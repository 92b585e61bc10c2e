"""What waits in the queue, as values."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mailsuite.address import Address
from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.meaning import Mailbox
from mailsuite.message.trace import forwarded_by
from mailsuite.outcome import Outcome

# Why a job was claimed: to be tried, to be given up since its time is over, to be given up on an operator's word,
# or since its sender has to be told of the delay.
Purpose: TypeAlias = Literal["try", "expire", "bounce", "warn"]

# The destination of what goes into mailboxes of ours.
LOCAL = "local"

# A `Settled.next_try` that leaves the time as it is.
AS_BEFORE = 0.0


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One message in the queue. Times are POSIX seconds; *number* is the queue's own and 0 before it is stored.

    *id* is ours, as in replies and logs. *body* is ``7BIT`` or ``8BITMIME`` where MAIL declared it, else empty
    (RFC 6152). *ret* and *envid* are those of RFC 3461 §4.3 and §4.4, the latter decoded. *origin* says for people who
    gave us the message; *arrived_from* names the host that did, as a report tells it (RFC 3464 §2.2.4), if any.
    *smtputf8*: MAIL asked for it (RFC 6531 §3.4). *hold*: it is held from the first, for this reason, which is
    kept with its recipients.
    """

    id: str
    reverse_path: Address | None
    arrived: float
    expires: float
    size: int
    body: str = ""
    ret: str = ""
    envid: str = ""
    origin: str = ""
    arrived_from: str = ""
    number: int = 0
    smtputf8: bool = False
    asked: Asked = NOTHING_ASKED
    hold: str = ""


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient of a queued message, which is scheduled as one of *destination*.

    *mailbox*: it goes into this one of ours. *notify* is RFC 3461 §4.1's list in upper case (``NEVER``,
    ``FAILURE,DELAY``), empty where none was given; *original* the decoded ORCPT (``rfc822;a@example.org``) or empty.
    *added* are header fields of this recipient's copy alone: Delivered-To, where an alias led here. *tries* counts
    those that reached a verdict on it; *last* is how the last one ended. *warned*: its sender was told of the delay.
    """

    address: Address
    destination: str
    mailbox: Mailbox | None = None
    notify: str = ""
    original: str = ""
    added: bytes = b""
    number: int = 0
    tries: int = 0
    warned: bool = False
    last: Outcome | None = None

    @property
    def accepted(self) -> Address:
        """The address that we took the message for: this one, or the alias that led here."""
        return forwarded_by(self.added) or self.address

    def wants(self, event: Literal["SUCCESS", "FAILURE", "DELAY"]) -> bool:
        """Say whether the sender wants to hear of *event* (RFC 3461 §4.1; without NOTIFY: of failure and delay)."""
        return event in self.notify.split(",") if self.notify else event != "SUCCESS"


@dataclass(frozen=True, slots=True)
class Job:
    """Recipients of one message, claimed by this process, to be seen to together.

    What is to be tried is for one destination; what is only to be reported may be for several.
    *content* is the message's where it is at hand, without its Return-Path; else the queue is asked for it.
    """

    message: QueuedMessage
    recipients: tuple[QueuedRecipient, ...]
    purpose: Purpose = "try"
    content: bytes | None = None

    @property
    def destination(self) -> str:
        """The one that all recipients have, where it is to be tried; else that of the first."""
        return self.recipients[0].destination


@dataclass(frozen=True, slots=True)
class Held:
    """What an operator holds: the whole queue, or the *destinations*."""

    queue: bool = False
    destinations: frozenset[str] = frozenset()

    def __contains__(self, destination: str) -> bool:
        return self.queue or destination in self.destinations


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one claimed recipient.

    *next_try* is ``None`` where it leaves the queue; else it stays, unclaimed, and is due then (`AS_BEFORE`: when it
    was before). *outcome* is kept as its last one; ``None``: it was not tried, and its tries are not counted up. What
    failed and stays is given up: its sender has to be told then, and it is not tried again. *warned*: its sender was
    told.
    """

    recipient: QueuedRecipient
    next_try: float | None
    outcome: Outcome | None = None
    warned: bool = False
