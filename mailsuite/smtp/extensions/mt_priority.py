"""MT-PRIORITY (RFC 6710): which messages go first. Who may ask for what is judged by the respondent."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# priority-value = (["-"] NZDIGIT) / "0" (RFC 6710 §7)
_PRIORITY = re.compile(r"-?[1-9]|0", re.ASCII)


def priority(session: "ServerSession", value: str | None) -> int | Reply:
    """Return the priority, -9 to 9 (RFC 6710 §4.1, item 1)."""
    return int(value) if value is not None and _PRIORITY.fullmatch(value) else replies.BAD_PRIORITY


class MtPriority(Extension):
    """MT-PRIORITY=n at MAIL; all nineteen priorities differ, so that every policy of §9.2 can be named."""

    keyword: ClassVar[str] = "MT-PRIORITY"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"MT-PRIORITY": priority}
    mail_octets: ClassVar[int] = 15  # RFC 6710 §3, item 6

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`: with the name of the site's policy, if it has one (§3, item 3)."""
        policy = session.settings.priority_policy
        return f"{self.keyword} {policy}" if policy else self.keyword


PART = MtPriority()
