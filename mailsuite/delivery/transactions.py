"""From a message and some of its recipients to a transaction that a server can take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from mailsuite.delivery.asked import by_value, lets_go_of_time, with_delay
from mailsuite.delivery.body import Body, Stream
from mailsuite.outcome import Failed
from mailsuite.queued import QueuedMessage, QueuedRecipient
from mailsuite.smtp.client_events import Capabilities, Transaction, TransactionRecipient
from mailsuite.unitext import typed

# RFC 6531 §3.2, §3.5, of a host that does not offer SMTPUTF8.
UTF8_SENDER = Failed("5.6.7", "The sender's address has letters that are not ASCII, which the next host does not take")
UTF8_RECIPIENT = Failed("5.6.7", "The address has letters that are not ASCII, which the next host does not take")
UTF8_HEADER = Failed("5.6.9", "The message has a header that is not ASCII, which the next host does not take")


class _Kind(Enum):
    """What BODY calls the content (RFC 6152 §2, RFC 3030 §3)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


# ``None``: a large one, which is streamed.
_Content: TypeAlias = tuple[bytes | None, _Kind]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A transaction; *stream* is where its content comes from if it is a large one, and has to be closed."""

    transaction: Transaction
    stream: Stream | None = None


def takes_utf8(capabilities: Capabilities) -> bool:
    """Say whether a server can be sent other letters than ASCII in addresses and headers (RFC 6531 §3.1, item 8)."""
    return "SMTPUTF8" in capabilities and "8BITMIME" in capabilities


def together(
    recipients: Sequence[QueuedRecipient], indexes: Sequence[int], most: int, capabilities: Capabilities
) -> list[int]:
    """Return which of *indexes* go into one transaction: the first, and at most *most* whose copy is the same.

    Where the server takes no other letters than ASCII, nobody is to be refused for the address of another.
    """
    if len(indexes) == 1:
        return [indexes[0]]
    first = recipients[indexes[0]]
    same = [index for index in indexes if recipients[index].added == first.added]
    if not takes_utf8(capabilities):
        wide = first.address.needs_utf8
        same = [index for index in same if recipients[index].address.needs_utf8 == wide]
    if "LIMITS" in capabilities:
        same = _of_few_domains(recipients, same, capabilities.limit("RCPTDOMAINMAX"))
    return same[:most]


def _of_few_domains(recipients: Sequence[QueuedRecipient], indexes: list[int], most: int) -> list[int]:
    """Return those of *indexes* that are of the first *most* domains (RFC 9422, RCPTDOMAINMAX); 0: all of them."""
    if not most:
        return indexes
    domains = [recipients[index].address.key[1] for index in indexes]
    allowed = set(list(dict.fromkeys(domains))[:most])
    return [index for index, domain in zip(indexes, domains, strict=True) if domain in allowed]


async def fit(
    message: QueuedMessage,
    recipients: Sequence[QueuedRecipient],
    body: Body,
    capabilities: Capabilities,
    lmtp: bool,
    now: Callable[[], float],
) -> Fitted | Failed:
    """Make a transaction for a server with *capabilities*, or say why it can never have this message.

    The recipients have the same `QueuedRecipient.added`. *now* gives POSIX time. Raises `ContentTrouble`.
    """
    added = recipients[0].added
    wide = _wide(message, recipients)
    # Only where MAIL said that it may be one of RFC 6532 is a header looked at.
    if wide is None and message.smtputf8 and await body.is_internationalized():
        wide = UTF8_HEADER
    if wide is not None and not takes_utf8(capabilities):
        return wide
    if message.body == "BINARYMIME":
        found = await _binary_content(body, added, capabilities)
    else:
        found = await _content(body, added, "8BITMIME" in capabilities)
    if isinstance(found, Failed):
        return found
    content, kind = found
    size = body.size + len(added) if content is None else len(content)
    if capabilities.size and size > capabilities.size:
        # RFC 1870 §6.2: what is said in EHLO is final, there is no need to try.
        return Failed("5.3.4", f"The message has {size} octets, and the next host takes {capabilities.size}")
    asked = message.asked
    delay = bool(asked.by_mode) and not lmtp and lets_go_of_time(asked, capabilities, now)
    transaction = Transaction(
        reverse_path=message.reverse_path,
        recipients=tuple(_recipient(each, lmtp, delay) for each in recipients),
        size=size,
        eight_bit=kind is _Kind.EIGHT_BIT,
        binary=kind is _Kind.BINARY,
        ret="" if lmtp else message.ret,
        envid="" if lmtp else message.envid,
        content=content,
        smtputf8=wide is not None,
        by=by_value(asked, now) if asked.by_mode else "",
        priority=asked.priority,
        require_tls=asked.require_tls,
    )
    return Fitted(transaction, await body.stream(added) if content is None else None)


def _wide(message: QueuedMessage, recipients: Sequence[QueuedRecipient]) -> Failed | None:
    """Return what is said where SMTPUTF8 cannot be had for these addresses; ``None``: they do without (RFC 6531 §3.4).

    A domain can always go as A-labels.
    """
    if message.reverse_path is not None and message.reverse_path.needs_utf8:
        return UTF8_SENDER
    if any(recipient.address.needs_utf8 for recipient in recipients):
        return UTF8_RECIPIENT
    return None if recipients[0].added.isascii() else UTF8_HEADER


async def _content(body: Body, added: bytes, eight_bit_allowed: bool) -> _Content | Failed:
    """Return the content of a text, and what it is to be called."""
    whole = body.at_hand()
    if not (whole is None or isinstance(whole, bytes)):
        whole = await whole
    if whole is not None:
        content = added + whole if added else whole
        if content.isascii():
            return content, _Kind.SEVEN_BIT
        if eight_bit_allowed:
            return content, _Kind.EIGHT_BIT
    elif eight_bit_allowed:
        # A large one is not read twice to know: BODY=8BITMIME says what may be in it (RFC 6152 §3).
        return None, _Kind.EIGHT_BIT
    elif added.isascii() and not await body.is_eight_bit():
        return None, _Kind.SEVEN_BIT
    converted = await body.seven_bit(added)
    return converted if isinstance(converted, Failed) else (converted, _Kind.SEVEN_BIT)


async def _binary_content(body: Body, added: bytes, capabilities: Capabilities) -> _Content | Failed:
    """Return binary content (RFC 3030 §3), as it is or as text, and what it is to be called."""
    if "BINARYMIME" not in capabilities or "CHUNKING" not in capabilities:
        converted = await body.text(added, "8BITMIME" in capabilities)
        if isinstance(converted, Failed):
            return converted
        return converted, _Kind.SEVEN_BIT if converted.isascii() else _Kind.EIGHT_BIT
    whole = body.at_hand()
    if not (whole is None or isinstance(whole, bytes)):
        whole = await whole
    return None if whole is None else added + whole, _Kind.BINARY


def _recipient(recipient: QueuedRecipient, lmtp: bool, delay: bool = False) -> TransactionRecipient:
    # Who speaks LMTP to a mail store reports by itself: what is in the store is delivered (RFC 3461 §4.1 has
    # parameters for hosts that pass a message on).
    if lmtp:
        return TransactionRecipient(recipient.address, "", "")
    original = recipient.original
    if not original and recipient.accepted != recipient.address:
        # RFC 3461 §5.2.1 (d): so that a report by others names whom the sender has written to.
        original = typed(recipient.accepted)
    notify = with_delay(recipient.notify) if delay else recipient.notify
    return TransactionRecipient(recipient.address, notify, original)
