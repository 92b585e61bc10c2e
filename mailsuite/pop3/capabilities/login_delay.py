"""LOGIN-DELAY (RFC 2449 §6.5): how many seconds there must be between two logins.

Before the login the largest number that holds for anybody is said, after it the user's own.
"""

from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3.command import Capability

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


class LoginDelay(Capability):
    """Offered where some have to wait; it brings no command."""

    keyword: ClassVar[str] = "LOGIN-DELAY"

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`. RFC 2449 §5: what is announced before the login is announced after it."""
        delays = {policy.login_delay for policy in session.settings.policies}
        if not any(delays):
            return None
        if session.policy is not None:
            return f"{self.keyword} {session.policy.login_delay}"
        return f"{self.keyword} {max(delays)}{' USER' if len(delays) > 1 else ''}"


PART = LoginDelay()
