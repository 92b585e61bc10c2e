"""How a delivery to one recipient ends: one of three ways, and no other."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Answer:
    """What another server said. All of it is printable ASCII and bounded, whatever came over the wire.

    *host* is the server's name or address literal, *code* and *status* are what it gave (0 and empty: nothing),
    *lines* the lines of its text. *tls* names version, cipher and trust of the connection; empty: it was in the clear.
    """

    host: str
    code: int = 0
    status: str = ""
    lines: tuple[str, ...] = ()
    tls: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code or ""), self.status, *self.lines)))


@dataclass(frozen=True, slots=True)
class Delivered:
    """The message is durable where the recipient will find it, or another server has promised to see to it.

    *answer* is that server's; *informs*: it has taken over the duty to report (RFC 3461 §5.2.2), too. *announced*: the
    sender hears of it, unless he wants to hear nothing at all (RFC 2852 §4.1.4).
    """

    answer: Answer | None = None
    informs: bool = False
    announced: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now. *status* is an enhanced code of class 4 (RFC 3463), *reason* a text for people.

    *whole*: the trouble is the destination's, and no other message would fare better there now.
    """

    status: str
    reason: str
    answer: Answer | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Never. *status* is an enhanced code of class 5 (RFC 3463), *reason* a text for people."""

    status: str
    reason: str
    answer: Answer | None = None


Outcome: TypeAlias = Delivered | Deferred | Failed

DELIVERED = Delivered()
