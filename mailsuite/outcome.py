"""How a delivery to one recipient ends: one of three ways, and no other."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Delivered:
    """The message is durable where the recipient will find it."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now. *status* is an enhanced code of class 4 (RFC 3463), *reason* a text for people."""

    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Never. *status* is an enhanced code of class 5 (RFC 3463), *reason* a text for people."""

    status: str
    reason: str


Outcome: TypeAlias = Delivered | Deferred | Failed

DELIVERED = Delivered()
