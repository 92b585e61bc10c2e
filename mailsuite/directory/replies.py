"""Replies that an administrator chooses for an address: what SMTP allows at RCPT, and no more than a line of it."""

import re
from dataclasses import dataclass

from mailsuite.directory.errors import BadReply
from mailsuite.directory.spelling import shown

# RFC 5321 §4.3.2 for RCPT, with the status that goes with each where none is named (RFC 3463).
STATUSES = {
    450: "4.2.1",
    451: "4.3.0",
    452: "4.2.2",
    550: "5.1.1",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
    554: "5.7.1",
}
# RFC 5321 §4.5.3.1.5: a reply line has 512 octets with code, status, id and line end; this leaves room for those.
TEXT_OCTETS = 400

_STATUS = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class ChosenReply:
    """A reply to RCPT. *text* is ASCII."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


def chosen(code: int, text: str, status: str | None = None) -> ChosenReply:
    """Return the reply; *status* is by *code* where it is not named. Raises `BadReply`."""
    if code not in STATUSES:
        raise BadReply(f"{code} is no reply code for a recipient; these are: {', '.join(map(str, STATUSES))}")
    status = status or STATUSES[code]
    if not _STATUS.fullmatch(status) or status[0] != str(code)[0]:
        kind = str(code)[0]
        raise BadReply(
            f"{shown(status)} is no status for {code}; expected one such as {STATUSES[code]}, which begins with {kind}"
        )
    if not text.isascii() or not text.isprintable() or not text.strip():
        raise BadReply(f"{shown(text)} is no text for a reply: it takes ASCII characters that can be printed")
    if len(text) > TEXT_OCTETS:
        raise BadReply(f"the text of a reply has at most {TEXT_OCTETS} characters, and this has {len(text)}")
    return ChosenReply(code, status, text.strip())
