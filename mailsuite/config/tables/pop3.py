"""What holds for listeners that give mail back."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import Section, written


class POP3(Section, frozen=True, kw_only=True):
    """Mail out of mailboxes over POP3."""

    vanished_after: Annotated[int, Meta(
        ge=4, le=3600,
        description="After how many seconds without a sign of life from a client's host (TCP keep-alive) its session"
                    " ends and its mailbox is free again.",
    )] = 110
    mark_seen: Annotated[bool, Meta(
        description="Whether a message that was read by RETR is moved to cur/ and marked as seen, for other programs"
                    " that read the mailbox.",
    )] = False
    folders: Annotated[bool, Meta(
        description="Whether a login such as alice+Archive@example.org opens Alice's Maildir++ folder Archive.",
    )] = False
    login_delay: Annotated[int, Meta(
        ge=0, le=86_400,
        description="How many seconds there must be between two logins of one user (LOGIN-DELAY, RFC 2449 §6.5).",
    )] = 0
    expire: Annotated[int | Literal["never"], Meta(
        extra=written('a number of days from 0 to 36500, or "never"'),
        examples=[30],
        description="After how many days in the mailbox a message is removed, read or not (EXPIRE, RFC 2449 §6.7),"
                    " in folders too where they are opened by POP3; with 0, when the session ends that has fetched it"
                    " by RETR.",
    )] = "never"
    expire_interval: Annotated[float, Meta(
        ge=1, le=86_400,
        description="How often mailboxes are looked through for messages to be removed, in seconds.",
    )] = 3600.0
    language: Annotated[str, Meta(
        extra=written('the tag of a language that responses can be in: "de", "en", "es" or "fr"'),
        description="The language of a client that asks for ours (LANG *, RFC 6856 §3).",
    )] = "en"


class Domain(Section, frozen=True, kw_only=True):
    """What is other for one domain's users than for all, ``[domains.DOMAIN]``."""

    pop3_login_delay: Annotated[int | Literal["default"], Meta(
        extra=written('a number of seconds from 0 to 86400, or "default"'),
        examples=[300],
        description='How many seconds there must be between two logins of one user; "default" is login_delay of'
                    ' [pop3].',
    )] = "default"
    pop3_expire: Annotated[int | Literal["never", "default"], Meta(
        extra=written('a number of days from 0 to 36500, "never" or "default"'),
        examples=[30],
        description='After how many days in the mailbox a message is removed; "default" is expire of [pop3].',
    )] = "default"
