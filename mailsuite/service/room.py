"""Room for a message in the mailboxes of a recipient: asked for at RCPT, after which a full mailbox refuses nothing.

What has been answered with 250 is delivered, though a mailbox should run over by it; nothing is returned for that.
"""

from typing import TYPE_CHECKING

from mailsuite.envelope import Recipient
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Room
from mailsuite.service.transaction import Transaction
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.service.reception import Reception


def with_room(session: "Reception", transaction: Transaction, recipient: Recipient) -> Maybe[Reply]:
    """Take *recipient* if one of its mailboxes has room for the message, or if it goes on to somebody else, too.

    So a member of an alias that is full does not keep mail from the others. A mailbox to which an earlier recipient
    has led gets no second copy, and no more room.
    """
    boxes = [box for box in recipient.mailboxes if box not in transaction.mailboxes]
    if session.site.quotas is None or not boxes:
        return _taken(transaction, recipient)

    def judged(found: Room) -> Reply:
        if found.lack:
            return _without_room(session, transaction, recipient, found)
        if transaction.over:
            found.release()
            return replies.TROUBLE
        transaction.reserved.append(found)
        transaction.mailboxes.update(boxes)
        return _taken(transaction, recipient)

    size = transaction.envelope.parameters.get("SIZE", 0)
    room: Maybe[Room] = session.site.quotas.reserve(boxes, size)
    return then(room, judged)


def _without_room(session: "Reception", transaction: Transaction, recipient: Recipient, found: Room) -> Reply:
    if recipient.onward:
        return _taken(transaction, recipient)
    # RFC 5321 §4.2.1: what is larger than the mailbox is so tomorrow, too.
    reply = session.site.full if found.lack == "full" else replies.LARGER_THAN_MAILBOX
    transaction.note(reply, recipient.address)
    return reply


def _taken(transaction: Transaction, recipient: Recipient) -> Reply:
    transaction.envelope.recipients.append(recipient)
    return replies.RECIPIENT_OK
