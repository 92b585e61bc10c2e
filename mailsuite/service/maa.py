"""The MAA: gives users their mail over POP3. Answers the questions of one session (RFC 1939).

Nothing is removed but what QUIT asks for; a session that ends in any other way leaves the mailbox as it was.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.encryption import Encryption
from mailsuite.envelope import Peer
from mailsuite.interfaces import (
    IContent,
    IListing,
    IMaildrop,
    IMailLog,
    IMailStore,
    IRespondent,
    MaildropInUse,
    NoSuchFolder,
)
from mailsuite.maybe import Maybe, step, then
from mailsuite.meaning import CannotJudge, Login, Secret
from mailsuite.message.surrogate import Surrogate
from mailsuite.pop3 import events, responses
from mailsuite.pop3.responses import Response
from mailsuite.pop3.settings import Policy
from mailsuite.sasl.claims import LoginClaim, SecretWanted
from mailsuite.service.login import GIVEN_UP, Logins, Refused
from mailsuite.service.login_delays import LoginDelays, no_delays

_log = Logger()
# A message goes out in pieces of this size; the transport asks for the next one when it has room.
CHUNK = 65_536
# Of TOP: more lines than these may be all of a message.
LOOK_LINES = 100

# What is not just wrong; in the course of an exchange too.
_REFUSALS = {
    Refused.TOO_MANY: responses.TOO_MANY_GUESSES,
    Refused.BARRED: responses.BARRED_LOGIN,
    Refused.MUST_CHANGE: responses.MUST_CHANGE,
}


def _the_same_for_all(login: Login) -> Policy:
    return Policy()


@dataclass(frozen=True, slots=True)
class MailboxSite:
    """What all POP3 sessions of a site share. *seconds* is a monotonic clock.

    *mark_seen*: a message that RETR has read is marked for other programs. *policy_of* says what holds for a login,
    *delays* knows who logged in a moment ago.
    """

    hostname: str
    store: IMailStore
    logins: Logins
    log: IMailLog
    seconds: Callable[[], float]
    mark_seen: bool = False
    policy_of: Callable[[Login], Policy] = _the_same_for_all
    delays: LoginDelays = field(default_factory=no_delays)


@implementer(IRespondent)
class MailboxAccess:
    """One POP3 session's respondent. *session_id* is its own, and stands in the greeting and the log."""

    __slots__ = (
        "_began",
        "_content",
        "_deleted",
        "_ending",
        "_fetched",
        "_gone",
        "_left",
        "_login",
        "_maildrop",
        "_octets",
        "_proved",
        "_reading",
        "_retrieved",
        "_surrogate",
        "_tls",
        "_updating",
        "_whole",
        "id",
        "peer",
        "site",
    )

    def __init__(self, site: MailboxSite, peer: Peer, session_id: str) -> None:
        self.site = site
        self.peer = peer
        self.id = session_id
        self._began = site.seconds()
        self._tls = ""
        self._login: Login | None = None
        self._maildrop: IMaildrop | None = None
        self._content: IContent | None = None
        # Of the message that is being read: octets to come, whether RETR wants it, not TOP, and its number.
        self._left = 0
        self._whole = False
        self._reading = 0
        # What makes another message of it, where one is needed.
        self._surrogate: Surrogate | None = None
        # The numbers of the messages that were fetched whole, where that matters.
        self._fetched: set[int] | None = None
        self._retrieved = self._octets = self._deleted = 0
        self._ending: str | None = None
        self._gone = False
        # Who has proved to be whom, by which mechanism, in an exchange that is not over yet.
        self._proved: tuple[str, str] | None = None
        self._updating = False

    # From the driver

    def respond(self, event: Any) -> Any:
        """See `IRespondent.respond`."""
        answer = _ANSWERS.get(type(event))
        return None if answer is None else answer(self, event)

    def lost(self, reason: str, cause: str = "") -> None:
        """See `IRespondent.lost`. A removal that QUIT has begun goes on to its end, and holds the lock until then."""
        self._gone = True
        self._give_up()
        self._ending = self._ending or reason
        self._drop_content()
        if not self._updating:
            self._close_maildrop()
            self._record()

    def tls_started(self, encryption: Encryption) -> None:
        """See `IRespondent.tls_started`."""
        self._tls = str(encryption)

    # Logging in

    def _connected(self, event: events.Connected) -> Response:
        return responses.greeting(self.site.hostname, self.id)

    def _authenticate(self, event: events.Authenticate) -> Maybe[events.Opened | Response]:
        # Most have their answer at once: what they ask for is in memory.
        return step(self._log_in(event))

    async def _log_in(self, event: events.Authenticate) -> events.Opened | Response:
        if isinstance(event.claim, LoginClaim):
            self._proved = None
        self._give_up()
        try:
            checked = await self.site.logins.check(event.claim, self.peer, "pop3")
        except CannotJudge as error:
            return _put_off(error)
        if isinstance(checked, Refused):
            self._record_refusal(event.claim.name, event.mechanism, checked.value)
            return _REFUSALS.get(checked, responses.WRONG_PASSWORD)
        if checked.mailbox is None:
            return responses.NO_MAILBOX
        policy = self.site.policy_of(checked)
        if not self.site.delays.admit(checked, policy.login_delay):
            return responses.TOO_SOON
        try:
            opened: Maybe[IMaildrop] = self.site.store.open(checked.mailbox, checked.name)
            maildrop = await opened if isinstance(opened, Awaitable) else opened
        except MaildropInUse:
            return responses.IN_USE
        except NoSuchFolder:
            return responses.NO_FOLDER
        self._login = checked
        self._maildrop = maildrop
        if self._gone:
            # The client went away while its mailbox was being opened.
            self._close_maildrop()
            return responses.TROUBLE
        self.site.delays.logged_in(checked, policy.login_delay)
        # RFC 2449 §6.7: where nothing may be left here, what was fetched is as good as deleted.
        self._fetched = set() if policy.expire == 0 else None
        return _opened(maildrop.listing(), policy)

    async def _consult(self, event: events.Consult) -> Login | Secret | Response | None:
        """Answer what an exchange asks; ``None`` is a refusal, behind which some mechanisms have more to say."""
        self._give_up()
        question = event.question
        if isinstance(question, SecretWanted):
            return await self.site.logins.secret(question, "pop3")
        try:
            judged = await self.site.logins.judge(question, self.peer, "pop3")
        except CannotJudge as error:
            return _put_off(error)
        if not isinstance(judged, Refused):
            self._proved = (judged.name, event.mechanism)
            return judged
        self._record_refusal(question.name, event.mechanism, judged.value)
        return _REFUSALS.get(judged)

    # Reading

    def _retrieve(self, event: events.Retrieve) -> Maybe[bytes | Response]:
        maildrop = self._maildrop
        if maildrop is None:
            return responses.TROUBLE
        self._left = maildrop.listing().sizes[event.index]
        self._whole = event.lines is None
        self._reading = event.index
        self._surrogate = None
        begin = self._begin if event.utf8 else self._begin_in_ascii
        # TOP for a look at a message does not come near its end.
        whole = event.lines is None or event.lines > LOOK_LINES
        try:
            piece: Maybe[bytes] = then(maildrop.read(event.index, whole), begin)
        except OSError as error:
            return self._unavailable(event, error)
        return self._retrieve_later(event, piece) if isinstance(piece, Awaitable) else piece

    async def _retrieve_later(self, event: events.Retrieve, piece: Awaitable[bytes]) -> bytes | Response:
        try:
            return await piece
        except OSError as error:
            return self._unavailable(event, error)

    def _begin(self, content: IContent) -> Maybe[bytes]:
        self._content = content
        if self._gone:
            self._drop_content()
        return self._read_on()

    def _begin_in_ascii(self, content: IContent) -> Maybe[bytes]:
        self._content = content
        if self._gone:
            self._drop_content()
            return b""
        return then(content.read(CHUNK), self._given_first)

    def _given_first(self, piece: bytes) -> Maybe[bytes]:
        """Most messages are one piece of ASCII, and need no other look."""
        if not piece.isascii() or len(piece) < self._left:
            self._surrogate = Surrogate()
        return self._given(piece)

    def _read_body(self, event: events.ReadBody) -> Maybe[bytes]:
        return self._read_on()

    def _read_on(self) -> Maybe[bytes]:
        return b"" if self._content is None else then(self._content.read(CHUNK), self._given)

    def _given(self, piece: bytes) -> Maybe[bytes]:
        """Count *piece*; a file whose end is reached does not stay open until the next command."""
        self._left -= len(piece)
        over = not piece or self._left <= 0
        if self._surrogate is not None:
            piece = self._surrogate.take(piece) + (self._surrogate.end() if over else b"")
            if not (piece or over):
                return self._read_on()
        self._octets += len(piece)
        if over:
            self._drop_content()
            if self._whole and not self._left:
                self._count(self._reading)
        return piece

    def _count(self, index: int) -> None:
        """Message *index* was fetched whole."""
        self._retrieved += 1
        if self._fetched is not None:
            self._fetched.add(index)
        if self.site.mark_seen and self._maildrop is not None:
            self._maildrop.mark_seen(index)

    def _unavailable(self, event: events.Retrieve, error: OSError) -> Response:
        """The file is gone, unreadable or not what its name says: the session goes on (RFC 3206 §4)."""
        self._drop_content()
        _log.warn(
            "Session {id}: message {number} cannot be read: {error}", id=self.id, number=event.index + 1, error=error
        )
        return responses.UNAVAILABLE

    def _body_dropped(self, event: events.BodyDropped) -> None:
        self._drop_content()

    def _foreseen(self, event: events.Foreseen) -> bytes | None:
        octets = None if self._maildrop is None else self._maildrop.at_hand(event.index)
        # What is not ASCII may need another look, which it gets when it is asked for.
        return octets if octets is None or event.utf8 or octets.isascii() else None

    def _sent(self, event: events.Retrieved) -> None:
        if self._maildrop is not None:
            self._octets += self._maildrop.listing().sizes[event.index]
        self._count(event.index)

    # The end

    def _update(self, event: events.Update) -> Maybe[Response]:
        maildrop = self._maildrop
        indexes = sorted({*event.indexes, *self._fetched}) if self._fetched else event.indexes
        if maildrop is not None and indexes:
            self._updating = True
            return self._remove(maildrop, indexes)
        self._close_maildrop()
        return responses.GOODBYE

    async def _remove(self, maildrop: IMaildrop, indexes: Sequence[int]) -> Response:
        # RFC 1939 §6: removed or not, the lock is released; +OK follows the durable removal.
        try:
            removal: Maybe[Sequence[int]] = maildrop.remove(indexes)
            kept = await removal if isinstance(removal, Awaitable) else removal
            self._deleted = len(indexes) - len(kept)
        finally:
            self._updating = False
            self._close_maildrop()
            if self._gone:
                self._record()
        return responses.NOT_REMOVED if kept else responses.GOODBYE

    def _ended(self, event: events.Ended) -> None:
        self._ending = event.ending.value

    def _drop_content(self) -> None:
        content, self._content = self._content, None
        if content is not None:
            content.close()

    def _close_maildrop(self) -> None:
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            maildrop.close()

    def _record(self) -> None:
        self.site.log.record(
            "pop3",
            {
                "id": self.id,
                "peer": self.peer.host,
                "via": self.peer.via or None,
                "tls": self._tls or None,
                "login": self._login.name if self._login is not None else None,
                "retrieved": self._retrieved,
                "octets": self._octets,
                "deleted": self._deleted,
                "seconds": round(self.site.seconds() - self._began, 3),
                "ended": self._ending,
            },
        )

    def _give_up(self) -> None:
        """Write down an exchange that the client has ended behind a right proof, as SMTP does."""
        if self._proved is not None:
            self._record_refusal(*self._proved, GIVEN_UP)
            self._proved = None

    def _record_refusal(self, name: str, mechanism: str, refused: str) -> None:
        """Write the same line that SMTP writes, so that one rule finds all guessers."""
        self.site.log.record(
            "login",
            {
                "service": "pop3",
                "id": self.id,
                "peer": self.peer.host,
                "via": self.peer.via or None,
                "tls": self._tls or None,
                "login": name,
                "mechanism": mechanism,
                "refused": refused,
            },
        )


def _put_off(error: CannotJudge) -> Response:
    _log.warn("Logins cannot be checked now: {reason}", reason=str(error))
    return responses.TROUBLE


def _opened(listing: IListing, policy: Policy) -> events.Opened:
    return events.Opened(
        listing.sizes, listing.unique_ids, listing.octets, listing.size_rows, listing.id_rows, policy
    )


_ANSWERS: Mapping[type, Callable[[MailboxAccess, Any], Any]] = {
    events.Connected: MailboxAccess._connected,
    events.Authenticate: MailboxAccess._authenticate,
    events.Consult: MailboxAccess._consult,
    events.Retrieve: MailboxAccess._retrieve,
    events.ReadBody: MailboxAccess._read_body,
    events.BodyDropped: MailboxAccess._body_dropped,
    events.Foreseen: MailboxAccess._foreseen,
    events.Retrieved: MailboxAccess._sent,
    events.Update: MailboxAccess._update,
    events.Ended: MailboxAccess._ended,
}
