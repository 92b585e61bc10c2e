"""Call-outs: what the primary of a domain says about a recipient is asked for once and remembered for a while."""

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mailsuite.address import Address, domain_key
from mailsuite.maybe import Maybe
from mailsuite.meaning import Known

# Questions that are asked at a time; the others wait for their turn, and beyond so many nothing is asked.
AT_A_TIME = 20
WAITING = 1000
# A domain is asked so many questions in a row, and so many a second from then on: whoever makes addresses up does not
# choose how much its primary has to do.
BURST = 100
RATE = 10.0
# For how long one question is asked: a primary that has not answered by then is away.
ASKING_SECONDS = 10.0
# For how long a session waits for an answer in all, its turn included.
PATIENCE_SECONDS = 15.0
# Answers that are remembered, some 300 octets each.
REMEMBERED = 20_000
# For how long an address is not asked about again after a temporary refusal, and a domain after nobody answered:
# while the primary is away, which is what a backup is for, no session is to wait for it.
UNSURE_SECONDS = 60.0

Key: TypeAlias = tuple[str, str]

_log = Logger()


class CannotAsk(Exception):
    """Nobody who could say was reached; the text says why."""


# Whether the primary of a domain has an address; None: it does not say now. Raises CannotAsk.
Ask: TypeAlias = Callable[[str, Address], Awaitable[bool | None]]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """For how many seconds a yes and a no are remembered."""

    yes: float
    no: float

    def of(self, answer: bool | None) -> float:
        """Return that of *answer*."""
        if answer is None:
            return UNSURE_SECONDS
        return self.yes if answer else self.no


@dataclass(eq=False, slots=True)
class _Question:
    """A question that was not answered yet, with those who wait for the answer.

    *patience* is the timer of those who wait, *limit* that of the question itself, from when it is asked.
    """

    address: Address
    key: Key
    lifetimes: Lifetimes
    waiting: list[Deferred[Known]] = field(default_factory=list)
    patience: IDelayedCall | None = None
    limit: IDelayedCall | None = None
    asking: Deferred[None] | None = None


class Callouts:
    """Asks *ask* at most *most* questions at a time. *clock* tells the time and never goes back."""

    def __init__(
        self,
        ask: Ask,
        clock: IReactorTime,
        most: int = AT_A_TIME,
        waiting: int = WAITING,
        remembered: int = REMEMBERED,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._most = most
        self._most_waiting = waiting
        self._remembered = remembered
        # The answers, until when they are good, the one that was asked for longest ago first.
        self._answers: OrderedDict[Key, tuple[bool | None, float]] = OrderedDict()
        # Domains of which nobody answered, and until when they are not asked.
        self._silent: OrderedDict[str, float] = OrderedDict()
        # When each domain may be asked as many questions in a row as if it had never been asked.
        self._rested: OrderedDict[str, float] = OrderedDict()
        self._questions: dict[Key, _Question] = {}
        self._turn: deque[_Question] = deque()
        self._under_way = 0
        self._going = False

    def known(self, address: Address, lifetimes: Lifetimes) -> Maybe[Known]:
        """Say whether the primary of *address*'s domain has it; ``None`` where nobody answers.

        ``"later"`` where there is more to ask than is asked at a time.
        """
        # RFC 5321 §2.4: whether case matters in a local part is for its own system to say.
        key = (address.local, domain_key(address.domain))
        now = self._clock.seconds()
        remembered = self._answers.get(key)
        if remembered is not None and remembered[1] > now:
            self._answers.move_to_end(key)
            return remembered[0]
        if self._is_silent(key[1]):
            return None
        question = self._questions.get(key)
        if question is None:
            if len(self._questions) >= self._most + self._most_waiting or not self._may_ask(key[1]):
                return "later"
            question = self._begin(_Question(address, key, lifetimes))
        answer: Deferred[Known] = Deferred(question.waiting.remove)
        question.waiting.append(answer)
        self._go_on()
        return answer

    def stop(self) -> None:
        """Ask nothing more: who waits is told that it is not known."""
        self._turn.clear()
        for question in list(self._questions.values()):
            self._settle(question, None)
            if question.asking is not None:
                question.asking.cancel()

    def _begin(self, question: _Question) -> _Question:
        question.patience = self._clock.callLater(PATIENCE_SECONDS, self._waited, question)
        self._questions[question.key] = question
        self._turn.append(question)
        return question

    def _go_on(self) -> None:
        """Let those ask whose turn it is. One that is answered at once ends up here again: that is a loop, too."""
        if self._going:
            return
        self._going = True
        while self._turn and self._under_way < self._most:
            question = self._turn.popleft()
            if self._questions.get(question.key) is not question:
                continue
            if self._is_silent(question.key[1]):
                self._settle(question, None)
                continue
            self._under_way += 1
            question.limit = self._clock.callLater(ASKING_SECONDS, self._expired, question)
            question.asking = Deferred.fromCoroutine(self._put(question))
        self._going = False

    async def _put(self, question: _Question) -> None:
        domain = question.key[1]
        try:
            answer = await self._ask(domain, question.address)
        except CannotAsk as error:
            _log.info("Recipients of {domain} could not be asked about: {reason}", domain=domain, reason=str(error))
            self._silence(domain)
            self._settle(question, None)
        except CancelledError:
            pass
        except Exception:
            # Whatever it was, those who wait for the answer must have one: nobody can say now.
            _log.failure("Asking about a recipient of {domain} failed", domain=domain)
            self._silence(domain)
            self._settle(question, None)
        else:
            self._remember(question.key, answer, question.lifetimes.of(answer))
            self._settle(question, answer)
        finally:
            self._under_way -= 1
            self._go_on()

    def _waited(self, question: _Question) -> None:
        """Nobody waits any longer. What is being asked goes on: its answer is there for who comes again."""
        if question.asking is None:
            self._settle(question, "later")
        else:
            self._answer(question, "later")

    def _expired(self, question: _Question) -> None:
        """The question had its time, and nobody has answered: whoever asks is told to stop."""
        self._silence(question.key[1])
        self._settle(question, None)
        if question.asking is not None:
            question.asking.cancel()

    def _may_ask(self, domain: str) -> bool:
        """Say whether *domain* may be asked one more question at this time, and count it."""
        now = self._clock.seconds()
        rested = max(self._rested.get(domain, now), now)
        # By half a question more, so that no rounding of seconds takes one away.
        if rested - now > (BURST - 0.5) / RATE:
            return False
        self._rested[domain] = rested + 1 / RATE
        self._rested.move_to_end(domain)
        if len(self._rested) > self._remembered:
            self._rested.popitem(last=False)
        return True

    def _is_silent(self, domain: str) -> bool:
        return self._silent.get(domain, 0.0) > self._clock.seconds()

    def _silence(self, domain: str) -> None:
        self._silent[domain] = self._clock.seconds() + UNSURE_SECONDS
        self._silent.move_to_end(domain)
        if len(self._silent) > self._remembered:
            self._silent.popitem(last=False)

    def _remember(self, key: Key, answer: bool | None, seconds: float) -> None:
        self._answers[key] = (answer, self._clock.seconds() + seconds)
        self._answers.move_to_end(key)
        if len(self._answers) > self._remembered:
            self._answers.popitem(last=False)

    def _settle(self, question: _Question, answer: Known) -> None:
        """Let *answer* be the end of *question*; a second time there is nobody who waits."""
        if self._questions.get(question.key) is question:
            del self._questions[question.key]
        for timer in (question.patience, question.limit):
            if timer is not None and timer.active():
                timer.cancel()
        self._answer(question, answer)

    def _answer(self, question: _Question, answer: Known) -> None:
        """Give *answer* to all who wait now."""
        waiting = question.waiting[:]
        question.waiting.clear()
        for each in waiting:
            if not each.called:
                each.callback(answer)
