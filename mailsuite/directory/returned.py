"""Mail that comes back for a sender whose mail we have forwarded: rule 1 of `mailsuite.directory.resolve`.

From anybody, not from the null reverse-path alone: reports have that (RFC 3461 §6), but answers to a Return-Path need
not, and older servers return mail as somebody. It opens nothing: who knows such an address reads the sender's in it,
and it leads to nobody else.
"""

from collections.abc import Callable

from mailsuite.address import Address
from mailsuite.meaning import Refused
from mailsuite.srs import DAY, NoWayBack, Rewriting


class Returned:
    """Looks return addresses up by *rewriting*; *now* gives POSIX time. Nothing of it may be cached by `Address.key`:
    that of the sender, whose local part is not ours to change, would come out of it."""

    def __init__(self, rewriting: Rewriting, now: Callable[[], float]) -> None:
        self._rewriting = rewriting
        self._now = now

    def covers(self, address: Address) -> bool:
        """Say whether *address* is a return address of ours, by its form: mail is sent from none but by us."""
        return self._rewriting.covers(address)

    def find(self, address: Address) -> Address | Refused | None:
        """Return the sender to whom *address* leads back, or why it leads to nobody; ``None``: it is no such one."""
        if not self._rewriting.covers(address):
            return None
        try:
            return self._rewriting.restore(address, int(self._now() // DAY))
        except NoWayBack as error:
            # RFC 3463 §3.2: to those who send there is no such mailbox, or none any more.
            return Refused(550, "5.1.1", f"No return address: {error}")
