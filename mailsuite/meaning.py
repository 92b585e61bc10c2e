"""What an address means on this system: the directory's answer to a lookup."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mailsuite.address import Address

# Whether the primary of a domain that we are the backup MX of has an address; None: nobody can say now; "later": it
# could be said, but there is more to ask than may be asked at this time.
Known: TypeAlias = bool | Literal["later"] | None

# What a cap on submission counts.
Counted: TypeAlias = Literal["messages", "recipients"]


@dataclass(frozen=True, slots=True)
class Quota:
    """How much may lie in a mailbox, or in all of a domain's together: *octets* and *messages*.

    0: any amount; ``None``: nobody has said, and what is said for more of them holds.
    """

    octets: int | None = None
    messages: int | None = None

    def otherwise(self, default: "Quota") -> "Quota":
        """Return this, and *default* for what it does not say."""
        if self.octets is None and self.messages is None:
            return default
        octets = default.octets if self.octets is None else self.octets
        return Quota(octets, default.messages if self.messages is None else self.messages)

    def __bool__(self) -> bool:
        return bool(self.octets or self.messages)


NO_QUOTA = Quota()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A place where mail lies: the directory's *id* and the *path* below the mail root.

    *path* has the form ``DOMAIN/LOCAL`` with each part safe as a file name (`mailbox.layout`). *folder* is empty for
    the inbox, else the name of a Maildir++ folder, with dots between its parts. *quota* is what the accounts say of
    this mailbox, *shared_quota* of all mailboxes of its domain together; where they come from somewhere else than a
    lookup of the address, they say nothing.
    """

    id: int
    path: str
    folder: str = ""
    quota: Quota = field(default=NO_QUOTA, compare=False)
    shared_quota: Quota = field(default=NO_QUOTA, compare=False)


class Meaning:
    """One of the classes below."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Mailboxes(Meaning):
    """The address is ours; its mail goes into each of these mailboxes, and on to each address of *onward*.

    The two are never both empty. *onward* are the targets of an alias that are not ours.
    """

    mailboxes: tuple[Mailbox, ...]
    onward: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown(Meaning):
    """The domain is ours, the local part is not (RFC 3463 X.1.1)."""


@dataclass(frozen=True, slots=True)
class Suspended(Meaning):
    """The address is ours and switched off by the administrator (RFC 3463 X.2.1)."""


@dataclass(frozen=True, slots=True)
class Refused(Meaning):
    """The address is ours, and mail for it is answered with this reply (RFC 5321 §4.2, RFC 3463): *text* is ASCII."""

    code: int
    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Foreign(Meaning):
    """The domain is not one that we take mail for (one of ours that only sends is such a one, too)."""


@dataclass(frozen=True, slots=True)
class Relayed(Meaning):
    """The mail of this domain is taken from anybody and passed on. *backup*: we are its backup MX."""

    backup: bool = False


@dataclass(frozen=True, slots=True)
class Broken(Meaning):
    """The address is ours, but its aliases form a loop (RFC 3463 X.4.6), lead too far, or lead nowhere (X.2.4)."""

    reason: str
    kind: Literal["loop", "far", "nowhere"] = "loop"


class CannotJudge(Exception):
    """What was asked about an address or a login cannot be found out now; the text says why.

    That is no answer, and nobody may be told one: only to come again.
    """


@dataclass(frozen=True, slots=True)
class Room:
    """Room for a message in mailboxes: *release* gives it back. Where there is none, *lack* says what they are.

    ``full``: now; ``too small``: the message is larger than all that may lie in them.
    """

    release: Callable[[], None]
    lack: Literal["", "full", "too small"] = ""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most *most* messages, or recipients that are new to who sends, in so many *seconds*; 0: any number.

    *domain*: of all its logins together; empty: of one login.
    """

    counted: Counted
    seconds: int
    most: int
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """An account that has proved who it is: *name* is its canonical login, an address.

    *must_change*: its password is good for nothing until the administrator has set another. *caps* are those that the
    accounts have for it.
    """

    id: int
    name: str
    mailbox: Mailbox | None
    must_change: bool = False
    caps: tuple[Cap, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """What is stored for an account so that a mechanism can do without its password; *stored* is `mailsuite.sasl`'s.

    Without an *owner* nothing that proves it lets anybody in.
    """

    owner: Login | None
    stored: str = field(repr=False)
