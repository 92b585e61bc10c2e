"""Answers the questions of one SMTP session, whatever its role: the envelope, the body, the promise at the end.

What differs between MTA, MSA and MDA is a `Role`, composed in here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.case import Case
from mailsuite.encryption import Encryption
from mailsuite.envelope import Acceptance, Envelope, Peer, recipient_of
from mailsuite.interfaces import IDraft, IRespondent
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login, Meaning
from mailsuite.message.trace import Hop, hops, protocol_keyword, received, return_path, without_return_path
from mailsuite.outcome import Deferred, Delivered, Outcome
from mailsuite.service.asking import asked_by
from mailsuite.service.holding import on_quota, over_cap
from mailsuite.service.proxied import speak_for
from mailsuite.service.refusals import reasons, refusal_of, trouble_of
from mailsuite.service.role import Role
from mailsuite.service.room import with_room
from mailsuite.service.site import Site
from mailsuite.service.smtp_login import give_up, log_in
from mailsuite.service.smtp_records import record_limit, record_transaction
from mailsuite.service.transaction import Transaction
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply, tagged
from mailsuite.smtp.server import Answer
from mailsuite.smtp.verdict import Verdict
from mailsuite.wire.text import has_bare_newline


@implementer(IRespondent)
class Reception:
    """One SMTP session's respondent. *session_id* is its own, and stands in its log lines and replies."""

    __slots__ = ("_count", "_transaction", "extended", "helo", "id", "login", "peer", "proved", "role", "site", "tls")

    def __init__(self, site: Site, role: Role, peer: Peer, session_id: str) -> None:
        self.site = site
        self.role = role
        self.peer = peer
        self.id = session_id
        self.helo = ""
        self.extended = False
        self.tls = ""
        self.login: Login | None = None
        # Who has proved to be whom, by which mechanism, in an exchange that is not over yet.
        self.proved: tuple[str, str] | None = None
        self._transaction: Transaction | None = None
        self._count = 0

    # From the driver

    def respond(self, event: Any) -> Any:
        """See `IRespondent.respond`."""
        answer = _ANSWERS.get(type(event))
        return None if answer is None else answer(self, event)

    def lost(self, reason: str, cause: str = "") -> None:
        """See `IRespondent.lost`: a transaction that was under way is dropped, nothing was promised."""
        if reason == "handshake":
            record_limit(self, "handshake_timeout")
        give_up(self)
        self._drop(f"connection {reason}")

    def tls_started(self, encryption: Encryption) -> None:
        """See `IRespondent.tls_started`: all that was learned in the clear is forgotten (RFC 3207 §4.2)."""
        self._drop("TLS began")
        self.tls = str(encryption)
        self.helo = ""
        self.extended = False
        self.login = None

    # From the role

    def begin_anew(self, client: events.Proxied, login: Login | None) -> Reply:
        """The peer speaks for *client* from now on, who has logged in as *login*; return the greeting.

        What it does not say of address and port stays, what it does not say of the rest is forgotten.
        """
        self._drop("reset")
        if client.address is not None:
            self.peer = Peer(client.address or "unknown", client.port or 0, self.peer.via or self.peer.host)
        elif client.port is not None:
            self.peer = replace(self.peer, port=client.port)
        self.helo = client.helo or ""
        self.extended = bool(client.helo) and client.protocol != "SMTP"
        self.login = login
        return self._greeting()

    # The session

    def _connected(self, event: events.Connected) -> Reply:
        return self._greeting()

    def _proxied(self, event: events.Proxied) -> Maybe[Reply]:
        return speak_for(self, event)

    def _greeting(self) -> Reply:
        return Reply(220, "", f"{self.site.hostname} {self.role.protocol} mailsuite {self.id}")

    def _hello(self, event: events.Hello) -> Reply:
        # The old transaction goes into the log under the old name.
        self._drop("reset")
        self.helo = event.name
        self.extended = event.extended
        return replies.OK

    def _verify(self, event: events.Verify) -> Reply:
        return replies.CANNOT_VERIFY

    def _expand(self, event: events.Expand) -> Maybe[Reply]:
        return self.role.expand(self, event)

    def _etrn(self, event: events.Etrn) -> Maybe[Reply]:
        return self.role.flush(self, event)

    def _authenticate(self, event: events.Authenticate | events.Consult) -> Maybe[Any]:
        return log_in(self, event)

    def _refused(self, event: events.ProtocolError) -> None:
        give_up(self)
        if self._transaction is not None:
            self._transaction.note(event.reply)

    def _limit_reached(self, event: events.LimitReached) -> None:
        record_limit(self, event.limit)

    # The envelope

    def _mail(self, event: events.MailFrom) -> Maybe[Reply]:
        if not self.site.store.has_room(event.parameters.get("SIZE", 0)):
            return self._open(event, replies.NO_ROOM)
        if self.role.rates is not None:
            limit = self.role.rates.message(self.peer, self.login)
            if limit:
                record_limit(self, limit)
                return self._open(event, replies.TOO_MUCH_MAIL)
        asked = asked_by(event.parameters, self.grant, self.site.now) if event.parameters else NOTHING_ASKED
        if isinstance(asked, Reply):
            return self._open(event, asked)
        judged = self.role.sender(self, event.reverse_path)
        login = self.login
        if asked.release and login is not None:
            wanted = replace(asked, holder=login.name)
            held = then(judged, lambda reply: on_quota(self, login, reply))
            return then(held, lambda reply: self._open(event, reply, wanted))
        return then(judged, lambda reply: self._open(event, reply, asked))

    def grant(self, wanted: int) -> int:
        """Return the priority that mail of this session gets where it asks for *wanted*."""
        return self.site.priorities(self.peer, self.login is not None, wanted)

    def _open(self, event: events.MailFrom, reply: Reply, asked: Asked = NOTHING_ASKED) -> Reply:
        self._count += 1
        envelope = Envelope(event.reverse_path, event.parameters, asked=asked)
        transaction = Transaction(f"{self.id}-{self._count}", envelope, self.site.seconds())
        if reply.code < 400:
            self._transaction = transaction
            if event.parameters.get("MT-PRIORITY", asked.priority) != asked.priority:
                return replies.priority_changed(asked.priority)
        else:
            record_transaction(self, transaction, reply)
        return reply

    def _rcpt(self, event: events.RcptTo) -> Maybe[Reply]:
        transaction = self._transaction
        if self.role.rates is not None and transaction is not None:
            limit = self.role.rates.recipient(self.peer, self.login)
            if limit:
                if not transaction.limited:
                    transaction.limited = True
                    record_limit(self, limit)
                transaction.note(replies.TOO_MANY_ADDRESSED, event.forward_path)
                return replies.TOO_MANY_ADDRESSED
        meaning: Maybe[Meaning] = self.site.directory.find(event.forward_path)
        return then(meaning, lambda known: self._judge(event, known))

    def _judge(self, event: events.RcptTo, meaning: Meaning) -> Maybe[Reply]:
        transaction = self._transaction
        if transaction is None:
            return replies.TROUBLE
        sender = transaction.envelope.reverse_path
        case = Case(self.peer, self.helo, self.login, sender, event.forward_path, meaning)
        judged = self.role.relay.judge(case)
        return then(judged, lambda verdict: self._add(event, meaning, verdict))

    def _add(self, event: events.RcptTo, meaning: Meaning, verdict: Verdict) -> Maybe[Reply]:
        transaction = self._transaction
        if transaction is None:
            return replies.TROUBLE
        refusal = verdict.refusal
        if verdict.rule:
            transaction.rules.add(verdict.rule)
        recipient = None if refusal is not None else recipient_of(event.forward_path, meaning, event.parameters)
        if recipient is not None:
            return with_room(self, transaction, recipient)
        reply = refusal or refusal_of(meaning)
        transaction.note(reply, event.forward_path)
        return reply

    def _reset(self, event: events.Reset) -> None:
        self._drop("reset")

    # The message

    def _data(self, event: events.DataBegins) -> Reply:
        transaction = self._transaction
        if transaction is None:
            return replies.TROUBLE
        if not self.site.store.has_room(0):
            self._finish(transaction, replies.NO_ROOM)
            return replies.NO_ROOM
        transaction.begin_body(self.site.store.draft(), self._head)
        return replies.START_MESSAGE

    def _body(self, event: events.BodyChunk) -> None:
        if self._transaction is not None:
            self._transaction.body(event.octets)

    def _head(self, header: bytes) -> bytes | Reply:
        """Put our trace fields before the header section (RFC 5321 §4.4)."""
        transaction = self._transaction
        assert transaction is not None
        # RFC 5321 §6.3
        if hops(header) > self.site.hop_limit:
            return replies.MAIL_LOOP
        envelope = transaction.envelope
        if envelope.parameters.get("BODY") == "BINARYMIME" and has_bare_newline(header):
            # RFC 3030 §3 frees the content of bodies alone: of this, others would read other fields than we do.
            return replies.BARE_NEWLINE_IN_BODY
        spoken = self.role.protocol if self.extended else "SMTP"
        utf8 = "SMTPUTF8" in envelope.parameters
        protocol = protocol_keyword(spoken, bool(self.tls), self.login is not None, utf8)
        wanted = envelope.parameters.get("MT-PRIORITY")
        hop = Hop(self.helo, self.peer, self.site.hostname, protocol, self.tls, transaction.id, wanted)
        only = envelope.recipients[0].address if len(envelope.recipients) == 1 else None
        kept = self.role.head(self, without_return_path(header), transaction.id, envelope)
        own = return_path(envelope.reverse_path)
        transaction.prefix = len(own)
        # No field begins so: without an empty line between them this would go on with our last field.
        gap = b"\r\n" if kept.startswith((b" ", b"\t")) else b""
        return own + received(hop, only, self.site.now()) + gap + kept

    def _chunk(self, event: events.ChunkEnds) -> Reply:
        """What is wrong with the message so far is said now: its sender need not send the rest (RFC 3030 §2)."""
        transaction = self._transaction
        if transaction is None:
            return replies.TROUBLE
        refusal = transaction.refusal
        return replies.CHUNK_OK if refusal is None else self._finish(transaction, refusal)

    def _message_refused(self, event: events.MessageRefused) -> None:
        if self._transaction is not None:
            self._finish(self._transaction, event.reply)

    def _end(self, event: events.MessageEnds) -> Maybe[Answer]:
        transaction = self._transaction
        if transaction is None:
            return replies.TROUBLE
        try:
            draft = transaction.end_body()
            # From here on the message goes its way even if the connection is lost.
            self._transaction = None
            answer = self._promise(transaction, draft)
        except Exception:
            self._finish(transaction, replies.TROUBLE)
            raise
        return answer if isinstance(answer, (Reply, tuple)) else self._promise_later(transaction, answer)

    async def _promise_later(self, transaction: Transaction, answer: Awaitable[Answer]) -> Answer:
        try:
            return await answer
        except Exception:
            self._finish(transaction, replies.TROUBLE)
            raise

    def _promise(self, transaction: Transaction, draft: IDraft | None) -> Maybe[Answer]:
        if draft is None:
            return self._finish(transaction, transaction.refusal or replies.TROUBLE)
        judged = self.role.content(self, transaction.header or b"")
        return then(judged, lambda refusal: self._take_in(transaction, draft, refusal))

    def _take_in(self, transaction: Transaction, draft: IDraft, refusal: Reply | None) -> Maybe[Answer]:
        if refusal is not None:
            return self._finish(transaction, refusal)
        outcomes = self.site.intake.accept(self._acceptance(transaction), draft)
        return then(outcomes, lambda settled: self._settle(transaction, settled))

    def _acceptance(self, transaction: Transaction) -> Acceptance:
        login = "" if self.login is None else self.login.name
        header = transaction.header or b""
        each = self.role.protocol == "LMTP"
        return Acceptance(
            transaction.id, transaction.envelope, transaction.prefix, header, self.peer, self.helo, login, each,
            over_cap(self, transaction.envelope),
        )  # fmt: skip

    def _settle(self, transaction: Transaction, outcomes: Sequence[Outcome]) -> Answer:
        """Give the one reply for all recipients: intake has kept the message for each of them, or for none.

        (Where it was kept for some, those that failed have been reported to the sender.) In LMTP each has its own.
        """
        troubles = [outcome for outcome in outcomes if not isinstance(outcome, Delivered)]
        accepted = tagged(replies.ACCEPTED, transaction.id)
        if not troubles:
            return self._finish(transaction, accepted)
        if self.role.protocol == "LMTP":
            transaction.trouble = reasons(troubles)
            each = tuple(accepted if isinstance(outcome, Delivered) else trouble_of(outcome) for outcome in outcomes)
            return self._finish_each(transaction, each)
        if len(troubles) < len(outcomes):
            return self._finish(transaction, accepted)
        transaction.trouble = reasons(troubles)
        # Where one of them may do better next time the peer has to come again, with all of them.
        passing = (trouble for trouble in troubles if isinstance(trouble, Deferred))
        return self._finish(transaction, trouble_of(next(passing, troubles[0])))

    # The end of a transaction

    def _drop(self, reason: str) -> None:
        transaction = self._transaction
        if transaction is not None:
            self._transaction = None
            transaction.release()
            transaction.discard()
            record_transaction(self, transaction, ended=reason)

    def _finish(self, transaction: Transaction, reply: Reply) -> Reply:
        self._finish_each(transaction, (reply,))
        return reply

    def _finish_each(self, transaction: Transaction, each: tuple[Reply, ...]) -> tuple[Reply, ...]:
        if self._transaction is transaction:
            self._transaction = None
        transaction.release()
        transaction.discard()
        record_transaction(self, transaction, *each)
        return each


_ANSWERS: Mapping[type, Callable[[Reception, Any], Any]] = {
    events.Connected: Reception._connected,
    events.Hello: Reception._hello,
    events.Proxied: Reception._proxied,
    events.Authenticate: Reception._authenticate,
    events.Consult: Reception._authenticate,
    events.MailFrom: Reception._mail,
    events.RcptTo: Reception._rcpt,
    events.DataBegins: Reception._data,
    events.BodyChunk: Reception._body,
    events.ChunkEnds: Reception._chunk,
    events.MessageRefused: Reception._message_refused,
    events.MessageEnds: Reception._end,
    events.Reset: Reception._reset,
    events.Verify: Reception._verify,
    events.Expand: Reception._expand,
    events.Etrn: Reception._etrn,
    events.ProtocolError: Reception._refused,
    events.LimitReached: Reception._limit_reached,
}
