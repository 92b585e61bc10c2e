"""`IMailboxDirectory` on the accounts file: indexed lookups on the reactor thread behind a bounded cache."""

from collections.abc import Callable, Sequence

from zope.interface import implementer

from mailsuite.address import Address, domain_key
from mailsuite.directory.cache import Cache
from mailsuite.directory.records import Records
from mailsuite.directory.resolve import PASSED_ON, Resolver
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.spelling import parse_address
from mailsuite.interfaces import IMailboxDirectory
from mailsuite.meaning import Login, Mailbox, Meaning

# Answers kept, those about unknown addresses too: a few hundred octets each.
ADDRESSES_CACHED = 20_000
DOMAINS_CACHED = 2_000
# How old an answer may be: within this time a change by a command takes effect.
CHECK_SECONDS = 0.1


@implementer(IMailboxDirectory)
class SqliteDirectory:
    """Answers at once, never by an awaitable. *postmaster* is an address or empty, *seconds* tells the time.

    *hostname* is our own name.

    Raises `sqlite3.Error` where the file cannot be read; that says nothing about the address.
    """

    def __init__(
        self, records: Records, seconds: Callable[[], float], postmaster: str = "", hostname: str = ""
    ) -> None:
        self._records = records
        self._seconds = seconds
        self._resolver = Resolver(records, parse_address(postmaster) if postmaster else None, hostname)
        self._meanings: Cache[tuple[str, str], Meaning] = Cache(ADDRESSES_CACHED)
        self._domains: Cache[str, bool] = Cache(DOMAINS_CACHED)
        self._checked = float("-inf")
        self._version = self._generation = -1

    def find(self, address: Address) -> Meaning:
        """See `IMailboxDirectory.find`; the order is the table in `mailsuite.directory.resolve`."""
        self._forget_if_changed()
        key = address.key
        meaning = self._meanings.get(key)
        if meaning is None:
            with self._records.snapshot():
                meaning = self._resolver.find(address)
            self._meanings.put(key, meaning)
        return meaning

    def current(self, mailbox: Mailbox) -> Mailbox | None:
        """Return *mailbox*, which was one of ours, as it is now; ``None`` where it was removed."""
        return self._records.mailbox(mailbox.id)

    def is_local(self, domain: str) -> bool:
        """See `IMailboxDirectory.is_local`: the mail of *domain* ends here; an address literal is not ours."""
        self._forget_if_changed()
        local = self._domains.get(domain)
        if local is None:
            record = self._records.domain(domain_key(domain))
            local = record is not None and record.domain_class == LOCAL
            self._domains.put(domain, local)
        return local

    def may_send_as(self, login: Login, address: Address) -> bool:
        """See `IMailboxDirectory.may_send_as`; the rule is `mailsuite.directory.resolve.Resolver.belongs`."""
        if login.mailbox is None:
            return False
        with self._records.snapshot():
            return self._resolver.belongs(address, login.mailbox)

    def expand(self, address: Address) -> Sequence[Address] | None:
        """See `IMailboxDirectory.expand`; members that are aliases are not followed."""
        with self._records.snapshot():
            return self._resolver.members(address)

    def relayed_below(self, domain: str) -> Sequence[str]:
        """See `IMailboxDirectory.relayed_below`."""
        end = f".{domain_key(domain)}"
        with self._records.snapshot():
            return [name for each in PASSED_ON for name in self._records.domains(each) if name.endswith(end)]

    def _forget_if_changed(self) -> None:
        now = self._seconds()
        # A clock that was set back must not keep old answers alive.
        if 0 <= now - self._checked < CHECK_SECONDS:
            return
        version = self._records.data_version()
        if version != self._version:
            self._forget_if_raised(self._records.generation())
            self._version = version
        self._checked = now

    def _forget_if_raised(self, generation: int) -> None:
        if generation != self._generation:
            self._meanings.clear()
            self._domains.clear()
            self._generation = generation
