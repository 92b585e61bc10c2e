"""FUTURERELEASE (RFC 4865): a message that is to go later. For submission alone."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.internet_time import internet_time, posix_time
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# future-release-integer = %x31-39 *8DIGIT (RFC 4865 §3)
_SECONDS = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class Hold(NamedTuple):
    """Until when a message waits, in POSIX seconds, and how that was said, as a report tells it (§5.1.2)."""

    release: float
    words: str


def hold_for(session: "ServerSession", value: str | None) -> Hold | Reply:
    """HOLDFOR: so many seconds from now on."""
    if value is None or _SECONDS.fullmatch(value) is None or int(value) > session.settings.future_release:
        return replies.BAD_HOLD
    return Hold(session.settings.now() + int(value), f"for;{value}")


def hold_until(session: "ServerSession", value: str | None) -> Hold | Reply:
    """HOLDUNTIL: until a time in the future, which is said in UTC."""
    release = posix_time(value or "")
    if release is None or not 0 < release - session.settings.now() <= session.settings.future_release:
        return replies.BAD_HOLD
    return Hold(release, f"until;{(value or '').upper()}")


class FutureRelease(Extension):
    """HOLDFOR and HOLDUNTIL at MAIL."""

    keyword: ClassVar[str] = "FUTURERELEASE"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"HOLDFOR": hold_for, "HOLDUNTIL": hold_until}
    mail_octets: ClassVar[int] = 34  # RFC 4865 §3, item 5

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`: on no other port than that of submission (RFC 4865 §4.2, item 2)."""
        return session.settings.future_release > 0 and super().offered(session)

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`: with the longest time, and the last date and time (§3, item 3)."""
        settings = session.settings
        return f"{self.keyword} {settings.future_release} {internet_time(settings.now() + settings.future_release)}"


PART = FutureRelease()
