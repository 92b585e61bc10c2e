"""Answers that were given, for as long as they are good."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from mailsuite.transport.dns.answers import Answer
from mailsuite.transport.dns.records import Question

T = TypeVar("T")

# An answer with more records than this is not worth its room.
KEPT_RECORDS = 100


class Cache:
    """Keeps the *room* answers that were used last. *seconds* is a monotonic clock."""

    def __init__(self, room: int, seconds: Callable[[], float]) -> None:
        self._room = room
        self._seconds = seconds
        # In the order of their last use.
        self._kept: dict[Question[Any], tuple[float, Answer[Any]]] = {}

    def get(self, question: Question[T]) -> Answer[T] | None:
        """Return the answer to *question*, if there is one that is still good."""
        kept = self._kept.pop(question, None)
        if kept is None or kept[0] <= self._seconds():
            return None
        self._kept[question] = kept
        return cast(Answer[T], kept[1])

    def put(self, question: Question[T], answer: Answer[T]) -> None:
        """Keep *answer* for as long as it is good; one that is good for no time is not kept."""
        self._kept.pop(question, None)
        if answer.seconds <= 0 or not self._room or len(answer.records) > KEPT_RECORDS:
            return
        while len(self._kept) >= self._room:
            del self._kept[next(iter(self._kept))]
        self._kept[question] = (self._seconds() + answer.seconds, answer)
