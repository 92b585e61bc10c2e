"""What a failure means: to this address, to this message, to one recipient. Pure.

Enhanced codes are the other server's own where they fit its reply, else what stage and code surely say, else the
general one of their class: a report must not claim more than is known (RFC 3463 §2, RFC 3464 §2.3.4).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.smtp.client_events import Stage

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
# What a 550 to RCPT says where it means that there is no such mailbox; it may as well mean policy.
_NO_SUCH_USER = re.compile(
    r"(user|mailbox|recipient|account|address)\b.{0,40}\b(unknown|not found|not known|does ?n[o']t exist|no such)"
    r"|(unknown|no such|non-?existent|invalid) (local )?(user|mailbox|recipient|account|address)",
    re.IGNORECASE,
)

_AFTER = {
    Stage.CONNECT: "at the connection",
    Stage.GREETING: "as its greeting",
    Stage.HELLO: "to EHLO",
    Stage.STARTTLS: "to STARTTLS",
    Stage.TLS: "in TLS",
    Stage.AUTH: "to AUTH",
    Stage.MAIL: "to MAIL",
    Stage.RCPT: "to RCPT",
    Stage.DATA: "to DATA",
    Stage.BDAT: "to BDAT",
    Stage.BODY: "within the message",
    Stage.END: "to the message",
    Stage.IDLE: "between two messages",
}
# Before these, nothing was said of any message.
_TRANSACTION = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BDAT, Stage.BODY, Stage.END})

# What a code of RFC 5321 §4.2.3 (or of the extension that has it) says for sure, without its class.
_BY_CODE = {
    421: "3.2",  # the service goes away
    451: "3.0",  # error in processing
    500: "5.2",
    501: "5.4",
    502: "5.1",
    503: "5.1",
    504: "5.4",
    521: "3.2",  # RFC 7504 §3
    530: "7.0",  # RFC 4954 §6
    534: "7.9",  # RFC 4954 §6
    535: "7.8",  # RFC 4954 §6
    538: "7.11",  # RFC 4954 §6
    555: "5.4",
    556: "1.10",  # RFC 7505 §4.1
}
_BY_STAGE_AND_CODE = {
    (Stage.MAIL, 452): "3.1",  # RFC 1870 §6.1
    (Stage.MAIL, 552): "3.4",  # RFC 1870 §6.1
    (Stage.MAIL, 553): "1.7",
    (Stage.RCPT, 450): "2.0",
    (Stage.RCPT, 553): "1.3",
}

# The service closes the connection: it says nothing of the message (RFC 5321 §3.8).
CLOSING = 421
# RFC 5321 §4.5.3.1.10; 552 is what RFC 821 had for it, and to be taken for the same.
_TOO_MANY = frozenset({452, 552})
# RFC 7504 §3: this host never accepts mail.
_NEVER = 521
# TLS or a login has to come before (RFC 3207 §4, RFC 4954 §6): what is missing is the session's, not the message's.
_MORE_WANTED = frozenset({530, 534, 538})
# RFC 3463 §3.4: the mail system itself, its storage or its state.
_SYSTEM = ".3."


class SessionEnded(Exception):
    """A session came to its end before its work was done. *stage* is where it stood.

    *answer* is what the server said last, if that is why; *reason* a text for people. *loop*: it was with ourselves.
    """

    def __init__(self, stage: Stage, answer: Answer | None, reason: str, loop: bool = False) -> None:
        super().__init__(reason)
        self.stage = stage
        self.answer = answer
        self.reason = reason
        self.loop = loop


class Scope(Enum):
    """What a trouble is the trouble of, and so what comes next."""

    SESSION = auto()  # of this address: the next one may take the message
    TLS = auto()  # of TLS at this address: where that is no must, it is tried in the clear
    CHUNKING = auto()  # of BDAT at this address: it is tried with DATA
    HERE = auto()  # of this machine, which has no way to this address: it says nothing of the host
    HOST = auto()  # of this host at all of its addresses: the next host may take the message
    LOOP = auto()  # this host is ourselves: it and all that are no better are out of the question
    MESSAGE = auto()  # of this message, and its recipients' fate is settled for now


@dataclass(frozen=True, slots=True)
class Trouble:
    """*outcome* is what the recipients get where nothing better comes of going on as *scope* says."""

    scope: Scope
    outcome: Deferred | Failed


def unreachable(reason: str) -> Trouble:
    """No connection was made; *reason* says whither, too."""
    return Trouble(Scope.SESSION, Deferred("4.4.1", reason, whole=True))


def no_way(reason: str) -> Trouble:
    """No connection could be made from here; *reason* says whither, too."""
    return Trouble(Scope.HERE, Deferred("4.4.1", reason, whole=True))


def not_all_tried(tried: int) -> Trouble:
    """There are more addresses than one try goes through, and *tried* of them did not take the message."""
    return Trouble(Scope.SESSION, Deferred("4.4.1", f"{tried} addresses were tried, and there are more", whole=True))


def unusable(where: str, reason: str) -> Trouble:
    """What we know of *where* forbids to use it now."""
    return Trouble(Scope.HOST, Deferred("4.7.5", f"{where}: {reason}", whole=True))


def unknown(where: str, reason: str) -> Trouble:
    """DNS does not say now what *where* asks of TLS."""
    return Trouble(Scope.HOST, Deferred("4.4.3", f"{where}: no answer about its TLS: {reason}", whole=True))


def no_password(where: str, reason: str) -> Trouble:
    """We cannot log in at *where*, for a reason that lies here."""
    return Trouble(Scope.SESSION, Deferred("4.3.5", f"cannot read the password for {where}: {reason}", whole=True))


def ended(where: str, end: SessionEnded, refused: bool = False) -> Trouble:
    """Say what the *end* of a session with *where* means for a message that it was for.

    *refused*: TLS was there, and we did not think it good enough.
    """
    stage, answer = end.stage, end.answer
    if end.loop:
        return Trouble(Scope.LOOP, Failed("5.4.6", f"Mail loops back: {where} is this system, by the name it gives"))
    if stage is Stage.END and (answer is None or answer.code < 400):
        # The message is with them or not: at another host it may come to be there twice (RFC 1047). Later it is tried
        # again all the same, since a duplicate is better than a loss (RFC 5321 §4.5.3.2.6).
        reason = f"{where}: {end.reason} before the message was acknowledged; it may have been taken"
        return Trouble(Scope.MESSAGE, Deferred("4.4.2", reason))
    if answer is not None and answer.code == _NEVER and stage is Stage.GREETING:
        return Trouble(Scope.SESSION, Failed("5.3.2", _said(where, stage, answer), answer))
    reason = f"{where}: {end.reason}" if answer is None else _said(where, stage, answer)
    # Before MAIL a refusal is about us, whatever its class: often a mistake that somebody mends (RFC 5321 §3.1 has
    # 554 for it). From MAIL on it may be about this message, unless the server says that it closes, or what it wants.
    whole = stage not in _TRANSACTION or (
        answer is not None and (answer.code == CLOSING or (stage is Stage.MAIL and answer.code in _MORE_WANTED))
    )
    return Trouble(_scope(stage, refused), Deferred(_session_status(stage, answer), reason, answer, whole))


def _scope(stage: Stage, refused: bool) -> Scope:
    if stage is Stage.BDAT:
        return Scope.CHUNKING
    return Scope.TLS if stage in (Stage.STARTTLS, Stage.TLS) and not refused else Scope.SESSION


def in_the_clear(met: Trouble, tls: Trouble) -> Trouble:
    """Say *met* of a session without TLS: where that wants more than it has, the trouble with *tls* is the reason."""
    outcome = met.outcome
    if outcome.answer is None or outcome.answer.code not in _MORE_WANTED:
        return met
    reason = f"{tls.outcome.reason}; without TLS {outcome.reason}"
    return Trouble(met.scope, replace(outcome, status=tls.outcome.status, reason=reason))


def _session_status(stage: Stage, answer: Answer | None) -> str:
    """Return the enhanced code, of class 4, for a session that ended at *stage*."""
    if stage is Stage.TLS:
        return "4.7.5"
    if stage is Stage.STARTTLS and (answer is None or answer.code >= 500):
        return "4.7.4"
    if answer is None:
        return "4.7.0" if stage is Stage.AUTH else "4.4.2"
    if not 400 <= answer.code < 600:
        # An answer that has no place there: what it says of success is not what the trouble is.
        return "4.7.0" if stage is Stage.AUTH else "4.5.0"
    if stage is Stage.AUTH and answer.code >= 500:
        # A password that is wrong is ours to mend; no sender can do anything about it.
        return "4.7.8"
    return f"4{_detail(stage, answer)}"


def outcome(where: str, stage: Stage, answer: Answer, informs: bool, announced: bool = False) -> Outcome:
    """Say what *answer*, which decided a recipient's fate at *stage*, means for it.

    *informs* and *announced* are for `Delivered`.
    """
    kind = answer.code // 100
    if kind == 2 and stage is Stage.END:
        return Delivered(answer, informs, announced)
    if kind == 4:
        # Not `whole`, also at MAIL: senders and sizes are put off there, and other messages may do better.
        return Deferred(f"4{_detail(stage, answer)}", _said(where, stage, answer), answer)
    if kind == 5:
        return Failed(f"5{_detail(stage, answer)}", _said(where, stage, answer), answer)
    if answer.code == 0:
        # RFC 2033 §5: an LMTP server has answered for others, and broke off before this one.
        return Deferred("4.4.2", f"{where} has not answered for this recipient; it may have been delivered")
    # No reply that has a place here: nothing final may follow from it.
    return Deferred("4.5.0", _said(where, stage, answer), answer)


def is_of_the_session(stage: Stage, answer: Answer) -> bool:
    """Say whether *answer*, to a part of a transaction, is no word about the message or a recipient.

    It is about this session (RFC 5321 §3.8, RFC 3207 §4) or about the system there, which has no room or is not well:
    the next address may be better off. That holds for the end of a message, too: what has got 4yz was not taken
    (RFC 5321 §4.2.5).
    """
    if answer.code in _MORE_WANTED:
        return stage in (Stage.MAIL, Stage.RCPT, Stage.DATA)
    return answer.code == CLOSING or (answer.code // 100 == 4 and _detail(stage, answer).startswith(_SYSTEM))


def is_one_too_many(stage: Stage, answer: Answer) -> bool:
    """Say whether *answer* asks to send this recipient in another transaction (RFC 5321 §4.5.3.1.10).

    That holds only where the same transaction had a recipient that was accepted.
    """
    return stage is Stage.RCPT and answer.code in _TOO_MANY and answer.status[1:] in ("", ".5.3")


def verdict(troubles: Sequence[Trouble]) -> Deferred | Failed:
    """Say what recipients get that no address took, of the *troubles* there, at least one."""
    lasting = [trouble.outcome for trouble in troubles if isinstance(trouble.outcome, Failed)]
    if len(lasting) == len(troubles):
        return lasting[-1]
    passing = [trouble.outcome for trouble in troubles if isinstance(trouble.outcome, Deferred)]
    # A server's word says more than a connection that did not come about.
    chosen = next((each for each in reversed(passing) if each.answer is not None), passing[-1])
    whole = all(each.whole for each in passing)
    return chosen if chosen.whole == whole else replace(chosen, whole=whole)


def _said(where: str, stage: Stage, answer: Answer) -> str:
    return f"{where} said {_AFTER[stage]}: {answer}"


def _detail(stage: Stage, answer: Answer) -> str:
    """Return subject and detail of the enhanced code for *answer*, such as ``.1.1``; ``.0.0`` where nobody knows."""
    code, status = answer.code, answer.status
    if _STATUS.fullmatch(status) and status[0] == str(code)[0]:
        return status[1:]
    known = _BY_STAGE_AND_CODE.get((stage, code)) or _BY_CODE.get(code)
    if known is None and stage is Stage.RCPT and code == 550 and _NO_SUCH_USER.search(" ".join(answer.lines)):
        known = "1.1"
    return f".{known or '0.0'}"
