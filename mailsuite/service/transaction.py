"""One mail transaction on its way in: its envelope, and its message while it comes (RFC 5321 §3.3)."""

import errno
from collections.abc import Callable
from typing import TypeAlias

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.interfaces import IDraft
from mailsuite.meaning import Mailbox, Room
from mailsuite.message.headers import HEADER_OCTETS, header_end, is_too_large
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply

# Makes the header section that is kept out of the one that came, or says why the message is refused.
Head: TypeAlias = Callable[[bytes], bytes | Reply]

# Of the recipients that were refused, so many are named in the log.
_LOGGED_REFUSALS = 20
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Transaction:
    """From an accepted MAIL to the reply at the end of data, or to its being dropped."""

    __slots__ = (
        "_draft",
        "_head",
        "_rest",
        "began",
        "envelope",
        "header",
        "id",
        "limited",
        "mailboxes",
        "over",
        "prefix",
        "refusal",
        "refused",
        "reserved",
        "rules",
        "size",
        "trouble",
    )

    def __init__(self, transaction_id: str, envelope: Envelope, began: float) -> None:
        self.id = transaction_id
        self.envelope = envelope
        self.began = began
        self.size = 0
        # How many octets of what is kept are for mailboxes alone.
        self.prefix = 0
        # Recipients and commands that were refused, as they stand in the log.
        self.refused: list[str] = []
        # The rules of the policy that have let a recipient through or not.
        self.rules: set[str] = set()
        # What went wrong on our side, for the log alone.
        self.trouble: str | None = None
        # Whether the log says already that there were too many recipients in a short time.
        self.limited = False
        # Why the message will be refused at its end.
        self.refusal: Reply | None = None
        # The room that is kept for it in mailboxes.
        self.reserved: list[Room] = []
        # The mailboxes that it is kept in, or would be if they had any.
        self.mailboxes: set[Mailbox] = set()
        # Whether it has ended, for better or worse.
        self.over = False
        # The header section as it came; None while it has not come to its end.
        self.header: bytes | None = None
        self._head: Head | None = None
        self._draft: IDraft | None = None
        self._rest = b""

    def note(self, refusal: Reply, recipient: Address | None = None) -> None:
        """Remember *refusal* for the log."""
        if len(self.refused) < _LOGGED_REFUSALS:
            to = "" if recipient is None else f" <{recipient}>"
            self.refused.append(f"{refusal.code} {refusal.status}{to}")

    def begin_body(self, draft: IDraft, head: Head) -> None:
        """The message comes into *draft*; *head* is called once, with its whole header section."""
        self._draft = draft
        self._head = head

    def body(self, octets: bytes) -> None:
        """Take the next octets of the message."""
        self.size += len(octets)
        if self.refusal is not None:
            return
        try:
            self._take(octets)
        except Exception:
            # Whatever it was, a part of the message is lost: the rest must never be taken for the whole.
            self._refuse(replies.TROUBLE)
            raise

    def end_body(self) -> IDraft | None:
        """The message is whole: return its draft; ``None`` where there is a `refusal`."""
        if self.header is None and self.refusal is None:
            # RFC 5322 §3.5: the body is optional, and with it the empty line.
            self._end_header(len(self._rest))
        return None if self.refusal is not None else self._draft

    def release(self) -> None:
        """It has ended: give back the room that is kept for it. The message lies in its mailboxes, or will not."""
        self.over = True
        reserved, self.reserved = self.reserved, []
        for room in reserved:
            room.release()

    def discard(self) -> None:
        """Forget the message."""
        if self._draft is not None:
            self._draft.discard()
            self._draft = None

    def _take(self, octets: bytes) -> None:
        if self.header is not None:
            self._write(octets)
            return
        self._rest += octets
        end = header_end(self._rest)
        if end >= 0:
            self._end_header(end)
        elif len(self._rest) > HEADER_OCTETS:
            self._refuse(replies.HEADER_TOO_LARGE)

    def _end_header(self, end: int) -> None:
        assert self._head is not None
        self.header = self._rest[:end]
        kept = replies.HEADER_TOO_LARGE if is_too_large(self.header) else self._head(self.header)
        if isinstance(kept, Reply):
            self._refuse(kept)
        else:
            self._write(kept + self._rest[end:])
        self._rest = b""

    def _write(self, octets: bytes) -> None:
        assert self._draft is not None
        try:
            self._draft.write(octets)
        except OSError as error:
            self.trouble = str(error)
            self._refuse(replies.NO_ROOM if error.errno in _NO_SPACE else replies.TROUBLE)

    def _refuse(self, reply: Reply) -> None:
        self.refusal = reply
        self._rest = b""
        self.discard()
