"""When a recipient is tried again, and how much may go to one destination at a time. Pure."""

from dataclasses import dataclass

# A wait is made longer or shorter by up to this part of itself, so that what failed together does not return together.
JITTER = 0.1
# Deliveries at a time to a destination of which nothing is known yet.
FIRST_DELIVERIES = 5
# So many deliveries in a row have to fail before a destination with others under way counts as down.
FAILURES_IN_A_ROW = 3
# Where priorities differ (RFC 6710 §5), one turn in so many is the oldest's or the lowest's: nothing waits for ever.
FAIR = 4


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits (RFC 5321 §4.5.4.1), in seconds: *first*, then by *factor* longer each time, up to *cap*."""

    first: float
    factor: float
    cap: float

    def wait(self, tries: int, chance: float) -> float:
        """Return how long to wait after the try number *tries* (from 1); *chance* is drawn from 0 up to 1."""
        # A power with a large exponent overflows; the cap is reached long before.
        grown = self.first * self.factor ** min(max(tries, 1) - 1, 64)
        return min(grown, self.cap) * (1 - JITTER + 2 * JITTER * chance)


class Concurrency:
    """How many deliveries to one destination may be under way: grows on success, shrinks on trouble.

    *most* is the upper end.
    """

    __slots__ = ("_exact", "_failures", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._exact = float(min(FIRST_DELIVERIES, most))
        self._failures = 0

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._exact)

    def succeeded(self) -> None:
        """One went well: after as many as may be under way, one more may."""
        self._failures = 0
        if self._exact < self._most:
            self._exact = min(self._exact + 1 / self._exact, float(self._most))

    def failed(self, others: int) -> bool:
        """One met a trouble of the destination's while *others* are under way. Return whether it counts as down."""
        self._failures += 1
        self._exact = max(1.0, self._exact - 1)
        return others == 0 or self._failures >= FAILURES_IN_A_ROW
