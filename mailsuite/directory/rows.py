"""Accounts as values: what `mailsuite.directory.accounts` lists and shows."""

from dataclasses import dataclass
from typing import TypeAlias

from mailsuite.meaning import Mailbox


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of ours. *name* is its A-label form, *catch_all* an address or empty."""

    name: str
    catch_all: str
    users: int
    aliases: int


@dataclass(frozen=True, slots=True)
class User:
    """A login and the mailbox that it reads. *has_password* is false for one that cannot log in yet."""

    name: str
    suspended: bool
    has_password: bool
    mailbox: Mailbox


@dataclass(frozen=True, slots=True)
class Alias:
    """An address whose mail goes to *targets*, in their order."""

    name: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """Row *index* (counted from 0) of an import has become *user*, durably."""

    index: int
    user: User


@dataclass(frozen=True, slots=True)
class Rejected:
    """Row *index* (counted from 0) of an import was left out, for *reason*."""

    index: int
    reason: str


ImportOutcome: TypeAlias = Imported | Rejected
