"""What a POP3 server session must know: limits, and what its listener offers."""

from dataclasses import dataclass, field

from mailsuite.sasl.terms import Terms


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a client may ask; times in seconds."""

    command_line: int = 255  # RFC 2449 §4, with CRLF
    errors: int = 50
    idle_timeout: float = 600.0  # RFC 1939 §3: at least ten minutes


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a user: *login_delay* seconds from one login to the next (RFC 2449 §6.5), and for how many days
    at least a message stays (RFC 2449 §6.7); *expire* ``None`` means for ever."""

    login_delay: int = 0
    expire: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """One listener's settings, shared by all of its sessions."""

    hostname: str
    limits: Limits = field(default_factory=Limits)
    # STLS is offered; False also where TLS began with the connection.
    stls: bool = False
    # A password is taken outside TLS too (RFC 2595 §7 says why it should not be).
    plaintext_auth: bool = False
    sasl: Terms = field(default_factory=lambda: Terms("pop", "localhost"))
    software: str = "mailsuite"
    # All that there are: which of them is a user's, the respondent says.
    policies: tuple[Policy, ...] = (Policy(),)
    # What ``LANG *`` is answered in (RFC 6856 §3.2).
    language: str = "en"
