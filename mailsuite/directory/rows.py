"""Accounts as values: what `mailsuite.directory.accounts` lists and shows."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from mailsuite.meaning import Mailbox

# What becomes of mail for a domain: it ends here; it is passed on to where routes or DNS say; the same, to the
# primary that we are the backup MX of; it is not taken, since users of the domain only send here.
DomainClass: TypeAlias = Literal["local", "relay", "backup", "send-only"]
LOCAL: DomainClass = "local"
CLASSES: tuple[DomainClass, ...] = get_args(DomainClass)

# Who may send from addresses of a domain that are nobody's mailbox: nobody; whom their mail reaches; and whom it
# reaches only by the catch-all too; and everybody who has a mailbox in the domain.
SenderRule: TypeAlias = Literal["own", "reached", "caught", "domain"]
REACHED: SenderRule = "reached"
SENDERS: tuple[SenderRule, ...] = get_args(SenderRule)


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of ours. *name* is its A-label form, *catch_all* an address or empty, *alias_of* a domain or empty."""

    name: str
    catch_all: str
    users: int
    aliases: int
    domain_class: DomainClass = LOCAL
    alias_of: str = ""
    senders: SenderRule = REACHED


@dataclass(frozen=True, slots=True)
class User:
    """A login and the mailbox that it reads. *has_password* is false for one that cannot log in yet.

    *frozen*: it cannot log in, and mail is kept. Mail is refused from *leaves* on (POSIX seconds), if ever. One that
    *must_change* its password can log in by app passwords alone.
    """

    name: str
    suspended: bool
    has_password: bool
    mailbox: Mailbox
    frozen: bool = False
    leaves: int | None = None
    must_change: bool = False


@dataclass(frozen=True, slots=True)
class Alias:
    """An address whose mail goes to *targets*, in their order; or is answered with *reply*, from *since* on (POSIX
    seconds), where that is not empty. A *wildcard* has an asterisk in its name that stands for any characters."""

    name: str
    targets: tuple[str, ...]
    wildcard: bool = False
    reply: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """Row *index* (counted from 0) of an import has become *user*, durably."""

    index: int
    user: User


@dataclass(frozen=True, slots=True)
class Present:
    """Row *index* (counted from 0) of an import names a *user* who was there before, and stays as it is."""

    index: int
    user: User


@dataclass(frozen=True, slots=True)
class Rejected:
    """Row *index* (counted from 0) of an import was left out, for *reason*."""

    index: int
    reason: str


ImportOutcome: TypeAlias = Imported | Present | Rejected
