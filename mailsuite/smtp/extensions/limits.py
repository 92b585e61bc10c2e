"""LIMITS (RFC 9422): what a client may ask of one session, said before it asks. Only limits that we hold to."""

from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp.extension import Extension

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# A limit's value has at most six digits (RFC 9422 §4); what is higher is as good as none.
_MOST = 999_999


class Limits(Extension):
    """MAILMAX, the transactions of a session; RCPTMAX, the recipients of a transaction."""

    keyword: ClassVar[str] = "LIMITS"

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`."""
        limits = session.settings.limits
        # By LMTP any number of messages may come.
        held = [] if session.settings.lmtp else [("MAILMAX", limits.session_messages)]
        held.append(("RCPTMAX", limits.recipients))
        said = [f"{name}={limit}" for name, limit in held if limit <= _MOST]
        return " ".join((self.keyword, *said)) if said else None


PART = Limits()
