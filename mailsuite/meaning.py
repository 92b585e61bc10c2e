"""What an address means on this system: the directory's answer to a lookup."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mailsuite.address import Address

# Whether the primary of a domain that we are the backup MX of has an address; None: nobody can say now; "later": it
# could be said, but there is more to ask than may be asked at this time.
Known: TypeAlias = bool | Literal["later"] | None


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A place where mail lies: the directory's *id* and the *path* below the mail root.

    *path* has the form ``DOMAIN/LOCAL`` with each part safe as a file name (`mailbox.layout`). *folder* is empty for
    the inbox, else the name of a Maildir++ folder, with dots between its parts.
    """

    id: int
    path: str
    folder: str = ""


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
    """The address is ours, but its aliases form a loop or grow past the limit (RFC 3463 X.4.6)."""

    reason: str


class CannotJudge(Exception):
    """What was asked about an address or a login cannot be found out now; the text says why.

    That is no answer, and nobody may be told one: only to come again.
    """


@dataclass(frozen=True, slots=True)
class Login:
    """An account that has proved who it is: *name* is its canonical login, an address.

    *must_change*: its password is good for nothing until the administrator has set another.
    """

    id: int
    name: str
    mailbox: Mailbox | None
    must_change: bool = False


@dataclass(frozen=True, slots=True)
class Secret:
    """What is stored for an account so that a mechanism can do without its password; *stored* is `mailsuite.sasl`'s.

    Without an *owner* nothing that proves it lets anybody in.
    """

    owner: Login | None
    stored: str = field(repr=False)
