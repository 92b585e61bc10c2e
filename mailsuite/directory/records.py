"""What a back end tells of one domain, one address or one login, whatever keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailsuite.address import Address
from mailsuite.directory.rows import LOCAL, REACHED
from mailsuite.meaning import Login, Mailbox, Refused

# The kind of a credential that is a password's hash.
PASSWORD = "password"  # noqa: S105 (the name of a kind)


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """A domain of ours: its class, and where its unclaimed mail goes.

    *alias_of*: what it has no address for is looked up in this one. *senders*: who may send from its addresses.
    """

    name: str
    catch_all: Address | None
    domain_class: str = LOCAL
    alias_of: str = ""
    senders: str = REACHED


@dataclass(frozen=True, slots=True)
class Reject:
    """From *since* on (POSIX seconds) mail for an address is answered with *reply*."""

    reply: Refused
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """An address of ours: an alias where it has *targets*, a mailbox where it has one, or both; and perhaps *reject*.
    """

    id: int
    mailbox: Mailbox | None
    suspended: bool
    targets: tuple[Address, ...]
    reject: Reject | None = None

    def refused(self, now: float) -> Refused | None:
        """Return the reply to mail for it at *now* (POSIX seconds), where there is one of its own."""
        return self.reject.reply if self.reject is not None and self.reject.since <= now else None


@dataclass(frozen=True, slots=True)
class Credential:
    """One stored password of a login; *scope* names the services it is good for, and empty means all.

    *label* is empty for the login's own one, of which secrets are made, else says which device it is for.
    """

    id: int
    scope: str
    stored: str = field(repr=False)
    label: str = ""


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A login, its passwords, and by their kinds the secrets that mechanisms need (`directory.secrets`).

    *suspended*: it may not log in, since it is suspended or frozen.
    *known_as* is what a back end that checks passwords itself knows it by.
    """

    login: Login
    suspended: bool
    credentials: tuple[Credential, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    known_as: str = ""
