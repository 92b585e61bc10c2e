"""Names for sessions: short, unique on this machine, and saying nothing about it."""


_DIGITS = "0123456789abcdefghijkmnpqrstuvwxyz"


class SessionIds:
    """Gives each session a text that no other one has.

    *start* is a random number of at least 32 bits, drawn when the process began.
    """

    def __init__(self, start: int) -> None:
        self._prefix = _text(start)
        self._count = 0

    def __call__(self) -> str:
        """Return the next one."""
        self._count += 1
        return f"{self._prefix}{_text(self._count)}"


def _text(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits or "0"


