"""A site as an operator has it before him: where its parts lie, and what of its configuration a change goes by."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from mailsuite.delivery.routes import Routes
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.secrets import Kept
from mailsuite.mailbox.maildirsize import Ledger
from mailsuite.meaning import Cap, Quota

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """See the module. *accounts* opens the accounts for changes and raises `AccountsError`.

    *mail* is the mail root, made durable by *sync*; *state* the folder with the bans, *queue* that of the queue.
    *postmaster* is ``[directory] postmaster``, *ban_time* how long a ban lasts for which nothing is said (seconds; 0:
    something has to be said). *keep* makes of an address in key form and a password what is kept of it, *mechanisms*
    says by which ones a user can log in of whom these kinds are stored. *default_quota* is for mailboxes of which the
    accounts say nothing; *ledger* counts what lies in one. *default_caps* are those of every login. *routes* gives the
    ways to other servers; *is_local* says of a domain whether it has mailboxes of ours.
    """

    accounts: Callable[[], Accounts]
    mail: str
    sync: Literal["auto", "syncfs", "fsync"]
    state: str
    queue: str
    postmaster: str
    ban_time: float
    keep: Callable[[str, str], Kept]
    mechanisms: Callable[[Collection[str]], Sequence[str]]
    default_quota: Quota
    ledger: Ledger
    default_caps: Sequence[Cap]
    routes: Callable[[], Routes]
    is_local: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A change that was made. *notes* are for who asked for it; *trouble* is what did not succeed besides."""

    value: T
    notes: Sequence[str] = field(default=())
    trouble: str = ""
