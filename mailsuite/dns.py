"""What the domain name system says, as values. Names are A-labels in lower case, without the last dot."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class NoSuchDomain(Exception):
    """The name does not exist (NXDOMAIN). *secure*: that is validated by DNSSEC."""

    def __init__(self, name: str, secure: bool = False) -> None:
        super().__init__(f"{name} does not exist in DNS")
        self.secure = secure


class DnsTrouble(Exception):
    """Nobody could say: SERVFAIL, REFUSED, no answer in time, an answer that makes no sense. Always temporary."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """An answer: *records* may be empty (the name exists, with nothing of that type).

    *secure*: a resolver that we trust has validated it, empty or not (RFC 4035 §3.2.3, the AD bit), over every alias
    on the way. *name* is the name at the end of the aliases (CNAME, DNAME).
    """

    records: tuple[T, ...]
    secure: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class MX:
    """A mail exchanger (RFC 5321 §5.1). An empty *host* is the null MX of RFC 7505."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class TLSA:
    """A certificate association (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes
