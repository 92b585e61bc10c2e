"""Rows of the queue's file to values, and outcomes to text and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mailsuite.address import Address
from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.meaning import Mailbox
from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queued import QueuedMessage, QueuedRecipient

MESSAGE = (
    "m.number, m.id, m.sender_local, m.sender_domain, m.arrived, m.expires, m.size, m.body, m.ret, m.envid, m.origin,"
    " m.arrived_from, m.smtputf8, m.asked"
)
RECIPIENT = (
    "r.message, r.destination, r.state, r.number, r.local, r.domain, r.mailbox_id, r.mailbox_path, r.notify,"
    " r.original, r.added, r.tries, r.warned, r.last"
)
SELECT_MESSAGE = f"SELECT {MESSAGE} FROM messages m"  # noqa: S608 (our names)
SELECT_RECIPIENT = f"SELECT {RECIPIENT} FROM recipients r"  # noqa: S608 (our names)


def as_message(row: Sequence[Any]) -> QueuedMessage:
    """Return the message in *row*, the columns `MESSAGE`."""
    number, identity, local, domain, arrived, expires, size, body, ret, envid, origin, arrived_from, utf8, asked = row
    sender = None if local is None else Address(local, domain)
    return QueuedMessage(
        identity, sender, arrived, expires, size, body, ret, envid, origin, arrived_from, number, bool(utf8),
        as_asked(asked),
    )  # fmt: skip


def as_recipient(row: Sequence[Any], destination: str) -> QueuedRecipient:
    """Return the recipient in *row*, the columns `RECIPIENT`."""
    number, local, domain, mailbox_id, mailbox_path, notify, original, added, tries, warned, last = row[3:]
    mailbox = None if mailbox_id is None else Mailbox(mailbox_id, mailbox_path)
    return QueuedRecipient(
        Address(local, domain), destination, mailbox, notify, original, added, number, tries, bool(warned),
        as_outcome(last),
    )  # fmt: skip


def asked_as_text(asked: Asked) -> str | None:
    """Return *asked* as JSON; none where nothing was, as of nearly every message."""
    return None if asked is NOTHING_ASKED or asked == NOTHING_ASKED else json.dumps(asdict(asked))


def as_asked(text: str | None) -> Asked:
    """Return what `asked_as_text` made *text* of. Raises `ValueError` or `TypeError`: a wish is never forgotten."""
    return NOTHING_ASKED if text is None else Asked(**json.loads(text))


def as_text(outcome: Outcome) -> str:
    """Return *outcome* as JSON."""
    fields: dict[str, Any] = {"kind": type(outcome).__name__.lower()}
    if isinstance(outcome, Delivered):
        fields["informs"] = outcome.informs
    else:
        fields |= {"status": outcome.status, "reason": outcome.reason}
    if isinstance(outcome, Deferred):
        fields["whole"] = outcome.whole
    if (answer := outcome.answer) is not None:
        fields["answer"] = {
            "host": answer.host, "code": answer.code, "status": answer.status, "lines": answer.lines,
            "tls": answer.tls,
        }  # fmt: skip
    return json.dumps(fields)


def as_outcome(text: str | None) -> Outcome | None:
    """Return the outcome that `as_text` made *text* of; none where it cannot be read: a message is not lost for it."""
    if text is None:
        return None
    try:
        return _outcome(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _outcome(fields: dict[str, Any]) -> Outcome:
    answer = _answer(fields.get("answer"))
    match fields["kind"]:
        case "delivered":
            return Delivered(answer, fields["informs"])
        case "deferred":
            return Deferred(fields["status"], fields["reason"], answer, fields["whole"])
        case _:
            return Failed(fields["status"], fields["reason"], answer)


def _answer(fields: dict[str, Any] | None) -> Answer | None:
    if fields is None:
        return None
    return Answer(fields["host"], fields["code"], fields["status"], tuple(fields["lines"]), fields["tls"])
