"""What MAIL, and the message's header, ask of its way: from parameters to what the queue goes by."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.envelope import Acceptance
from mailsuite.message.asked_fields import priority_of, tls_is_optional
from mailsuite.queued import LOCAL
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply

# From the priority that is asked for to the one that is granted.
Grant: TypeAlias = Callable[[int], int]

# What stands behind the name of a destination; no domain has a space in it.
_WITH_MORE = " with REQUIRETLS"
_WITH_ANY = " with any TLS"

# The parameters of MAIL that ask something of a message's way.
ASKING = frozenset({"BY", "MT-PRIORITY", "HOLDFOR", "HOLDUNTIL", "REQUIRETLS"})


def asked_by(parameters: Mapping[str, Any], grant: Grant, now: Callable[[], float]) -> Asked | Reply:
    """Return what *parameters* ask for, or the reply that refuses them together. *now* gives POSIX time."""
    if ASKING.isdisjoint(parameters):
        return NOTHING_ASKED
    if "HOLDFOR" in parameters and "HOLDUNTIL" in parameters:
        return replies.TWO_HOLDS  # RFC 4865 §4.2 (9)
    asked = Asked(
        require_tls="REQUIRETLS" in parameters,
        priority=grant(parameters.get("MT-PRIORITY", 0)),
    )
    if "BY" in parameters:
        seconds, mode, traced = parameters["BY"]
        # RFC 2852 §4: on the way it is told as a span, so that clocks need not agree.
        asked = replace(asked, by=now() + seconds, by_mode=mode, traced=traced)
    hold = parameters.get("HOLDFOR") or parameters.get("HOLDUNTIL")
    if hold is not None:
        release, words = hold
        if asked.by_mode and release > asked.by:
            return replies.HELD_TOO_LONG  # RFC 4865 §5.2.2
        asked = replace(asked, release=release, hold=words)
    return asked


def fate(destination: str, asked: Asked) -> str:
    """Return the destination in the queue of mail for *destination* of which that is *asked*.

    What holds up mail that has as much TLS as the destination asks for says nothing of mail that must have more, or
    need have none: neither waits for the other.
    """
    if asked.require_tls:
        return destination + _WITH_MORE
    return destination + _WITH_ANY if asked.tls_optional else destination


def fates(destination: str) -> tuple[str, ...]:
    """Return all destinations in the queue under which mail for *destination* may wait, itself first."""
    if destination == LOCAL:
        return (LOCAL,)
    return destination, destination + _WITH_MORE, destination + _WITH_ANY


def plain(destination: str) -> str:
    """Return whose mail it is that waits under *destination*, whatever is asked of it."""
    return destination.removesuffix(_WITH_MORE).removesuffix(_WITH_ANY)


def asked_of(acceptance: Acceptance, grant: Grant) -> Asked:
    """Return what is asked of an accepted message, by MAIL or by its header."""
    envelope = acceptance.envelope
    asked = envelope.asked
    # RFC 8689 §4.1: what MAIL says goes before the field.
    if not asked.require_tls and tls_is_optional(acceptance.header):
        asked = replace(asked, tls_optional=True)
    if "MT-PRIORITY" not in envelope.parameters:
        # RFC 6758 §3.1 (4a)
        wanted = priority_of(acceptance.header)
        if wanted:
            asked = replace(asked, priority=grant(wanted))
    return asked
