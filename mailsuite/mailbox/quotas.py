"""Room in mailboxes: their quotas, what lies in them, and what is on its way.

Usage is known by the file ``maildirsize`` (`mailsuite.mailbox.maildirsize`) and kept in memory: true as long as that
file is the one that was read, which one look tells. Files are read, and mailboxes counted, in a thread. Of a domain
the sum is kept, and taken anew beside the work after a while: what others have delivered or removed is in it then.
"""

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.interfaces import IQuotas, ISharedState
from mailsuite.mailbox.content import InThread
from mailsuite.mailbox.kept_room import Hold, KeptRoom
from mailsuite.mailbox.maildirsize import STALE_SECONDS, Identity, Ledger, Usage, first_line, look, read, record
from mailsuite.mailbox.quota_rules import Rules
from mailsuite.mailbox.scan import folder_times
from mailsuite.mailbox.store import Clocks
from mailsuite.maybe import Maybe
from mailsuite.meaning import Mailbox, Quota, Room

# Mailboxes whose usage is kept in memory, some 500 octets each, and domains.
MAILBOXES = 20_000
DOMAINS = 2_000
# A mailbox that seems full is counted again at most so often, in seconds, where its folders have changed.
AGAIN_SECONDS = 60.0
# The sum of a domain is good for so long, in seconds, or for so many times as long as it took.
SUM_SECONDS = 60.0
SUM_TIMES = 100.0

# Tells the owner of a mailbox that so much lies in it, of so much, which is more than so many percent.
Warn = Callable[[Mailbox, Usage, Quota, int], None]


@dataclass(slots=True)
class _Known:
    """What is known of a mailbox: its file, as it was read, and when and at which times of its folders it was counted.
    """

    usage: Usage
    quota: Quota
    lines: int
    identity: Identity | None
    level: int = 0
    counted: float = float("-inf")
    times: tuple[int, ...] = ()


@dataclass(slots=True)
class _Sum:
    """What a domain's mailboxes hold, good *until* then."""

    usage: Usage
    until: float


@implementer(IQuotas)
class Quotas:
    """See `IQuotas`. Mail lies below *root*. What is kept for messages on their way is counted in *state*.

    *in_thread* runs what may take long off the reactor's thread.
    """

    _log = Logger()

    def __init__(
        self,
        root: str,
        ledger: Ledger,
        rules: Rules,
        state: ISharedState,
        in_thread: InThread,
        clocks: Clocks,
        warn: Warn,
    ) -> None:
        self._root = root
        self._ledger = ledger
        self._rules = rules
        self._kept = KeptRoom(state, clocks.seconds)
        self._in_thread = in_thread
        self._clocks = clocks
        self._warn = warn
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._sums: OrderedDict[str, _Sum] = OrderedDict()
        # Who waits for what is being looked at just now.
        self._looking: dict[str, list[Deferred[None]]] = {}

    def reserve(self, mailboxes: Sequence[Mailbox], octets: int) -> Maybe[Room]:
        """See `IQuotas.reserve`."""
        default = self._rules.default
        limited = [box for box in mailboxes if box.quota.otherwise(default) or box.shared_quota]
        if not limited:
            return _UNLIMITED
        self._kept.give_back_old()
        if all(self._is_known(box) for box in limited):
            found = self._keep(limited, octets, len(limited) < len(mailboxes))
            if not found.lack or not any(map(self._is_doubtful, limited)):
                return found
        return self._reserve_later(limited, octets, len(limited) < len(mailboxes))

    def delivered(self, mailbox: Mailbox, octets: int) -> None:
        """See `IQuotas.delivered`."""
        self._changed(mailbox, octets, 1)

    def withdrawn(self, mailbox: Mailbox, octets: int) -> None:
        """See `IQuotas.withdrawn`."""
        self._changed(mailbox, -octets, -1)

    def _changed(self, mailbox: Mailbox, octets: int, messages: int) -> None:
        path = f"{self._root}/{mailbox.path}"
        told = record(path, octets, messages)
        known = self._known.get(path)
        if known is not None:
            known.usage = known.usage.plus(octets, messages)
            if told is None or told[0] != known.identity:
                # The next one looks again. For a message that has just been looked at, it is the best we know.
                known.identity = None
            else:
                known.identity = told[1]
                known.lines += 1
                self._look_at_level(mailbox, known)
        total = self._sums.get(_domain(mailbox)) if self._sums else None
        if total is not None:
            total.usage = total.usage.plus(octets, messages)

    # What is known

    def _is_known(self, mailbox: Mailbox) -> bool:
        """Say whether it is known, and true, what lies in *mailbox* and its domain."""
        path = f"{self._root}/{mailbox.path}"
        known = self._known.get(path)
        # (Where there is no file there is no mailbox yet, or was none.)
        if known is None or known.identity is None or known.identity != look(path):
            return False
        if known.quota != self._quota(mailbox):
            return False
        self._known.move_to_end(path)
        return not mailbox.shared_quota or self._is_added_up(_domain(mailbox))

    def _is_added_up(self, domain: str) -> bool:
        """Say whether there is a sum of *domain*: an old one will do until there is a new one."""
        found = self._sums.get(domain)
        if found is not None and self._clocks.seconds() >= found.until and domain not in self._looking:
            Deferred.fromCoroutine(self._refresh(domain))
        return found is not None

    def _is_doubtful(self, mailbox: Mailbox) -> bool:
        """Say whether *mailbox*, which seems full, has to be counted to be sure."""
        path = f"{self._root}/{mailbox.path}"
        known = self._known.get(path)
        if known is None or known.identity is None:
            return False
        since = self._clocks.seconds() - known.counted
        if since < STALE_SECONDS:
            # We have counted it ourselves: it is as it was, unless somebody has removed something without a word.
            return since >= AGAIN_SECONDS and folder_times(os.fsencode(path)) != known.times
        return known.lines > 1 or self._clocks.now() - known.identity[0] / 1e9 >= STALE_SECONDS

    # Keeping room

    def _keep(self, mailboxes: Sequence[Mailbox], octets: int, otherwise: bool) -> Room:
        """Keep room in those of *mailboxes* that have it; *otherwise*: there is somewhere else for the message."""
        kept: list[Hold] = []
        small = True
        for box in mailboxes:
            holds = [*self._holds(box, octets)]
            if all(map(self._kept.fits, holds)):
                kept += holds
                otherwise = True
            else:
                small = small and any(hold.amount > hold.most for hold in holds)
        if not otherwise:
            return Room(_nothing, "too small" if small and octets else "full")
        return Room(self._kept.keep(kept)) if kept else _UNLIMITED

    def _holds(self, mailbox: Mailbox, octets: int) -> Iterator[Hold]:
        """Yield what a message of *octets* takes of each limit that *mailbox* is under."""
        known = self._known.get(f"{self._root}/{mailbox.path}")
        if known is not None:
            yield from self._limits(mailbox.path, known.usage, known.quota, octets)
        total = self._sums.get(_domain(mailbox))
        if total is not None and mailbox.shared_quota:
            yield from self._limits(_domain(mailbox), total.usage, mailbox.shared_quota, octets)

    def _limits(self, name: str, usage: Usage, quota: Quota, octets: int) -> Iterator[Hold]:
        if quota.octets:
            wanted = octets or min(self._rules.unknown, quota.octets)
            yield Hold(f"octets {name}", usage.octets, wanted, quota.octets)
        if quota.messages:
            yield Hold(f"messages {name}", usage.messages, 1, quota.messages)

    async def _reserve_later(
        self, mailboxes: Sequence[Mailbox], octets: int, otherwise: bool
    ) -> Room:
        try:
            for box in mailboxes:
                if not self._is_known(box):
                    await self._once(box.path, partial(self._learn, box, False))
            found = self._keep(mailboxes, octets, otherwise)
            doubtful = [box for box in mailboxes if self._is_doubtful(box)] if found.lack else []
            for box in doubtful:
                await self._once(box.path, partial(self._learn, box, True))
            return self._keep(mailboxes, octets, otherwise) if doubtful else found
        except OSError as error:
            # No quota is worth a message. (What is in the way is likely to be so at the delivery, too.)
            self._log.warn("What lies in a mailbox cannot be found out: {reason}", reason=str(error))
            return _UNLIMITED

    # Looking, in a thread

    async def _once(self, what: str, learn: Callable[[], Awaitable[None]]) -> None:
        """Await *learn*, or that of somebody else about the same mailbox or domain."""
        waiting = self._looking.get(what)
        if waiting is not None:
            done: Deferred[None] = Deferred()
            waiting.append(done)
            await done
            return
        self._looking[what] = waiting = []
        try:
            await learn()
        finally:
            del self._looking[what]
            for each in waiting:
                each.callback(None)

    async def _learn(self, mailbox: Mailbox, anew: bool) -> None:
        """Learn what lies in *mailbox* and its domain; *anew*: not by its file. Raises `OSError`."""
        path, quota = f"{self._root}/{mailbox.path}", self._quota(mailbox)
        known, news = await self._in_thread(self._look, path, quota, anew)
        self._known.pop(path, None)
        self._known[path] = known
        if len(self._known) > MAILBOXES:
            self._known.popitem(last=False)
        if news:
            self._warn(mailbox, known.usage, quota, known.level)
        domain = _domain(mailbox)
        if mailbox.shared_quota and not self._is_added_up(domain):
            await self._once(domain, partial(self._add_up, domain))

    async def _refresh(self, domain: str) -> None:
        try:
            await self._once(domain, partial(self._add_up, domain))
        except OSError as error:
            self._log.warn("The mailboxes of {domain} cannot be added up: {reason}", domain=domain, reason=str(error))

    async def _add_up(self, domain: str) -> None:
        began = self._clocks.seconds()
        usage = await self._in_thread(self._ledger.total, f"{self._root}/{domain}")
        ended = self._clocks.seconds()
        self._sums.pop(domain, None)
        self._sums[domain] = _Sum(usage, ended + max(SUM_SECONDS, (ended - began) * SUM_TIMES))
        if len(self._sums) > DOMAINS:
            self._sums.popitem(last=False)

    def _look(self, path: str, quota: Quota, anew: bool) -> tuple[_Known, bool]:
        """Return what is known of the mailbox *path* now, and whether it has come to a level for a warning."""
        found = None if anew else read(path)
        if found is None or first_line(found.quota) != first_line(quota):
            times = folder_times(os.fsencode(path))
            usage = self._ledger.usage(path, quota)
            known = _Known(usage, quota, 1, look(path), 0, self._clocks.seconds(), times)
        else:
            known = _Known(found.usage, quota, found.lines, found.identity)
        known.level = self._rules.level(known.usage, quota)
        return known, self._rules.mark(path, known.level)

    def _quota(self, mailbox: Mailbox) -> Quota:
        return mailbox.quota.otherwise(self._rules.default)

    def _look_at_level(self, mailbox: Mailbox, known: _Known) -> None:
        level = self._rules.level(known.usage, known.quota)
        if level != known.level:
            known.level = level
            if self._rules.mark(f"{self._root}/{mailbox.path}", level):
                self._warn(mailbox, known.usage, known.quota, level)


def _domain(mailbox: Mailbox) -> str:
    return mailbox.path.partition("/")[0]


def _nothing() -> None:
    """There is nothing to give back."""


_UNLIMITED = Room(_nothing)
