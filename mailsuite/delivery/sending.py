"""What holds for every delivery to other hosts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sending:
    """*hostname* is our name in EHLO. *sources* are addresses to connect from, at most one of each family.

    *hosts* is how many addresses one try connects to at most, *recipients* how many one transaction has. Times are
    in seconds (RFC 5321 §4.5.3.2).
    """

    hostname: str
    hosts: int = 10
    recipients: int = 100
    sources: tuple[str, ...] = ()
    connect_timeout: float = 30.0
    greeting_timeout: float = 300.0
    command_timeout: float = 300.0
    data_timeout: float = 180.0
    end_timeout: float = 600.0
    transaction_timeout: float = 7200.0
