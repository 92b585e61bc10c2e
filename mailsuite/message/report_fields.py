"""What a report is about, as values, and the part of it that programs read (RFC 3464 §2, RFC 3461 §6.3).

Nothing that came over the wire is trusted to be one line, short, or ASCII: see `one_line`. *utf8*: the report goes to
an address that needs SMTPUTF8, and so may have other letters than ASCII itself (RFC 6533 §4.1).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mailsuite import unitext
from mailsuite.address import Address
from mailsuite.message.trace import date
from mailsuite.outcome import Answer, Delivered, Outcome
from mailsuite.queued import QueuedMessage

# RFC 3464 §2.3.3
Action: TypeAlias = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

# The most that is shown of a value: names and addresses, a reason, a line of another server's answer, its lines. All
# keep a line of a report below the 998 octets of RFC 5322 §2.1.1.
VALUE_LETTERS = 900
REASON_LETTERS = 900
ANSWER_LETTERS = 400
ANSWER_LINES = 20

_CUT = "..."
# Domain or address literal (RFC 3461 §9.3), with the underscore that many have in their names.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Za-z:.]+\]")
_UNPRINTABLE = re.compile(r"[^ -~]")
# status-code = DIGIT "." 1*3DIGIT "." 1*3DIGIT, without leading zeros (RFC 3464 §2.3.4)
_STATUS = re.compile(r"[245]\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient. *address* is the one that we took the message for, in the transport's envelope.

    *onward* is where it was to go from there, ``None``: to the address itself. *original* is its ORCPT, decoded
    (``rfc822;a@example.org``), or empty. *tried* is when it was last tried (POSIX seconds), ``None`` where that is not
    known.
    """

    address: Address
    action: Action
    outcome: Outcome
    original: str = ""
    tried: float | None = None
    onward: Address | None = None

    @property
    def status(self) -> str:
        """The status code of RFC 3463 for a report on this; a general one where the outcome has none that fits."""
        if self.action in ("delivered", "expanded"):
            # RFC 3463 §3.2: X.1.5 is for positive reports.
            return "2.1.5"
        if isinstance(self.outcome, Delivered):
            said, classes = (self.outcome.answer.status if self.outcome.answer else ""), "2"
        else:
            # RFC 3464 §2.3.3: what failed may have a temporary cause.
            said, classes = self.outcome.status, "54" if self.action == "failed" else "4"
        return said if _STATUS.fullmatch(said) and said[0] in classes else f"{classes[0]}.0.0"


def one_line(text: str, letters: int) -> str:
    """Return *text* as printable ASCII on one line: at most *letters*, the rest cut; other characters are escaped."""
    if len(text) > letters:
        text = text[: letters + 1]
    line = text.replace("\t", " ").encode("ascii", "backslashreplace").decode("ascii")
    line = _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
    return line if len(line) <= letters else line[: letters - len(_CUT)] + _CUT


def wide_line(text: str, octets: int) -> str:
    """Return *text* on one line of UTF-8: at most *octets*, the rest cut; what cannot be seen is escaped."""
    if len(text) > octets:
        text = text[: octets + 1]
    line = "".join(letter if letter.isprintable() else f"\\x{{{ord(letter):02X}}}" for letter in text)
    encoded = line.encode()
    return line if len(encoded) <= octets else encoded[: octets - len(_CUT)].decode("utf-8", "ignore") + _CUT


def path(address: Address) -> str:
    """Return *address* for a report, its domain as A-labels (RFC 5890)."""
    return one_line(str(address.in_a_labels), VALUE_LETTERS)


def shown(address: Address) -> str:
    """Return *address* for people: as `path` has it, or where that is not possible in its own letters."""
    return wide_line(str(address), VALUE_LETTERS) if address.needs_utf8 else path(address)


def answer_lines(answer: Answer) -> Iterator[str]:
    """Yield the lines of a server's reply as it sent them (RFC 3461 §9.2); none where it said nothing."""
    if answer.code <= 0:
        return
    texts = answer.lines[:ANSWER_LINES] or ("",)
    for number, text in enumerate(texts, 1):
        mark = " " if number == len(texts) else "-"
        # RFC 3464 §2.1.1: a comment, so that no line ends in the space that must be there (RFC 3461 §9.2).
        said = " ".join(filter(None, (answer.status, text.strip()))) or "(no text)"
        yield one_line(f"{answer.code:03d}{mark}{said}", ANSWER_LETTERS)


def delivery_status(hostname: str, message: QueuedMessage, fates: tuple[Fate, ...], utf8: bool = False) -> bytes:
    """Return the body of a message/delivery-status (RFC 3464 §2.1): a group of fields, one more for each recipient.

    Where that is not ASCII, it is the body of a message/global-delivery-status (RFC 6533 §4.1).
    """
    groups = [_of_message(hostname, message), *(_of_recipient(message, fate, utf8) for fate in fates)]
    return "\r\n".join("".join(f"{field}\r\n" for field in group) for group in groups).encode()


def _of_message(hostname: str, message: QueuedMessage) -> Iterator[str]:
    if message.envid:
        # RFC 3461 §6.3 (a): supplied if, and only if, the sender gave one.
        yield f"Original-Envelope-Id: {_value(message.envid)}"
    # RFC 3461 §6.3 (b): what is no fully qualified name must not be called one.
    yield f"Reporting-MTA: {'dns' if '.' in hostname else 'x-local-hostname'}; {_value(hostname)}"
    if message.arrived_from:
        yield f"Received-From-MTA: dns; {_value(message.arrived_from)}"
    yield f"Arrival-Date: {date(int(message.arrived))}"
    if message.asked.by_mode:
        yield f"Deliver-By-Date: {date(int(message.asked.by))}"  # RFC 2852 §5
    if message.asked.hold:
        yield f"Future-Release-Request: {_value(message.asked.hold)}"  # RFC 4865 §5.1.2
    # RFC 3464 §2.4 (c): what finds the message in our log.
    yield f"X-Mailsuite-Id: {_value(message.id)}"


def _of_recipient(message: QueuedMessage, fate: Fate, utf8: bool) -> Iterator[str]:
    if fate.original:
        yield f"Original-Recipient: {_typed(fate.original, utf8)}"
    # RFC 3464 §2.3.2: as it was when we accepted the message, and not what an alias has made of it.
    yield f"Final-Recipient: {_typed(unitext.typed(fate.address), utf8)}"
    yield f"Action: {fate.action}"
    yield f"Status: {fate.status}"
    remote = _remote(fate.outcome)
    if remote:
        yield f"Remote-MTA: dns; {_value(remote)}"
    yield from _diagnostic(fate.outcome)
    if fate.tried is not None:
        yield f"Last-Attempt-Date: {date(int(fate.tried))}"
    if fate.action == "delayed":
        yield f"Will-Retry-Until: {date(int(message.expires))}"
    if remote and fate.onward is not None:
        # RFC 3461 §6.3 (j)
        onward = _wide(str(fate.onward), utf8) if fate.onward.needs_utf8 else path(fate.onward)
        yield f"SMTP-Remote-Recipient: {onward}"


def _remote(outcome: Outcome) -> str:
    """Return the host that said something; empty where none was involved (RFC 3464 §2.3.5): a socket has no name."""
    host = "" if outcome.answer is None else outcome.answer.host
    return host if _HOST.fullmatch(host) else ""


def _diagnostic(outcome: Outcome) -> Iterator[str]:
    lines = [] if outcome.answer is None else list(answer_lines(outcome.answer))
    if lines:
        # RFC 3461 §9.2: each line of the reply behind the first begins with a space.
        yield "Diagnostic-Code: smtp; " + "\r\n ".join(lines)
    elif not isinstance(outcome, Delivered) and outcome.reason.strip():
        yield f"Diagnostic-Code: x-mailsuite; {one_line(outcome.reason.strip(), REASON_LETTERS)}"


def _typed(original: str, utf8: bool) -> str:
    """Return an address with its type; without one that is an atom its type is unknown (RFC 3464 §2.3.1)."""
    kind, semicolon, address = original.partition(";")
    if semicolon and (kind.lower() == unitext.UTF8_TYPE or (kind.lower() == "rfc822" and not address.isascii())):
        # RFC 6533 §3: what is not ASCII is of this type, whatever it was called.
        return f"{unitext.UTF8_TYPE}; {_wide(address, utf8)}"
    if semicolon and re.fullmatch("[A-Za-z0-9-]{1,60}", kind):
        return f"{kind}; {_value(address)}"
    return f"unknown; {_value(original)}"


def _wide(address: str, utf8: bool) -> str:
    """Return *address*, of type utf-8, as a utf-8-address, or else as utf-8-addr-xtext (RFC 6533 §3, §4.1)."""
    return wide_line(address, VALUE_LETTERS) if utf8 else _value(unitext.encode(address, utf8=False))


def _value(text: str) -> str:
    return one_line(text, VALUE_LETTERS)
