"""Keeps what EXPIRE announces (RFC 2449 §6.7): looks through mailboxes from time to time, whether users log in or not.

One mailbox after the other, in a thread: no session waits for it. One that a session has is left for the next time.
"""

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.interfaces import IExpiry, IMailLog
from mailsuite.maybe import Maybe, value_of
from mailsuite.meaning import Mailbox

DAY = 86_400

_log = Logger()


class Retention:
    """Removes what is past its term every *interval* seconds.

    *terms* gives the domains whose mail has a term, and that in days; *mailboxes* some of a domain's mailboxes behind
    one that is known by its number, at last none. *now* gives POSIX seconds.
    """

    def __init__(
        self,
        terms: Callable[[], Maybe[Iterable[tuple[str, int]]]],
        mailboxes: Callable[[str, int], Maybe[Sequence[Mailbox]]],
        expiry: IExpiry,
        log: IMailLog,
        now: Callable[[], float],
        clock: IReactorTime,
        interval: float,
    ) -> None:
        self._terms = terms
        self._mailboxes = mailboxes
        self._expiry = expiry
        self._mail_log = log
        self._now = now
        self._interval = interval
        self._stopped = False
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self.look()))
        self._loop.clock = clock
        self._looking: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Look now and from now on."""
        self._looking = self._loop.start(self._interval)

    async def stop(self) -> None:
        """Look no more; returns when the mailbox in hand is done."""
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        if self._looking is not None:
            await self._looking

    async def look(self) -> None:
        """Look through all mailboxes once. Never raises."""
        try:
            for domain, days in await value_of(self._terms()):
                await self._look_through(domain, days)
        except Exception:
            # The next look must come whatever this one stumbled over.
            _log.failure("Mailboxes could not be looked through for mail that is past its term")

    async def _look_through(self, domain: str, days: int) -> None:
        last = 0
        while mailboxes := await value_of(self._mailboxes(domain, last)):
            for mailbox in mailboxes:
                if self._stopped:
                    return
                await self._clean(mailbox, days)
                last = mailbox.id

    async def _clean(self, mailbox: Mailbox, days: int) -> None:
        try:
            removed = await self._expiry.remove_older(mailbox, self._now() - days * DAY)
        except OSError as error:
            _log.error("Mailbox {path} could not be looked through: {error}", path=mailbox.path, error=error)
            return
        for message in removed:
            self._mail_log.record("expired", {"mailbox": mailbox.path, "message": message, "days": days})
