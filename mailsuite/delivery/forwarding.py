"""From whom forwarded mail goes on: an address of ours in the place of a stranger's (`mailsuite.srs`)."""

from collections.abc import Callable

from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.maybe import Maybe
from mailsuite.queued import QueuedMessage
from mailsuite.srs import DAY, Rewriting


class Forwarding:
    """Rewrites by *rewriting*. *is_local* says whether a domain is ours, *now* gives POSIX time.

    With ``None`` for *rewriting* all goes on as it came.
    """

    _log = Logger()

    def __init__(
        self, rewriting: Rewriting | None, is_local: Callable[[str], Maybe[bool]], now: Callable[[], float]
    ) -> None:
        self._rewriting = rewriting
        self._is_local = is_local
        self._now = now

    async def sender(self, message: QueuedMessage) -> Address | None:
        """Return from whom *message* goes on to those whom an alias has led it to.

        The null reverse-path stays, since nothing returns to it, and one of our own: we may send for that.
        """
        sender = message.reverse_path
        if self._rewriting is None or sender is None or self._rewriting.covers(sender):
            return sender
        local = self._is_local(sender.domain)
        if local if isinstance(local, bool) else await local:
            return sender
        rewritten = self._rewriting.rewrite(sender, int(self._now() // DAY))
        if rewritten is None:
            # What can be returned to its sender counts for more than hosts that refuse it for that, and say so.
            self._log.info("{id} goes on from <{sender}>, which is too long for an address of ours to hold it",
                           id=message.id, sender=str(sender))
            return sender
        return rewritten
