"""`IMailboxDirectory` over any back end: its rules, behind bounded caches."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.address import Address, domain_key
from mailsuite.directory.backend import Backend, Lookups
from mailsuite.directory.remembered import Remembered, Source
from mailsuite.directory.resolve import PASSED_ON, Resolver
from mailsuite.directory.returned import Returned
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.spelling import parse_address
from mailsuite.directory.trail import Trail
from mailsuite.interfaces import IMailboxDirectory
from mailsuite.maybe import Maybe, step, then, value_of
from mailsuite.meaning import CannotJudge, Login, Mailbox, Mailboxes, Meaning, Relayed

# Answers kept, those about unknown addresses too: a few hundred octets each.
ADDRESSES_CACHED = 20_000
SENDERS_CACHED = 20_000
DOMAINS_CACHED = 2_000


@implementer(IMailboxDirectory)
class Directory:
    """Answers at once by what it was told before, or where *backend* does.

    *source* is the back end's, *now* gives POSIX time; *postmaster* is an address or empty, *hostname* our own name,
    *returned* knows the return addresses of forwarded mail.

    Raises `CannotJudge` where the back end cannot be asked; that says nothing about the address.
    """

    def __init__(
        self,
        backend: Backend,
        source: Source,
        now: Callable[[], float],
        postmaster: str = "",
        hostname: str = "",
        returned: Returned | None = None,
    ) -> None:
        self._backend = backend
        self._now = now
        self._returned = returned
        self._postmaster = parse_address(postmaster) if postmaster else None
        self._hostname = hostname
        self._meanings: Remembered[tuple[str, str], Meaning] = Remembered(ADDRESSES_CACHED, source, _leads_on)
        self._domains: Remembered[str, bool] = Remembered(DOMAINS_CACHED, source, bool)
        self._senders: Remembered[tuple[int, tuple[str, str]], bool] = Remembered(SENDERS_CACHED, source, bool)
        self._classes: Remembered[str, frozenset[str]] = Remembered(1, source, lambda names: True)
        self._backups: frozenset[str] = frozenset()
        self._looking = False

    def find(self, address: Address) -> Maybe[Meaning]:
        """See `IMailboxDirectory.find`; the order is the table in `mailsuite.directory.resolve`."""
        returned = None if self._returned is None else self._returned.find(address)
        if isinstance(returned, Address):
            sender = returned
            # One that has become ours since.
            return then(
                self.is_local(sender.domain), lambda local: self.find(sender) if local else Mailboxes((), (sender,))
            )
        return returned or self._meanings.get(
            address.key, lambda: self._backend.read(lambda view: self._resolver(view).find(address))
        )

    def way(self, address: Address) -> Maybe[Sequence[Address]]:
        """Return the users and aliases by which `find` comes to what it says of *address*, in the order of the lookup;
        none for a return address of ours. Nothing is remembered."""
        if self._returned is not None and self._returned.covers(address):
            return ()

        async def look(view: Lookups) -> Sequence[Address]:
            trail = Trail(view)
            await self._resolver(trail).find(address)
            return tuple(trail.found)

        return self._backend.read(look)

    def current(self, mailbox: Mailbox) -> Maybe[Mailbox | None]:
        """Return *mailbox*, which was one of ours, as it is now; ``None`` where it was removed."""
        return self._backend.current(mailbox)

    def is_local(self, domain: str) -> Maybe[bool]:
        """See `IMailboxDirectory.is_local`: the mail of *domain* ends here; an address literal is not ours."""

        def ask() -> Maybe[bool]:
            found = self._backend.domain(domain_key(domain))
            return then(found, lambda record: record is not None and record.domain_class == LOCAL)

        return self._domains.get(domain, ask)

    def may_send_as(self, login: Login, address: Address) -> Maybe[bool]:
        """See `IMailboxDirectory.may_send_as`; the rule is `mailsuite.directory.resolve.Resolver.belongs`."""
        mailbox = login.mailbox
        if mailbox is None or (self._returned is not None and self._returned.covers(address)):
            return False
        return self._senders.get(
            (mailbox.id, address.key),
            lambda: self._backend.read(lambda view: self._resolver(view).belongs(address, mailbox)),
        )

    def expand(self, address: Address) -> Maybe[Sequence[Address] | None]:
        """See `IMailboxDirectory.expand`; members that are aliases are not followed."""
        return self._backend.read(lambda view: self._resolver(view).members(address))

    def relayed_below(self, domain: str) -> Maybe[Sequence[str]]:
        """See `IMailboxDirectory.relayed_below`."""
        return step(self._relayed_below(f".{domain_key(domain)}"))

    def is_backup(self, domain: str) -> bool:
        """Say at once whether we are the backup MX of *domain*, by what is known: of a back end that lets wait, that
        may be what it said before."""

        def ask() -> Maybe[frozenset[str]]:
            return then(self._backend.domains("backup"), lambda names: frozenset(names))

        if not self._looking:
            try:
                found = self._classes.get("backup", ask)
            except CannotJudge:
                found = self._backups
            if hasattr(found, "__await__"):
                self._looking = True
                Deferred.fromCoroutine(self._look(cast(Awaitable[frozenset[str]], found)))
            else:
                self._backups = found
        return domain_key(domain) in self._backups

    async def _look(self, found: Awaitable[frozenset[str]]) -> None:
        try:
            # Else it stays what it was; that the back end is away is told where that is seen.
            with suppress(CannotJudge):
                self._backups = await found
        finally:
            self._looking = False

    async def _relayed_below(self, end: str) -> list[str]:
        found: list[str] = []
        for domain_class, meaning in PASSED_ON.items():
            if isinstance(meaning, Relayed):
                names = await value_of(self._backend.domains(domain_class))
                found += [name for name in names if name.endswith(end)]
        return found

    def _resolver(self, view: Lookups) -> Resolver:
        return Resolver(view, self._postmaster, self._hostname, self._now())


def _leads_on(meaning: Meaning) -> bool:
    return isinstance(meaning, Mailboxes | Relayed)
