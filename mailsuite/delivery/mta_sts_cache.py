"""MTA-STS policies that were fetched, in memory and in a file: what a domain enforces outlives a restart.

The file has a line that says its format, then one JSON object a line, so that a damaged line costs one policy.
"""

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mailsuite.delivery.mta_sts_policy import MAX_AGE, Mode, Policy
from mailsuite.durable import drafted

# Beyond so many the one that was used longest ago is forgotten. A usual policy takes 1 KiB in memory.
POLICIES = 10_000
# What changes within so many seconds is written at once.
WRITE_SECONDS = 2.0
_FORMAT = b'{"mta-sts": 1}\n'
# The longest line that is read; our own are shorter.
_LINE_OCTETS = 65_536


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A policy, the id that announced it, and when it was fetched last (POSIX seconds)."""

    policy: Policy
    id: str
    fetched: float

    def holds(self, now: float) -> bool:
        """Say whether its time is not yet over (RFC 8461 §3.2, max_age)."""
        return now < self.fetched + self.policy.max_age


class _Row(msgspec.Struct):
    domain: str
    id: str
    mode: Mode
    mx: list[str]
    max_age: int
    fetched: float


class PolicyCache:
    """Policies by domain (A-labels), at most *most*; written to *path* a little later, in another thread.

    *in_thread* runs a function in a thread and returns an awaitable of its end.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        in_thread: Callable[[Callable[[], None]], Awaitable[None]],
        most: int = POLICIES,
    ) -> None:
        self._path = path
        self._clock = clock
        self._in_thread = in_thread
        self._most = most
        self._policies: OrderedDict[str, KeptPolicy] = OrderedDict()
        self._timer: IDelayedCall | None = None
        self._changed = False
        # Held while the file is written.
        self._lock = DeferredLock()

    def load(self, now: float) -> None:
        """Read what an earlier process has written; blocks for that long. Without the file the cache is empty."""
        try:
            for domain, kept in _read(self._path):
                # A clock that was wrong must not lengthen a policy's time.
                kept = KeptPolicy(kept.policy, kept.id, min(kept.fetched, now))
                if kept.holds(now):
                    self._insert(domain, kept)
        except FileNotFoundError:
            return
        except OSError:
            self._log.failure("Cannot read the MTA-STS policies in {path}", path=self._path)

    def get(self, domain: str, now: float) -> KeptPolicy | None:
        """Return the policy of *domain*, if one is kept and its time is not over at *now*."""
        kept = self._policies.get(domain)
        if kept is None:
            return None
        if not kept.holds(now):
            self._remove(domain)
            return None
        self._policies.move_to_end(domain)
        return kept

    def put(self, domain: str, kept: KeptPolicy) -> None:
        """Keep a policy in the place of an older one."""
        self._insert(domain, kept)
        self._change()

    def domains(self) -> Sequence[str]:
        """Return the domains of which a policy is kept."""
        return tuple(self._policies)

    async def stop(self) -> None:
        """Write what is not yet written."""
        async with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._changed:
                await self._write()

    def _insert(self, domain: str, kept: KeptPolicy) -> None:
        self._policies[domain] = kept
        self._policies.move_to_end(domain)
        while len(self._policies) > self._most:
            self._policies.popitem(last=False)

    def _remove(self, domain: str) -> None:
        del self._policies[domain]
        self._change()

    def _change(self) -> None:
        self._changed = True
        if self._timer is None:
            self._timer = self._clock.callLater(WRITE_SECONDS, self._due)

    def _due(self) -> None:
        self._timer = None
        Deferred.fromCoroutine(self._write_in_turn())

    async def _write_in_turn(self) -> None:
        async with self._lock:
            await self._write()

    async def _write(self) -> None:
        rows = tuple(self._policies.items())
        self._changed = False
        try:
            await self._in_thread(lambda: _replace(self._path, rows))
        except OSError:
            # In memory they hold all the same, and the next change tries again.
            self._log.failure("Cannot write the MTA-STS policies to {path}", path=self._path)


def _read(path: str) -> Iterator[tuple[str, KeptPolicy]]:
    decoder = msgspec.json.Decoder(_Row)
    with open(path, "rb") as file:
        if file.readline(_LINE_OCTETS) != _FORMAT:
            return
        while line := file.readline(_LINE_OCTETS):
            try:
                row = decoder.decode(line)
            except msgspec.MsgspecError:
                continue
            policy = Policy(row.mode, tuple(row.mx), min(row.max_age, MAX_AGE))
            yield row.domain, KeptPolicy(policy, row.id, row.fetched)


def _replace(path: str, rows: Sequence[tuple[str, KeptPolicy]]) -> None:
    """Write the file anew, durably."""
    with drafted(path, _written(rows), 0o640) as draft:
        os.rename(draft, path)


def _written(rows: Sequence[tuple[str, KeptPolicy]]) -> Iterator[bytes]:
    """Yield the file line by line: a thread that encodes all at once would stop the reactor."""
    yield _FORMAT
    for domain, kept in rows:
        policy = kept.policy
        row = _Row(domain, kept.id, policy.mode, list(policy.mx), policy.max_age, kept.fetched)
        yield msgspec.json.encode(row) + b"\n"
