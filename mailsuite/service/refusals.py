"""What the peer is told where an address of ours takes no mail, or a message could not be kept."""

from collections.abc import Iterable, Mapping

from mailsuite.meaning import Broken, Meaning, Refused, Suspended, Unknown
from mailsuite.outcome import Deferred, Failed
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply

# What the relay policy leaves to the directory.
_REFUSALS: Mapping[type, Reply] = {
    Unknown: replies.UNKNOWN_USER,
    Suspended: replies.SUSPENDED_USER,
}
_BROKEN: Mapping[str, Reply] = {
    "loop": replies.ALIAS_LOOP,
    "far": replies.ALIAS_TOO_FAR,
    "nowhere": replies.ALIAS_NOWHERE,
}

# What a mailbox's or the disk's trouble is called to the peer; what it was stands in the log.
_TROUBLES: Mapping[str, Reply] = {
    "4.3.0": replies.TROUBLE,
    "4.3.1": replies.NO_ROOM,
    "5.4.6": replies.MAIL_LOOP,
}


def refusal_of(meaning: Meaning) -> Reply:
    """Return what is said of an address of ours to which nothing can be sent."""
    if isinstance(meaning, Refused):
        return Reply(meaning.code, meaning.status, meaning.text)
    return _BROKEN[meaning.kind] if isinstance(meaning, Broken) else _REFUSALS[type(meaning)]


def reasons(troubles: Iterable[Deferred | Failed]) -> str:
    """Return what *troubles* were, for the log: each once."""
    return "; ".join(dict.fromkeys(trouble.reason for trouble in troubles))


def trouble_of(outcome: Deferred | Failed) -> Reply:
    """Return what is said of a message that was not kept, with that *outcome*."""
    return _TROUBLES.get(outcome.status, replies.MAILBOX_TROUBLE)
