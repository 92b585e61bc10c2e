"""`IBackupRecipients`: what the primary's list says, else what the primary says, else nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.address import Address, domain_key
from mailsuite.interfaces import IBackupRecipients
from mailsuite.maybe import Maybe
from mailsuite.meaning import Known
from mailsuite.policy.backup_list import BackupList, BadList
from mailsuite.policy.backup_store import ListStore, Stamp
from mailsuite.policy.callout import Callouts, Lifetimes

T = TypeVar("T")

# How often the files of the lists are looked at: within this time an import takes effect.
LOOK_SECONDS = 5.0
# A list that nobody has renewed for so long is no longer believed where it says no: the primary may have new users.
OLD_SECONDS = 7 * 86_400

_A_DAY_AND_AN_HOUR = Lifetimes(86_400.0, 3600.0)

_log = Logger()


class Run(Protocol):
    """Runs work that waits for the disk in another thread, as ``deferToThread`` does."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Return what *work* returns, later."""


@dataclass(frozen=True, slots=True)
class BackupDomain:
    """How recipients of one domain are known: *key* is the public key of its list (32 octets), if it has one."""

    key: bytes | None = None
    callout: bool = True
    lifetimes: Lifetimes = _A_DAY_AND_AN_HOUR


@implementer(IBackupRecipients)
class BackupRecipients:
    """Knows from lists in memory, which follow their files. To be started and stopped.

    *domains* holds those that need other than the defaults, by their name in A-labels. *now* gives POSIX seconds.
    Without *callouts* no primary is asked.
    """

    def __init__(
        self,
        store: ListStore,
        domains: Mapping[str, BackupDomain],
        callouts: Callouts | None,
        clock: IReactorTime,
        run: Run,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._domains = domains
        self._callouts = callouts
        self._run = run
        self._now = now
        self._lists: dict[str, BackupList] = {}
        # What was read last, and why it could not be used: empty where it can.
        self._stamps: dict[str, Stamp | None] = {}
        self._troubles: dict[str, str] = {}
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._loop.clock = clock

    def start(self) -> None:
        """Read all lists, and follow their files from now on. Waits for the disk."""
        for domain, key in self._signed():
            stamp = self._store.stamp(domain)
            self._take(domain, stamp, self._loaded(domain, key))
        self._loop.start(LOOK_SECONDS, now=False)

    def stop(self) -> None:
        """Follow them no longer, and ask nobody: who waits for an answer is told that nobody knows."""
        if self._loop.running:
            self._loop.stop()
        if self._callouts is not None:
            self._callouts.stop()

    def known(self, address: Address) -> Maybe[Known]:
        """See `IBackupRecipients.known`."""
        domain = domain_key(address.domain)
        found = self._lists.get(domain)
        if found is not None and (found.has(address) or self._now() - found.made < OLD_SECONDS):
            return found.has(address)
        settings = self._domains.get(domain, _DEFAULT)
        asked = self._callouts if settings.callout else None
        return None if asked is None else asked.known(address, settings.lifetimes)

    async def _look(self) -> None:
        try:
            for domain, key in self._signed():
                stamp = self._store.stamp(domain)
                if domain not in self._stamps or stamp != self._stamps[domain]:
                    self._take(domain, stamp, await self._run(partial(self._loaded, domain, key)))
        except Exception:
            # The next look must come whatever this one stumbled over.
            _log.failure("The lists of recipients could not be looked at")

    def _signed(self) -> list[tuple[str, bytes]]:
        return [(domain, each.key) for domain, each in self._domains.items() if each.key is not None]

    def _loaded(self, domain: str, key: bytes) -> BackupList | BadList | OSError | None:
        """Return the list of *domain*, or why it cannot be used."""
        try:
            return self._store.load(domain, key)
        except (BadList, OSError) as error:
            return error

    def _take(self, domain: str, stamp: Stamp | None, found: BackupList | BadList | OSError | None) -> None:
        """Use what was *found* in the file that had *stamp*."""
        if isinstance(found, OSError):
            # It may be read the next time, though nothing about the file has changed.
            self._stamps.pop(domain, None)
        else:
            self._stamps[domain] = stamp
        if isinstance(found, BadList | OSError):
            # One that was good before is still the best that we have.
            self._tell(domain, str(found))
            return
        self._tell(domain, "")
        if found is None:
            self._lists.pop(domain, None)
        else:
            self._lists[domain] = found

    def _tell(self, domain: str, trouble: str) -> None:
        if trouble and trouble != self._troubles.get(domain):
            path = self._store.path(domain)
            _log.error("The list {path} of recipients cannot be used: {reason}", path=path, reason=trouble)
        self._troubles[domain] = trouble


_DEFAULT = BackupDomain()
