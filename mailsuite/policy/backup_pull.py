"""Fetching the lists that primaries publish, again and again: from a file or over HTTPS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.interfaces import IWebClient
from mailsuite.policy.backup import Run
from mailsuite.policy.backup_list import LIST_OCTETS, BadList
from mailsuite.policy.backup_store import ListStore, read_limited
from mailsuite.route import CannotConnect

HTTPS = "https://"

_log = Logger()


@dataclass(frozen=True, slots=True)
class ListSource:
    """Where the list of *domain* (A-labels) is, a path or an https URL; who signs it; after how many seconds to look
    again."""

    domain: str
    place: str
    key: bytes
    refresh: float


class ListPull:
    """Keeps the lists of *sources* in *store* up to date. To be started and stopped. *now* gives POSIX seconds.

    What cannot be fetched, or is no list that we may take, leaves the one that we have; that is logged once, and
    again when the reason changes.
    """

    def __init__(
        self,
        sources: Sequence[ListSource],
        store: ListStore,
        web: IWebClient,
        clock: IReactorTime,
        now: Callable[[], float],
        run: Run,
    ) -> None:
        self._store = store
        self._web = web
        self._now = now
        self._run = run
        # Why a list could not be taken the last time.
        self._troubles: dict[str, str] = {}
        self._loops = [(self._loop(source, clock), source.refresh) for source in sources]

    def start(self) -> None:
        """Look at once, and then as often as each source says."""
        for loop, refresh in self._loops:
            loop.start(refresh)

    def stop(self) -> None:
        """Look no more; what is under way comes to its end."""
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()

    async def pull(self, source: ListSource) -> None:
        """Look at one source now."""
        try:
            data = await self._fetched(source.place)
            await self._run(partial(self._store.keep, source.domain, data, source.key, self._now()))
        except (CannotConnect, BadList, OSError) as error:
            self._tell(source, str(error))
        except Exception as error:
            # The next look must come whatever this one stumbled over.
            _log.failure("The list of {domain} could not be looked at", domain=source.domain)
            self._tell(source, type(error).__name__)
        else:
            self._tell(source, "")

    async def _fetched(self, place: str) -> bytes:
        if not place.startswith(HTTPS):
            return await self._run(partial(read_limited, place))
        _, data = await self._web.get(place, LIST_OCTETS)
        return data

    def _tell(self, source: ListSource, trouble: str) -> None:
        before = self._troubles.get(source.domain, "")
        self._troubles[source.domain] = trouble
        if trouble == before:
            return
        if trouble:
            _log.warn(
                "The list of {domain} at {place} was not taken: {reason}",
                domain=source.domain, place=source.place, reason=trouble,
            )
        else:
            _log.info("The list of {domain} is taken again", domain=source.domain)

    def _loop(self, source: ListSource, clock: IReactorTime) -> LoopingCall:
        loop = LoopingCall(lambda: Deferred.fromCoroutine(self.pull(source)))
        loop.clock = clock
        return loop
