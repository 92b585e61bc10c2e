"""EXPIRE (RFC 2449 §6.7): for how many days at least a message may be left here.

Before the login the smallest number that holds for anybody is said, after it the user's own.
"""

from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3.command import Capability

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


class Expire(Capability):
    """Always offered; it brings no command."""

    keyword: ClassVar[str] = "EXPIRE"

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        policies = session.settings.policies if session.policy is None else (session.policy,)
        terms = {policy.expire for policy in policies}
        least = min((days for days in terms if days is not None), default="NEVER")
        return f"{self.keyword} {least}{' USER' if len(terms) > 1 else ''}"


PART = Expire()
