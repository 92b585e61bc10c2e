"""The part of a report that people read (RFC 6522 §3): what happened, in plain words, and what can be done."""

from collections.abc import Iterator
from textwrap import wrap

from mailsuite.message.report_fields import REASON_LETTERS, Fate, answer_lines, one_line, shown
from mailsuite.message.trace import date
from mailsuite.outcome import Delivered
from mailsuite.queued import QueuedMessage

# RFC 5322 §2.1.1: lines of 78 at most.
WIDTH = 76
# By so many letters an answer is known again where it is told.
BEGINNING_LETTERS = 200
# Whatever we did not write ourselves is indented: no such line can be taken for one of the report's structure.
_INDENT = "    "

# By subject and detail of the status (RFC 3463 §3), else by subject alone.
_ADVICE = {
    "1.1": "There is no such mailbox. Please look for a slip in the address, and send the message again.",
    "1": "Mail cannot be sent to this address. Please look for a slip in it, above all behind the @.",
    "2.2": "The mailbox is full. Please send the message again later, or tell the recipient in another way.",
    "2.3": "The message is too large for this recipient. Please send it in smaller parts.",
    "2": "The mailbox takes no mail at present. Please tell the recipient in another way.",
    "3.4": "The message is too large for the recipient's mail system. Please send it in smaller parts.",
    "3": "The recipient's mail system has a problem. Please send the message again later.",
    "4.6": "Mail systems have sent the message round in a circle. Their administrators can look into it.",
    "4.7": "It was tried again and again. Please look for a slip behind the @ of the address, or send the message"
           " again later.",
    "4": "The recipient's mail system could not be reached. Please look for a slip behind the @ of the address, or"
         " send the message again later.",
    "5": "The mail systems did not understand each other. The administrator named below can look into it.",
    "6": "The message has a form that the recipient's mail system does not take. Please send it in another form, for"
         " instance as plain text.",
    "7": "The recipient's mail system does not want the message. Its answer may say why; else only its administrator"
         " can tell.",
}
_OPENINGS = {
    "failed": "Your message could not be delivered to the recipients below, and no further attempt will be made.",
    "delayed": "Your message has not been delivered to the recipients below yet. You need not do anything: it is tried"
               " again until {expires}, and if all of that fails, you will be told.",
    "success": "You asked to be told: your message has been taken care of for the recipients below.",
}
_SUCCESSES = {
    "delivered": "It was delivered into the mailbox.",
    "relayed": "It was passed on to a mail system that sends no such notes. You will not hear of its delivery there.",
    "expanded": "It was passed on to all for whom this address stands.",
}
# RFC 2852 §4.1.4
_ANNOUNCED = "It was passed on to the next mail system, which may tell you more."


def report_text(hostname: str, message: QueuedMessage, kind: str, fates: tuple[Fate, ...]) -> bytes:
    """Return the text with CRLF line ends; *kind* is ``failed``, ``delayed`` or ``success``.

    It is UTF-8, of which only addresses that ASCII has no letters for make use.
    """
    return "".join(f"{line}\r\n" for line in _lines(hostname, message, kind, fates)).encode()


def _lines(hostname: str, message: QueuedMessage, kind: str, fates: tuple[Fate, ...]) -> Iterator[str]:
    host = one_line(hostname, 255)
    yield from _filled(f"This is the mail system {host}.")
    yield ""
    yield from _filled(_OPENINGS[kind].format(expires=date(int(message.expires))))
    for fate in fates:
        yield ""
        yield f"  <{shown(fate.address)}>"
        if fate.onward is not None:
            yield f"  (its mail goes on to <{shown(fate.onward)}>)"
        for said in _said(fate):
            yield from _filled(said, _INDENT)
    yield ""
    yield from _filled(
        f"It arrived here on {date(int(message.arrived))} and is called {one_line(message.id, 200)} in our log. For"
        f" help please write to postmaster@{host}, and add this text."
    )


def _said(fate: Fate) -> Iterator[str]:
    """Yield what is to be said of one recipient, in paragraphs."""
    outcome = fate.outcome
    if isinstance(outcome, Delivered):
        yield _ANNOUNCED if outcome.announced else _SUCCESSES.get(fate.action, "")
        return
    reason = one_line(outcome.reason.strip(), REASON_LETTERS)
    yield reason
    answer = outcome.answer
    # Most reasons tell of the answer themselves; all of a long one is in the part for programs.
    if answer is not None and one_line(str(answer)[:BEGINNING_LETTERS], REASON_LETTERS) not in reason:
        yield from answer_lines(answer)
    if fate.action == "failed":
        yield _advice(fate.status)


def _advice(status: str) -> str:
    _, _, meaning = status.partition(".")
    return _ADVICE.get(meaning, _ADVICE.get(meaning.partition(".")[0], ""))


def _filled(paragraph: str, indent: str = "") -> list[str]:
    """Break *paragraph* into lines; a name is not broken at its hyphens."""
    return wrap(paragraph, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
