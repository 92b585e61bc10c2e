"""A message after DATA (RFC 5321 §4.1.1.4). One that comes in chunks is read by ``extensions/chunking.py``."""

from typing import TYPE_CHECKING

from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply
from mailsuite.wire.dots import DotReader
from mailsuite.wire.lines import Inbox

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession


class Body:
    """The content of one transaction, on its way up to the end mark."""

    __slots__ = ("_dots", "_refusal", "_session")

    def __init__(self, session: "ServerSession") -> None:
        settings = session.settings
        self._session = session
        self._dots = DotReader(settings.limits.text_line, settings.bare_newlines == "normalize")
        # Why the message is refused, whatever follows; its end is waited for all the same.
        self._refusal: Reply | None = None

    def read(self, inbox: Inbox) -> bool:
        """Take what has come of the message; ``False`` where more has to come."""
        data = inbox.take()
        if not data:
            return False
        chunk, rest = self._dots.read(data)
        session = self._session
        session.size += len(chunk)
        if self._refusal is None:
            self._refusal = self._fault()
            if self._refusal is not None:
                session.tell(events.MessageRefused(self._refusal))
            elif chunk:
                session.tell(events.BodyChunk(chunk))
        if rest is not None:
            inbox.put_back(rest)
            self._end()
        return True

    def _fault(self) -> Reply | None:
        settings, dots = self._session.settings, self._dots
        if self._session.size > settings.limits.message_size:
            return replies.TOO_LARGE  # RFC 1870 §6.3
        if dots.bare and not dots.normalize:
            return replies.BARE_NEWLINE_IN_BODY  # RFC 5321 §2.3.8
        return replies.LONG_LINE_IN_BODY if dots.long_line else None

    def _end(self) -> None:
        session = self._session
        if not self._dots.doubtful:
            session.end_message(self._refusal)
            return
        # CR CR LF . CR LF: the peer may have meant all that follows for text, not for commands.
        if self._refusal is None:
            session.tell(events.MessageRefused(replies.BARE_NEWLINE_IN_BODY))
        session.end_message(replies.BARE_NEWLINE_IN_BODY)
        session.hang_up()
