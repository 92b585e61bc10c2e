"""From a message and some of its recipients to a transaction that a server can take."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailsuite.address import Address
from mailsuite.delivery.body import Body, Stream
from mailsuite.outcome import Failed
from mailsuite.queued import QueuedMessage, QueuedRecipient
from mailsuite.smtp.client_events import Capabilities, Transaction, TransactionRecipient

# RFC 6531 §3.5; our client does not send SMTPUTF8 itself, so no other host could take such an address from us.
UTF8_SENDER = Failed("5.6.7", "The sender's address has letters that are not ASCII, and they cannot be passed on")
UTF8_RECIPIENT = Failed("5.6.7", "The address has letters that are not ASCII, and they cannot be passed on")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A transaction; *stream* is where its content comes from if it is a large one, and has to be closed."""

    transaction: Transaction
    stream: Stream | None = None


def unsendable(reverse_path: Address | None, recipient: QueuedRecipient) -> Failed | None:
    """Say why no host can be given this pair of addresses; ``None``: it can be tried."""
    if reverse_path is not None and not reverse_path.local.isascii():
        return UTF8_SENDER
    return None if recipient.address.local.isascii() else UTF8_RECIPIENT


def together(recipients: Sequence[QueuedRecipient], indexes: Sequence[int], most: int) -> list[int]:
    """Return which of *indexes* go into one transaction: the first, and at most *most* whose copy is the same."""
    if len(indexes) == 1:
        return [indexes[0]]
    added = recipients[indexes[0]].added
    return [index for index in indexes if recipients[index].added == added][:most]


async def fit(
    message: QueuedMessage, recipients: Sequence[QueuedRecipient], body: Body, capabilities: Capabilities, lmtp: bool
) -> Fitted | Failed:
    """Make a transaction for a server with *capabilities*, or say why it can never have this message.

    The recipients have the same `QueuedRecipient.added`. Raises `ContentTrouble`.
    """
    added = recipients[0].added
    found = await _content(body, added, "8BITMIME" in capabilities)
    if isinstance(found, Failed):
        return found
    content, eight_bit = found
    size = body.size + len(added) if content is None else len(content)
    if capabilities.size and size > capabilities.size:
        # RFC 1870 §6.2: what is said in EHLO is final, there is no need to try.
        return Failed("5.3.4", f"The message has {size} octets, and the next host takes {capabilities.size}")
    transaction = Transaction(
        reverse_path=message.reverse_path,
        recipients=tuple(_recipient(each, lmtp) for each in recipients),
        size=size,
        eight_bit=eight_bit,
        ret="" if lmtp else message.ret,
        envid="" if lmtp else message.envid,
        content=content,
    )
    return Fitted(transaction, await body.stream(added) if content is None else None)


async def _content(body: Body, added: bytes, eight_bit_allowed: bool) -> tuple[bytes | None, bool] | Failed:
    """Return the content, ``None`` for a large one, and whether it is to be called 8-bit."""
    whole = body.at_hand()
    if not (whole is None or isinstance(whole, bytes)):
        whole = await whole
    if whole is not None:
        content = added + whole if added else whole
        if content.isascii():
            return content, False
        if eight_bit_allowed:
            return content, True
    elif eight_bit_allowed:
        # A large one is not read twice to know: BODY=8BITMIME says what may be in it (RFC 6152 §3).
        return None, True
    elif added.isascii() and not await body.is_eight_bit():
        return None, False
    converted = await body.seven_bit(added)
    return converted if isinstance(converted, Failed) else (converted, False)


def _recipient(recipient: QueuedRecipient, lmtp: bool) -> TransactionRecipient:
    # Who speaks LMTP to a mail store reports by itself: what is in the store is delivered (RFC 3461 §4.1 has
    # parameters for hosts that pass a message on).
    if lmtp:
        return TransactionRecipient(recipient.address, "", "")
    original = recipient.original
    if not original and recipient.accepted != recipient.address:
        # RFC 3461 §5.2.1 (d): so that a report by others names whom the sender has written to.
        original = f"rfc822;{recipient.accepted}"
    return TransactionRecipient(recipient.address, recipient.notify, original)
