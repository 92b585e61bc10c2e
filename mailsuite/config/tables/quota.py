"""How much may lie in mailboxes, and how much users may send."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailsuite.config.section import Section, written
from mailsuite.database import LARGEST

_MARKS = "{percent}, {used}, {limit}, {messages}, {message_limit} and {mailbox}"
_WARNING = """\
Your mailbox {mailbox} is {percent} % full: {used} of {limit}.

When it is full, mail for you is turned away. Please remove what you do not need.
"""


class Quotas(Section, frozen=True, kw_only=True):
    """Quotas of mailboxes, for those that neither the accounts nor their domain give one (mailsuite quota set)."""

    octets: Annotated[int, Meta(
        ge=0, le=LARGEST,
        description="Octets that a mailbox may hold; 0 means any number.",
    )] = 0
    messages: Annotated[int, Meta(
        ge=0, le=LARGEST,
        description="Messages that a mailbox may hold; 0 means any number.",
    )] = 0
    full: Annotated[Literal["defer", "reject"], Meta(
        description="What is said of a mailbox that is full: 452 4.2.2, so that the sender tries again for some days"
                    " (a persistent transient failure, RFC 3463 §3.3), or 552 5.2.2, so that it is returned.",
    )] = "defer"
    unknown_size: Annotated[int, Meta(
        ge=1, le=1_099_511_627_776,
        description="Octets that are kept for a message on its way whose sender does not say its size.",
    )] = 65_536
    count_trash: Annotated[bool, Meta(
        description="Whether what lies in the folder Trash, and what is flagged as deleted, counts. Maildir++ does not"
                    " count it, and Dovecot does unless told otherwise: all programs that use a mailbox must agree.",
    )] = False
    warn_at: Annotated[list[Annotated[int, Meta(ge=1, le=100)]], Meta(
        max_length=10, extra=written("a list of up to 10 numbers from 1 to 100"), examples=[[90]],
        description="At how many percent of its quota the owner of a mailbox is told, once each time.",
    )] = msgspec.field(default_factory=lambda: [80, 95])
    warning_subject: Annotated[str, Meta(
        min_length=1, max_length=200, pattern=r"^[^\r\n]*$",
        description=f"The subject of that message; {_MARKS} stand for what they say.",
    )] = "Your mailbox is {percent} % full"
    warning_text: Annotated[str, Meta(
        min_length=1, max_length=10_000,
        description="Its text, with the same marks.",
    )] = _WARNING


class Caps(Section, frozen=True, kw_only=True):
    """How much a login may submit before its mail is held in the queue (mailsuite cap set: for one); 0: any number."""

    messages_hour: Annotated[int, Meta(ge=0, description="Messages of a login within an hour.")] = 0
    messages_day: Annotated[int, Meta(ge=0, description="Messages of a login within a day.")] = 0
    recipients_hour: Annotated[int, Meta(
        ge=0,
        description="Recipients within an hour to whom a login has sent nothing on the day before.",
    )] = 0
    recipients_day: Annotated[int, Meta(ge=0, description="Distinct recipients of a login within a day.")] = 0
    admin: Annotated[str, Meta(
        extra=written("a mail address such as postmaster@example.org, or an empty string"),
        examples=["abuse@example.org"],
        description="Who is told when mail is held, beside its sender; empty means the postmaster of its domain.",
    )] = ""
