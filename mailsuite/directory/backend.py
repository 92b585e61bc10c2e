"""What stands behind the directory: whoever keeps domains, addresses and logins is one of these back ends.

The rules of lookup (`resolve`), the caches (`remembered`, `lookup`) and the check of passwords (`authenticator`) are
the same above all of them. A back end only tells what is recorded.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from mailsuite.directory.records import AddressRecord, DomainRecord, LoginRecord
from mailsuite.directory.rows import LOCAL
from mailsuite.maybe import Maybe, step, then
from mailsuite.meaning import Mailbox

T = TypeVar("T")
# Replaces what is stored of a password in the login and the credential of these numbers: the old stored form, perhaps
# a better one, and secrets by their kinds that are not there yet. Called in a thread.
Rewrite: TypeAlias = Callable[[int, int, str, str | None, Mapping[str, str]], None]

# Writes when credentials were last used: POSIX seconds by their numbers. Called in a thread.
WriteUses: TypeAlias = Callable[[Mapping[int, int]], None]


class Lookups(Protocol):
    """What the order of lookup needs to know. Names are in key form (`mailsuite.address`)."""

    def first_domain(self) -> Maybe[str | None]:
        """Return the local domain that was added first: the site's primary one."""

    def domain(self, name: str) -> Maybe[DomainRecord | None]:
        """Return the domain *name*, if it is one of ours."""

    def address(self, local: str, domain: str) -> Maybe[AddressRecord | None]:
        """Return what is recorded for exactly *local* at *domain*."""

    def wildcards(self, domain: str) -> Maybe[Sequence[str]]:
        """Return the local parts of the wildcard aliases of *domain*, by which `address` knows them."""


class Backend(ABC):
    """Keeps domains, addresses and logins. What it is asked for it returns at once, or by an awaitable.

    Names come in key form (`mailsuite.address`), and any text may come: what is not recorded is ``None``, and only
    what cannot be found out now raises: `mailsuite.directory.errors.Away` where whatever keeps the records does not
    answer. Everything is called on the reactor thread, which it must not hold up.

    `domain`, `address` and `login` are enough; what else a back end can do has a default here that says what follows
    where it cannot.
    """

    @abstractmethod
    def domain(self, name: str) -> Maybe[DomainRecord | None]:
        """Return the domain *name*, if it is one of ours."""

    @abstractmethod
    def address(self, local: str, domain: str) -> Maybe[AddressRecord | None]:
        """Return what is recorded for exactly *local* at *domain*: a mailbox, an alias, or both."""

    @abstractmethod
    def login(self, name: str) -> Maybe[LoginRecord | None]:
        """Return the login *name*, an address, with what is stored of its passwords."""

    def wildcards(self, domain: str) -> Maybe[Sequence[str]]:
        """Return the local parts of the wildcard aliases of *domain*: an asterisk in one stands for any characters.

        `address` knows them by that name. Without this there are none.
        """
        return ()

    def generation(self) -> int:
        """Return at once a number that differs from the last whenever any answer may differ.

        Where it never changes, answers are only renewed when they are as old as ``cache_ttl`` of ``[directory]``.
        """
        return 0

    def domains(self, domain_class: str) -> Maybe[Sequence[str]]:
        """Return the domains of one class (`mailsuite.directory.rows.DomainClass`), the primary one first.

        Without this, mail for ``<Postmaster>`` without a domain is refused, ETRN for what lies below a domain finds
        nothing, and nobody's mail expires.
        """
        return ()

    def first_domain(self) -> Maybe[str | None]:
        """Return the site's primary local domain."""
        return then(self.domains(LOCAL), lambda names: names[0] if names else None)

    def mailboxes(self, domain: str, after: int) -> Maybe[Sequence[Mailbox]]:
        """Return some mailboxes of *domain* with numbers greater than *after*, in their order; none where no more are.

        Without this, nobody's mail expires (RFC 2449 §6.7).
        """
        return ()

    def lists_mailboxes(self) -> bool:
        """Say whether `mailboxes` tells of any: not where it is this class's own."""
        return type(self).mailboxes is not Backend.mailboxes

    def current(self, mailbox: Mailbox) -> Maybe[Mailbox | None]:
        """Return *mailbox*, for which mail was queued, as it is now; ``None`` where it was removed.

        Without this it is thought to be what it was.
        """
        return mailbox

    def everybody_has(self, kinds: Collection[str]) -> Maybe[frozenset[str]]:
        """Return those of *kinds* (`mailsuite.directory.secrets`) of which everybody who has a password has a secret.

        Without this, mechanisms that need secrets are only offered where ``offer`` of ``[sasl]`` says ``some``.
        """
        return frozenset()

    def site_secret(self) -> Maybe[bytes | None]:
        """Return the root of what this site makes up; without this it is kept in a file below ``state_dir``."""
        return None

    def check_password(self, record: LoginRecord | None, password: str) -> Maybe[bool] | None:
        """Say whether *password* is that of *record*, where only the back end can know; ``None`` for no login.

        That has to take as long as a wrong password. Where this returns ``None``, as it does here, the password is
        checked against what is stored of it.
        """
        return None

    def rewriter(self) -> Rewrite | None:
        """Return what renews what is stored of a password, in a thread; ``None`` where nothing is changed here."""
        return None

    def use_writer(self) -> WriteUses | None:
        """Return what writes when app passwords were last used; ``None`` where that is not kept."""
        return None

    def read(self, ask: Callable[[Lookups], Coroutine[Any, Any, T]]) -> Maybe[T]:
        """Return what the coroutine function *ask* returns, which looks up several things.

        A back end that can lets it see one and the same state throughout.
        """
        return step(ask(self))

    def start(self) -> None:  # noqa: B027 (a default, too)
        """Begin to serve: called once, after the process has forked and before anything is asked.

        Raises `mailsuite.directory.errors.AccountsError` where it never will; who is only away now comes later.
        """

    def stop(self) -> Maybe[None]:
        """Close everything; nothing is asked any more."""
        return None
