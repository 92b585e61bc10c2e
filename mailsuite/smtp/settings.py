"""What an SMTP server session must know: names, limits, and what its listener offers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from mailsuite.sasl.terms import Terms


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of RFC 5321 §4.5.3; sizes in octets, times in seconds."""

    message_size: int = 52_428_800
    recipients: int = 1000  # §4.5.3.1.8: at least 100
    command_line: int = 512  # §4.5.3.1.4, with CRLF; extensions add their own
    text_line: int = 8192  # §4.5.3.1.6: at least 1000, with CRLF
    path: int = 256  # §4.5.3.1.3
    local_part: int = 64  # §4.5.3.1.1
    domain: int = 255  # §4.5.3.1.2
    errors: int = 50
    unknown_recipients: int = 25
    session_messages: int = 1000

    idle_timeout: float = 300.0  # §4.5.3.2.7
    data_timeout: float = 3600.0
    # Octets of a message for each second past `idle_timeout`; 0: any number.
    data_rate: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """One listener's settings, shared by all of its sessions."""

    hostname: str
    limits: Limits = field(default_factory=Limits)
    # LMTP (RFC 2033) is spoken: LHLO, and a reply for each recipient at the end of a message.
    lmtp: bool = False
    # XCLIENT is taken from the peers that may speak for others.
    xclient: bool = False
    # STARTTLS is offered; False also where TLS began with the connection.
    starttls: bool = False
    # AUTH: never, only inside TLS where the password crosses the wire, or always; and by which mechanisms.
    auth: Literal["off", "tls", "always"] = "off"
    sasl: Terms = field(default_factory=lambda: Terms("smtp", "localhost"))
    # MAIL is refused with 530 until the peer has authenticated (RFC 6409 §4.3).
    auth_required: bool = False
    # A bare CR or LF in a message: refused, or made a CRLF.
    bare_newlines: Literal["reject", "normalize"] = "reject"
    # Keywords of the extensions that are switched off here.
    without: frozenset[str] = frozenset()
    # A peer that speaks before the greeting: served all the same, served and noted, or sent away (RFC 5321 §3.1).
    early_talkers: Literal["ignore", "delay", "drop"] = "ignore"
    software: str = "mailsuite"
    # DELIVERBY: a message that is to be returned after fewer seconds is refused (RFC 2852 §4).
    deliver_by_minimum: int = 0
    # MT-PRIORITY: the name of the site's Priority Assignment Policy, if it tells (RFC 6710 §9.2).
    priority_policy: str = ""
    # FUTURERELEASE: the longest that a message may wait, in seconds; 0: it is not offered.
    future_release: int = 0
    # Gives POSIX time.
    now: Callable[[], float] = field(default=lambda: 0.0, compare=False)

    @property
    def smtputf8(self) -> bool:
        """Whether SMTPUTF8 is offered: where 8BITMIME is, too (RFC 6531 §3.1, item 8)."""
        return self.without.isdisjoint(("SMTPUTF8", "8BITMIME"))
