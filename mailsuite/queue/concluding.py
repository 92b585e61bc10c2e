"""How a job ends: its sender is told what there is to tell, the queue records the rest, the mail log has a line."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from twisted.logger import Logger

from mailsuite.interfaces import IMailLog, IQueue, IReports
from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queue.schedule import Backoff
from mailsuite.queued import AS_BEFORE, LOCAL, Job, Purpose, QueuedRecipient, Settled

# After a trouble of our own (a disk that fails) a job is due again after so many seconds.
OWN_TROUBLE = 60.0

GIVEN_UP = "5.4.7"
BOUNCED = Failed("5.0.0", "The administrator of this system has given this message up")

_RESULTS = {Delivered: "delivered", Deferred: "deferred", Failed: "failed"}


class Conclusions:
    """Concludes jobs. *now* gives POSIX time, *chance* a number from 0 up to 1; *backoff* times the next tries."""

    _logger = Logger()

    def __init__(
        self,
        queue: IQueue,
        reports: IReports,
        log: IMailLog,
        backoff: Backoff,
        now: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._reports = reports
        self._log = log
        self._backoff = backoff
        self._now = now
        self._chance = chance

    async def conclude(self, job: Job, outcomes: Sequence[Outcome | None], put_off: bool) -> None:
        """Report what is to be reported, then record: a crash in between reports twice, and never not at all.

        ``None``, or no outcomes at all: it was not tried, or something of our own went wrong. *put_off*: its
        destination is put off as a whole. Raises `OSError` where the queue could not record it now.
        """
        settled = await self._settled_all(job, outcomes, put_off)
        self._record_in_log(job, outcomes)
        await self._queue.record(settled)

    def give_back(self, jobs: Sequence[Job]) -> Awaitable[None]:
        """Let go of *jobs*, untried, to be tried when it is time."""
        return self._queue.record([Settled(each, AS_BEFORE) for job in jobs for each in job.recipients])

    async def _settled_all(self, job: Job, outcomes: Sequence[Outcome | None], put_off: bool) -> list[Settled]:
        if len(outcomes) != len(job.recipients):
            return [Settled(recipient, self._now() + OWN_TROUBLE) for recipient in job.recipients]
        told = True
        if any(_is_news(job, outcome) for outcome in outcomes):
            try:
                await self._reports.report(*_news(job, outcomes), lambda: self._queue.content(job))
            except Exception:
                self._logger.failure("No report on {id} could be kept; it is tried again", id=job.message.id)
                told = False
        return [
            self._settled(recipient, job.purpose, outcome, put_off, told)
            for recipient, outcome in zip(job.recipients, outcomes, strict=True)
        ]

    def _settled(
        self, recipient: QueuedRecipient, purpose: Purpose, outcome: Outcome | None, put_off: bool, told: bool
    ) -> Settled:
        if outcome is None:
            return Settled(recipient, AS_BEFORE)
        if isinstance(outcome, Delivered):
            # Nothing is sent twice for a report's sake.
            return Settled(recipient, None, outcome)
        if isinstance(outcome, Failed):
            # Where the sender could not be told it stays, as given up, until he can be.
            return Settled(recipient, None if told else self._now() + OWN_TROUBLE, outcome)
        if purpose == "warn":
            return Settled(recipient, AS_BEFORE if told else self._now() + OWN_TROUBLE, None, warned=told)
        if outcome.whole and put_off:
            # The destination waits, with all that is for it: no try of this recipient's own.
            return Settled(recipient, AS_BEFORE)
        wait = self._backoff.wait(recipient.tries + 1, self._chance())
        return Settled(recipient, self._now() + wait, outcome)

    def _record_in_log(self, job: Job, outcomes: Sequence[Outcome | None]) -> None:
        message = job.message
        sender = "" if message.reverse_path is None else str(message.reverse_path)
        for recipient, outcome in zip_longest(job.recipients, outcomes):
            if outcome is None:
                continue
            answer = outcome.answer
            self._log.record(
                "delivery",
                {
                    "id": message.id,
                    "from": sender,
                    "to": str(recipient.address),
                    "via": None if recipient.destination == LOCAL else recipient.destination,
                    "host": answer.host if answer is not None else None,
                    "tls": (answer.tls or None) if answer is not None else None,
                    "result": _RESULTS[type(outcome)] if job.purpose != "warn" else "late",
                    "status": None if isinstance(outcome, Delivered) else outcome.status,
                    "reply": str(answer) if answer is not None else None,
                    "why": None if isinstance(outcome, Delivered) else outcome.reason,
                    "size": message.size,
                    "delay": round(self._now() - message.arrived, 3),
                },
            )


def untried(job: Job, now: float) -> Sequence[Outcome]:
    """Return the outcomes of a job that is only to be reported."""
    return [_untried(job, recipient.last, now) for recipient in job.recipients]


def _untried(job: Job, last: Outcome | None, now: float) -> Outcome:
    asked = job.message.asked
    if job.purpose == "expire" and asked.by_mode == "R" and asked.by <= now:
        reason = f"It could not be delivered by the time that its sender has set{_why(last)}"
        return Failed(GIVEN_UP, reason, _answer(last))
    if job.purpose == "warn" and asked.by_mode == "N" and asked.by <= now:
        reason = f"It was not delivered by the time that its sender has set, and is tried again{_why(last)}"
        return Deferred("4.4.7", reason, _answer(last))
    return _UNTRIED[job.purpose](last)


def _is_news(job: Job, outcome: Outcome | None) -> bool:
    """Say whether a sender may have to be told of *outcome*. Of a delay only once, when its time has come."""
    return outcome is not None and (not isinstance(outcome, Deferred) or job.purpose == "warn")


def _news(job: Job, outcomes: Sequence[Outcome | None]) -> tuple[Job, list[Outcome]]:
    pairs = list(_pairs(job, outcomes))
    told = replace(job, recipients=tuple(recipient for recipient, _ in pairs))
    return told, [outcome for _, outcome in pairs]


def _pairs(job: Job, outcomes: Sequence[Outcome | None]) -> Iterator[tuple[QueuedRecipient, Outcome]]:
    for recipient, outcome in zip(job.recipients, outcomes, strict=True):
        if outcome is not None and _is_news(job, outcome):
            yield recipient, outcome


def _expired(last: Outcome | None) -> Outcome:
    """RFC 3463 §3.5: X.4.7, with what was said last."""
    return Failed(GIVEN_UP, f"It could not be delivered in its time{_why(last)}", _answer(last))


def _why(last: Outcome | None) -> str:
    return "" if last is None or isinstance(last, Delivered) else f"; the last trouble was: {last.reason}"


def _late(last: Outcome | None) -> Outcome:
    if isinstance(last, Deferred):
        return last
    return Deferred("4.4.7", "It could not be delivered yet, and is tried again", _answer(last))


def _bounced(last: Outcome | None) -> Outcome:
    """What failed before, and could not be reported then; else the administrator's word."""
    return last if isinstance(last, Failed) else BOUNCED


def _answer(last: Outcome | None) -> Answer | None:
    return None if last is None else last.answer


_UNTRIED: dict[Purpose, Callable[[Outcome | None], Outcome]] = {"expire": _expired, "bounce": _bounced, "warn": _late}
