"""What a back end tells of one domain, one address or one login, whatever keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailsuite.address import Address
from mailsuite.directory.rows import LOCAL
from mailsuite.meaning import Login, Mailbox

# The kind of a credential that is a password's hash.
PASSWORD = "password"  # noqa: S105 (the name of a kind)


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """A domain of ours: its class, and where its unclaimed mail goes."""

    name: str
    catch_all: Address | None
    domain_class: str = LOCAL


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """An address of ours: an alias where it has *targets*, a mailbox where it has one, or both."""

    id: int
    mailbox: Mailbox | None
    suspended: bool
    targets: tuple[Address, ...]


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
    """A login, its passwords, and by their kinds the secrets that mechanisms need (`directory.secrets`)."""

    login: Login
    suspended: bool
    credentials: tuple[Credential, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
