"""What holds of quotas for all mailboxes, and when an owner is warned: once each time it comes to a threshold."""

import os
from contextlib import suppress
from dataclasses import dataclass

from mailsuite.mailbox.maildirsize import Usage
from mailsuite.meaning import Quota

# The file that says that the owner was warned at so many percent; it is removed when less lies in the mailbox.
WARNED = "mailsuite-quota-{}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The *default* quota, how much room is kept for a message of *unknown* size, and at which percentages owners are
    *warned*."""

    default: Quota
    unknown: int
    warned: tuple[int, ...] = ()

    def level(self, usage: Usage, quota: Quota) -> int:
        """Return the highest percentage for a warning that *usage* has come to; 0: none."""
        pairs = ((usage.octets, quota.octets or 0), (usage.messages, quota.messages or 0))
        reached = (at for at in self.warned if any(most and used * 100 >= at * most for used, most in pairs))
        return max(reached, default=0)

    def mark(self, path: str, level: int) -> bool:
        """Keep in the mailbox *path* that it has come to *level*; say whether that is news. Of several processes one
        gets to hear it."""
        news = False
        for at in self.warned:
            name = f"{path}/{WARNED.format(at)}"
            with suppress(OSError):
                if at > level:
                    os.unlink(name)
                else:
                    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
                    news = news or at == level
        return news
