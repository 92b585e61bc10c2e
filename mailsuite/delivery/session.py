"""One session with another server, as its user sees it: messages go in, answers come out."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from mailsuite.delivery import trouble
from mailsuite.delivery.tls_policy import Demand
from mailsuite.delivery.trouble import SessionEnded, Trouble
from mailsuite.encryption import Encryption
from mailsuite.envelope import Peer
from mailsuite.interfaces import IRespondent
from mailsuite.maybe import Maybe
from mailsuite.outcome import Answer
from mailsuite.smtp.client import ClientSession
from mailsuite.smtp.client_events import Broken, Capabilities, Ended, ReadBody, Ready, Secured, Stage, Transaction

# Gives the next octets of a message, about so many; b"" at its end.
Read = Callable[[int], Maybe[bytes]]


@implementer(IRespondent)
class RemoteSession:
    """Answers the questions of the client *core* for one user at a time.

    *host* is the server's name, or its address where it has none, *address* what was connected to. *demand* judges
    TLS; *without* is the trouble with it for which this session has none. The user waits for `opened`, then calls
    `send` once for each message, never twice at a time.
    """

    def __init__(
        self, core: ClientSession, host: str, address: str, demand: Demand, without: Trouble | None = None
    ) -> None:
        self.host = Peer(address).literal if host == address else host
        self.where = self.host if host == address else f"{host} [{address}]"
        self.capabilities = Capabilities({})
        # Version, cipher and trust for logs; empty while nothing is encrypted.
        self.tls = ""
        # Why TLS was not good enough, if it was not.
        self.objection = ""
        # Messages that were given to it so far.
        self.sent = 0
        # What it takes at most: messages, recipients and domains (RFC 9422); 0 where it does not say.
        self._most_messages = 0
        self.most_recipients = 0
        self._most_domains = 0
        # Whether other messages may be sent over it afterwards.
        self.reusable = True
        self._core = core
        self._demand = demand
        self._without = without
        self._encryption: Encryption | None = None
        self._secured: Deferred[bool] | None = None
        self._open = False
        self._leaving = False
        self._end: SessionEnded | None = None
        self._user: Deferred[Any] | None = None
        self._ready: Deferred[Transaction | None] | None = None
        self._next: Transaction | None = None
        self._read: Read | None = None

    @property
    def alive(self) -> bool:
        """Whether another message may be given to it."""
        return self._end is None and not self._leaving

    @property
    def spent(self) -> bool:
        """Whether it takes no more messages by its own word; those of other domains count as no more (RFC 9422)."""
        return bool(self.sent and (self._most_domains or 0 < self._most_messages <= self.sent))

    # For its user

    def opened(self) -> "Deferred[None]":
        """Wait until messages may be sent. Fails with `SessionEnded`."""
        if self._end is not None:
            return fail(self._end)
        if self._open:
            return succeed(None)
        self._user = Deferred()
        return self._user

    def send(self, transaction: Transaction, read: Read | None = None) -> "Deferred[Ended]":
        """Send one message and wait for the answers; *read* gives its content where *transaction* has none.

        Fails with `SessionEnded`; where that stood at ``END``, nobody knows whether the message was taken.
        """
        end = self._end
        if end is not None:
            # Whatever it had come to, of this message nothing was sent.
            return fail(SessionEnded(Stage.IDLE, end.answer, end.reason))
        done: Deferred[Ended] = Deferred()
        self._user = done
        self._read = read
        self.sent += 1
        ready, self._ready = self._ready, None
        if ready is None:
            # The core has not asked yet: it is about to.
            self._next = transaction
        else:
            ready.callback(transaction)
        return done

    def named(self, answer: Answer) -> Answer:
        """Return what the server said, with its name and what TLS it was said over."""
        return Answer(self.host, answer.code, answer.status, answer.lines, self.tls)

    def met(self, end: SessionEnded) -> Trouble:
        """Say what the *end* of this session means, or an answer like that."""
        met = trouble.ended(self.where, end, refused=bool(self.objection))
        without = self._without
        refusal = self._core.tls_refusal
        if without is None and refusal is not None:
            without = trouble.ended(self.where, SessionEnded(Stage.STARTTLS, self.named(refusal), ""))
        return met if without is None else trouble.in_the_clear(met, without)

    def quit(self) -> None:
        """End the session in good order, after the message under way if there is one."""
        self._leaving = True
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.callback(None)

    # From the session

    def respond(self, event: Any) -> Any:
        """See `IRespondent.respond`."""
        return _ANSWERS[type(event)](self, event)

    def tls_started(self, encryption: Encryption) -> None:
        """See `IRespondent.tls_started`: judge it, and say so to the core, which may wait for that."""
        self._encryption = encryption
        self.objection = self._demand.judge(encryption)
        self.tls = self._demand.told(encryption)
        secured, self._secured = self._secured, None
        if secured is not None:
            secured.callback(not self.objection)

    def lost(self, reason: str, cause: str = "") -> None:
        """See `IRespondent.lost`."""
        if self._end is None:
            settled = self._core.cut_off()
            if settled is not None:
                self._done(settled)
            text = "the connection was closed" if reason == "closed" else "the connection was lost"
            self._over(self._core.stage, None, f"{text}: {cause}" if cause else text)

    def _secure(self, event: Secured) -> Maybe[bool]:
        if self._encryption is not None:
            return not self.objection
        self._secured = Deferred()
        return self._secured

    def _go_on(self, event: Ready) -> Maybe[Transaction | None]:
        self.capabilities = event.capabilities
        if not self._open:
            self._open = True
            if "LIMITS" in event.capabilities:
                self._limit(event.capabilities)
            user, self._user = self._user, None
            if user is not None:
                user.callback(None)
        # What the user gave while it was told, or before.
        transaction, self._next = self._next, None
        if transaction is not None or self._leaving:
            return transaction
        self._ready = Deferred()
        return self._ready

    def _limit(self, offered: Capabilities) -> None:
        self._most_messages = offered.limit("MAILMAX")
        self.most_recipients = offered.limit("RCPTMAX")
        self._most_domains = offered.limit("RCPTDOMAINMAX")

    def _body(self, event: ReadBody) -> Maybe[bytes]:
        assert self._read is not None, "a transaction without content"
        return self._read(event.octets)

    def _done(self, event: Ended) -> None:
        self._read = None
        user, self._user = self._user, None
        if user is not None:
            user.callback(event)

    def _broken(self, event: Broken) -> None:
        answer = event.answer
        named = None if answer is None else self.named(answer)
        self._over(event.stage, named, self.objection or event.reason, event.loop)

    def _over(self, stage: Stage, answer: Answer | None, reason: str, loop: bool = False) -> None:
        if self._end is not None:
            return
        if self._next is not None:
            # The user was told of the last transaction's end and has given another, which was not begun.
            stage = Stage.IDLE
        self._end = SessionEnded(stage, answer, reason, loop)
        self._read = self._next = self._ready = None
        user, self._user = self._user, None
        if user is not None:
            user.errback(self._end)


_ANSWERS: dict[type[Any], Callable[[RemoteSession, Any], Any]] = {
    Secured: RemoteSession._secure,
    Ready: RemoteSession._go_on,
    ReadBody: RemoteSession._body,
    Ended: RemoteSession._done,
    Broken: RemoteSession._broken,
}
