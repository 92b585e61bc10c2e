"""The queue for programs."""

from dataclasses import asdict
from typing import Any

from mailsuite.outcome import Outcome
from mailsuite.queue.admin import Counts
from mailsuite.queue.entries import Entry


def as_json(entry: Entry) -> dict[str, Any]:
    """Return *entry* for programs. Times are POSIX seconds."""
    message, recipient = entry.message, entry.recipient
    return {
        "id": message.id,
        "size": message.size,
        "arrived": message.arrived,
        "expires": message.expires,
        "sender": "" if message.reverse_path is None else str(message.reverse_path),
        "recipient": str(recipient.address),
        "destination": recipient.destination,
        "mailbox": recipient.mailbox and recipient.mailbox.path,
        "state": entry.status,
        "destination_held": entry.place.held,
        "queue_held": entry.queue_held,
        "tries": recipient.tries,
        "next_try": entry.tried_next,
        "sender_told": recipient.warned,
        "last": _outcome(entry.last),
        "body": message.body,
        "ret": message.ret,
        "envid": message.envid,
        "notify": recipient.notify,
        "orcpt": recipient.original,
        "origin": message.origin,
        "arrived_from": message.arrived_from,
        "smtputf8": message.smtputf8,
        "asked": asdict(message.asked),
    }


def counts_as_json(counts: Counts) -> dict[str, Any]:
    """Return *counts* for programs. Times are POSIX seconds."""
    place = counts.place
    return {
        "destination": place.name,
        "recipients": counts.recipients,
        "held": counts.held,
        "claimed": counts.claimed,
        "destination_held": place.held,
        "put_off_until": place.not_before if place.trouble is not None else None,
        "trouble": _outcome(place.trouble),
    }


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    return None if outcome is None else {"kind": type(outcome).__name__.lower(), **asdict(outcome)}
