"""What a sender has asked of a message's way, at the next host: whether that can have it, and what is passed on."""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

from mailsuite.asked import Asked
from mailsuite.outcome import Failed
from mailsuite.queued import QueuedMessage
from mailsuite.route import UNIX, Route
from mailsuite.smtp.client_events import Capabilities

# What a message wants of TLS: nothing of its own, TLS in any case (REQUIRETLS), or mail before TLS (TLS-Required).
Strictness: TypeAlias = Literal["", "required", "optional"]

NO_DELIVERBY = Failed("5.3.3", "It has to be delivered in a set time, which the next host cannot promise (DELIVERBY)")
TOO_LATE = Failed("5.4.7", "The time in which it had to be delivered is over, or too short for the next host")
NO_REQUIRETLS = Failed("5.7.30", "It must go no way without TLS, and the next host cannot promise that (REQUIRETLS)")

# by-time = ["-" / "+"] 1*9digit (RFC 2852 §4)
_SECONDS = 999_999_999


def strictness(message: QueuedMessage, route: Route) -> Strictness:
    """Say what *message* wants of TLS on *route*, beside what the route and its domain ask for."""
    asked = message.asked
    if asked.tls_optional:
        return "optional"
    # RFC 8689 §5: of what has a null reverse-path nobody could be told, so that it goes all the same. A socket is on
    # this machine, and its far end the mailbox.
    if asked.require_tls and message.reverse_path is not None and not route.host.startswith(UNIX):
        return "required"
    return ""


def in_time(asked: Asked, offered: Capabilities, now: Callable[[], float]) -> Failed | None:
    """Say why a host that offers *offered* cannot have the message; ``None``: it can. *now* gives POSIX time."""
    if asked.by_mode != "R":
        return None
    # RFC 2852 §4.1.4.1
    if "DELIVERBY" not in offered:
        return NO_DELIVERBY
    left = _seconds_left(asked, now)
    return TOO_LATE if left <= 0 or left < offered.least_by else None


def by_value(asked: Asked, now: Callable[[], float]) -> str:
    """Return the value of BY: what is left of the time, which has passed where it is negative (RFC 2852 §4.1.4)."""
    return f"{_seconds_left(asked, now)};{asked.by_mode}{'T' if asked.traced else ''}"


def lets_go_of_time(asked: Asked, offered: Capabilities, now: Callable[[], float]) -> bool:
    """Say whether the message goes, before its time, where nobody looks at that (RFC 2852 §4.1.4.2)."""
    return asked.by_mode == "N" and "DELIVERBY" not in offered and asked.by > now()


def with_delay(notify: str) -> str:
    """Return a NOTIFY that asks for what we cannot see to any more (RFC 2852 §4.1.4.2)."""
    if not notify:
        return "FAILURE,DELAY"
    return notify if notify == "NEVER" or "DELAY" in notify else f"{notify},DELAY"


def _seconds_left(asked: Asked, now: Callable[[], float]) -> int:
    return max(-_SECONDS, min(math.floor(asked.by - now()), _SECONDS))
