"""The queue in words: cells of a table, and sentences that explain why something waits."""

from collections.abc import Iterator

from mailsuite.address import Address
from mailsuite.admin.times import when
from mailsuite.counted import counted
from mailsuite.outcome import Delivered, Failed, Outcome
from mailsuite.queue.admin import Counts
from mailsuite.queue.entries import Entry
from mailsuite.queued import LOCAL, QueuedMessage

HEADERS = ("id", "size", "arrived", "sender", "recipient", "state", "next try", "last answer")
COUNT_HEADERS = ("destination", "recipients", "held", "claimed", "put off until", "trouble")


def row(entry: Entry, now: float) -> tuple[object, ...]:
    """Return *entry* as a row under `HEADERS`."""
    message = entry.message
    return (
        message.id, message.size, when(message.arrived), _path(message.reverse_path), entry.recipient.address,
        _state(entry), _next(entry, now), said(entry.last) or "-",
    )  # fmt: skip


def count_row(counts: Counts) -> tuple[object, ...]:
    """Return *counts* as a row under `COUNT_HEADERS`."""
    place = counts.place
    until = when(place.not_before) if place.trouble is not None else "-"
    name = f"{place.name} (held)" if place.held else place.name
    return name, counts.recipients, counts.held, counts.claimed, until, said(place.trouble) or "-"


def message_facts(entry: Entry) -> Iterator[tuple[str, object]]:
    """Yield what is known of *entry*'s message, as rows of two cells."""
    message = entry.message
    yield "size", message.size
    yield "arrived", when(message.arrived)
    yield "given up", when(message.expires)
    yield "sender", _path(message.reverse_path)
    yield from _said(("from", message.origin), ("from host", message.arrived_from), ("body", message.body))
    yield from _said(("RET", message.ret), ("ENVID", message.envid))
    yield from _asked_for(message)


def _asked_for(message: QueuedMessage) -> Iterator[tuple[str, object]]:
    """Yield what its sender has asked of its way."""
    asked = message.asked
    if message.smtputf8:
        yield "SMTPUTF8", "asked for"
    if asked.priority:
        yield "priority", asked.priority
    if asked.by_mode:
        end = "returned" if asked.by_mode == "R" else "its sender told"
        yield "deliver by", f"{when(asked.by)}, else {end}{'; each relaying is told' if asked.traced else ''}"
    if asked.release:
        yield "held by its sender until", when(asked.release)
    if asked.require_tls:
        yield "TLS", "required on all of its way (REQUIRETLS)"
    if asked.tls_optional:
        yield "TLS", "not required (TLS-Required: No)"


def recipient_facts(entry: Entry, now: float) -> Iterator[tuple[str, object]]:
    """Yield what is known of *entry*'s recipient, as rows of two cells."""
    recipient = entry.recipient
    yield "goes to", _goal(entry)
    yield "state", _state(entry)
    yield "next try", _next(entry, now)
    yield "tries", recipient.tries
    yield "last answer", said(entry.last) or "-"
    if entry.last is not None and entry.last.answer is not None:
        yield "TLS", entry.last.answer.tls or "none"
    yield from _said(("NOTIFY", recipient.notify), ("ORCPT", recipient.original))


def explanation(entry: Entry, now: float) -> Iterator[str]:
    """Yield sentences: where it goes, why it waits, what was said last, when it is tried next and when given up."""
    yield f"{entry.recipient.address} goes to {_goal(entry)}."
    yield from _why(entry, now)
    yield from _what_was_said(entry)
    if entry.state in ("waiting", "scheduled") and not entry.claimed:
        yield from _what_comes(entry, now)


def said(outcome: Outcome | None) -> str:
    """Return in one line what an outcome says; the other server's words where there are some."""
    if outcome is None:
        return ""
    answer = outcome.answer
    if answer is not None and str(answer):
        return f"{answer.host}: {answer}"
    return "delivered" if isinstance(outcome, Delivered) else f"{outcome.status} {outcome.reason}"


def _path(address: Address | None) -> str:
    return "<>" if address is None else str(address)


def _state(entry: Entry) -> str:
    if entry.status == "waiting" and (entry.queue_held or entry.place.held):
        return "waiting (queue held)" if entry.queue_held else "waiting (destination held)"
    return entry.status


def _next(entry: Entry, now: float) -> str:
    at = entry.tried_next
    if at is None:
        return "-"
    return "now" if at <= now else when(at)


def _goal(entry: Entry) -> str:
    mailbox, destination = entry.recipient.mailbox, entry.recipient.destination
    if mailbox is not None or destination == LOCAL:
        return f"the mailbox {mailbox.path} here" if mailbox is not None else "a mailbox here"
    return destination


def _why(entry: Entry, now: float) -> Iterator[str]:
    match entry.status:
        case "claimed":
            yield "It is in the server's hands at this moment: look again soon."
        case "held":
            yield "It is held: nothing happens to it until mailsuite queue release."
        case "bounce":
            by = "since it failed" if isinstance(entry.recipient.last, Failed) else "on an operator's word"
            yield f"It is to be given up {by}, and its sender is about to be told."
        case "scheduled":
            yield f"It is held by its sender until {when(entry.next_try)}: mailsuite queue retry sends it now."
        case "damaged":
            yield "Its content is gone or damaged, so that it was set aside: the server's log says what was found."
            yield "Bring the content back and release it, or give it up with mailsuite queue bounce."
        case "waiting":
            yield _why_it_waits(entry, now)


def _why_it_waits(entry: Entry, now: float) -> str:
    place = entry.place
    if entry.queue_held:
        return "The whole queue is held: nothing is tried until mailsuite queue release --queue."
    if place.held:
        return f"All for {place.name} is held until mailsuite queue release --destination {place.name}."
    if place.trouble is not None and place.not_before > now:
        return f"It waits with all that is for {place.name}, which is put off until {when(place.not_before)}."
    if place.trouble is not None:
        return f"{place.name} was in trouble: one message finds out whether it works again, the others wait for that."
    if entry.next_try > now:
        return "It waits for its next try."
    return "It is due, and waits for its turn."


def _what_was_said(entry: Entry) -> Iterator[str]:
    tries = entry.recipient.tries
    if entry.place.trouble is not None:
        yield f"{entry.place.name} is in trouble: {_sentence(entry.place.trouble)}"
    if entry.recipient.last is not None and entry.status == "held" and not tries:
        yield f"It was held when it came: {_sentence(entry.recipient.last)}"
    elif entry.recipient.last is not None:
        yield f"Of {counted(tries, 'try', 'tries')} the last ended so: {_sentence(entry.recipient.last)}"
    elif not tries:
        yield "No try has reached a verdict on it yet."


def _sentence(outcome: Outcome) -> str:
    reason = "delivered" if isinstance(outcome, Delivered) else f"{outcome.status} {outcome.reason}"
    answer = outcome.answer
    if answer is None:
        return f"{reason}."
    words = f", answered {answer}" if str(answer) else ""
    tls = f"with {answer.tls}" if answer.tls else "in the clear"
    return f"{reason} ({answer.host}{words}, {tls})."


def _what_comes(entry: Entry, now: float) -> Iterator[str]:
    if entry.tried_next is not None:
        yield f"It is tried next {'now' if entry.tried_next <= now else 'at ' + when(entry.tried_next)}."
    if entry.recipient.warned:
        yield "Its sender was told of the delay."
    elif entry.report_at < entry.message.expires:
        yield f"Its sender is told of the delay at {when(entry.report_at)}."
    yield f"It is given up at {when(entry.message.expires)}."


def _said(*facts: tuple[str, str]) -> Iterator[tuple[str, object]]:
    """Yield those of *facts* that were given."""
    return ((name, text) for name, text in facts if text)
