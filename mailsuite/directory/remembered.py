"""What a back end has said, kept for a while: so that it is seldom asked, and may even be away."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

from twisted.logger import Logger

from mailsuite.directory.cache import Cache
from mailsuite.directory.errors import Away
from mailsuite.maybe import Maybe
from mailsuite.meaning import CannotJudge

K = TypeVar("K")
V = TypeVar("V")

# How long an answer holds that says no: who is new should not wait for long, whatever cache_ttl is.
NO_SECONDS = 10.0
# A back end that was away is asked once in so many seconds: each try may cost a wait, for a connection or an answer.
PAUSE_SECONDS = 1.0

_log = Logger()


@dataclass(frozen=True, slots=True)
class Terms:
    """How long, in seconds, an answer holds while nothing is known to have changed; and how old one may be that is
    given while the back end is away."""

    ttl: float = 60.0
    stale: float = 86_400.0


class Source:
    """One back end as its caches see it: how far it has changed (*generation*), and whether it answers at all.

    *seconds* tells the time.
    """

    def __init__(
        self, generation: Callable[[], int], seconds: Callable[[], float], terms: Terms | None = None
    ) -> None:
        self.generation = generation
        self.seconds = seconds
        self.terms = terms or Terms()
        self._away_since: float | None = None
        self._tried = 0.0
        self._reason = ""

    def pause(self, now: float) -> Away | None:
        """Return why nobody is asked now, where the last try was a moment ago, and found nobody or still waits."""
        if self._away_since is None:
            return None
        if 0 <= now - self._tried < PAUSE_SECONDS:
            return Away(self._reason)
        # Who asks now is to find out, and may have to wait for it; who asks meanwhile need not.
        self._tried = now
        return None

    @property
    def is_away(self) -> bool:
        """Whether the last that was asked of the back end was not answered."""
        return self._away_since is not None

    def failed(self, error: Exception) -> CannotJudge:
        """Take note of *error* and return what to tell who asked."""
        if not isinstance(error, Away):
            # No word of the back end being away: the next question may well be answered.
            if isinstance(error, CannotJudge):
                return error
            _log.failure("A lookup in the directory failed")
            return CannotJudge(f"a lookup in the directory failed ({type(error).__name__})")
        self._tried = self.seconds()
        self._reason = str(error)
        if self._away_since is None:
            self._away_since = self._tried
            _log.error(
                "The directory is away: whom it was asked about lately goes on being served, all others are told to"
                " come again ({reason})", reason=self._reason,
            )  # fmt: skip
        return error

    def answered(self) -> None:
        """Take note of an answer."""
        if self._away_since is not None:
            away = self.seconds() - self._away_since
            self._away_since = None
            _log.info("The directory answers again, after {away:.0f} s", away=away)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[V]):
    answer: V
    generation: int | None
    time: float
    good: bool


class Remembered(Generic[K, V]):
    """The last *size* answers of *source* to one kind of question, those that say no too.

    *is_good* tells what says yes: that holds longer, and is given while the back end is away, where anything else
    raises `CannotJudge`: nobody is told no because we do not know.
    """

    def __init__(self, size: int, source: Source, is_good: Callable[[V], bool]) -> None:
        self._source = source
        self._is_good = is_good
        self._kept: Cache[K, _Kept[V]] = Cache(size)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, ask: Callable[[], Maybe[V]]) -> Maybe[V]:
        """Return the answer for *key*: a kept one that holds, else what *ask* says now. Raises `CannotJudge`."""
        source = self._source
        now = source.seconds()
        kept = self._kept.get(key)
        try:
            # Known before the question: what changes while it is on its way makes the answer an old one.
            generation = source.generation()
        except Exception as error:
            return self._old(kept, now, source.failed(error))
        if kept is not None and kept.generation == generation and self._holds(kept, now):
            return kept.answer
        pause = source.pause(now)
        if pause is not None:
            return self._old(kept, now, pause)
        try:
            answer = ask()
        except Exception as error:
            return self._old(kept, now, source.failed(error))
        if hasattr(answer, "__await__"):
            return self._later(key, kept, now, generation, cast(Awaitable[V], answer))
        return self._keep(key, now, generation, answer)

    def forget(self, key: K) -> None:
        """Ask anew for *key* next time; what is kept serves only where nobody answers then."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.put(key, replace(kept, generation=None))

    async def _later(self, key: K, kept: _Kept[V] | None, now: float, generation: int, answer: Awaitable[V]) -> V:
        try:
            come = await answer
        except Exception as error:
            return self._old(kept, now, self._source.failed(error))
        return self._keep(key, now, generation, come)

    def _keep(self, key: K, now: float, generation: int, answer: V) -> V:
        self._source.answered()
        self._kept.put(key, _Kept(answer, generation, now, self._is_good(answer)))
        return answer

    def _holds(self, kept: _Kept[V], now: float) -> bool:
        # A clock that was set back must not keep old answers alive.
        ttl = self._source.terms.ttl
        return 0 <= now - kept.time < (ttl if kept.good else min(ttl, NO_SECONDS))

    def _old(self, kept: _Kept[V] | None, now: float, trouble: CannotJudge) -> V:
        """Answer by what is kept, though it does not hold any more, since *trouble* is all that could be found out."""
        if kept is not None and kept.good and 0 <= now - kept.time < self._source.terms.stale:
            return kept.answer
        raise trouble
