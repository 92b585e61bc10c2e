"""What a sender asks of a message's way, beside its delivery: values that travel with it through the queue."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for. Times are POSIX seconds, 0 where there is none.

    *require_tls*: no way without TLS and REQUIRETLS (RFC 8689 §4.1); *tls_optional*: what recipients' domains ask of
    TLS is to be ignored (the field TLS-Required, §3). *priority* is -9 to 9, the higher the sooner (RFC 6710 §5).
    *by* is the deliver-by-time; *by_mode* ``R`` or ``N`` says whether the message is returned then or its sender told,
    empty: none was given; *traced*: of each relaying he is told (RFC 2852 §4). Before *release* nothing is delivered;
    *hold* is how that was asked for, as a report tells it: ``for;600`` (RFC 4865 §5.1.2), and *holder* the login that
    has asked for it, whose quota it is on.
    """

    require_tls: bool = False
    tls_optional: bool = False
    priority: int = 0
    by: float = 0.0
    by_mode: Literal["", "N", "R"] = ""
    traced: bool = False
    release: float = 0.0
    hold: str = ""
    holder: str = ""


NOTHING_ASKED = Asked()
