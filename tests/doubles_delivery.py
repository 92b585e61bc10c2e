"""Doubles for delivery: a connector in memory with far ends that behave as a test wants, routes, contents.

The near end is real: the client's session core, driven by the real `SessionProtocol`. A far end is a script, or the
server's real session core.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.delivery.asked import Strictness
from mailsuite.delivery.tls_policy import Demand
from mailsuite.dns import DnsTrouble
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IConnector, IContent, IDeliveryTarget, IRespondent, IRouter
from mailsuite.maybe import Maybe
from mailsuite.outcome import DELIVERED, Outcome
from mailsuite.queued import Job, QueuedMessage, QueuedRecipient
from mailsuite.route import CannotConnect, Endpoint, NoWay, Route
from mailsuite.smtp.server import ServerSession
from mailsuite.transport.connector import ClientProtocol
from mailsuite.wire.events import CLOSE, HANG_UP, START_TLS, SessionCore
from tests.smtp.respondent import PLAIN, Respondent

TLS13 = Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384")

# What a far end does in place of a reply.
DROP = "(closes the connection)"
SILENCE = "(says nothing any more)"

GREETING = "GREETING"
END = "."
GOOD: Mapping[str, str] = {
    GREETING: "220 mx.example ESMTP",
    "EHLO": "250-mx.example\n250-PIPELINING\n250-8BITMIME\n250 ENHANCEDSTATUSCODES",
    "LHLO": "250-mx.example\n250 PIPELINING",
    "HELO": "250 mx.example",
    "MAIL": "250 2.1.0 Sender OK",
    "RCPT": "250 2.1.5 Recipient OK",
    "DATA": "354 Go ahead",
    END: "250 2.0.0 Taken",
    "RSET": "250 2.0.0 Forgotten",
    "NOOP": "250 2.0.0 OK",
    "QUIT": "221 2.0.0 Goodbye",
    "STARTTLS": "220 2.0.0 Go ahead",
    "AUTH": "235 2.7.0 Welcome",
}


class Far:
    """The far end of connections to one address. *tls* is what a handshake gives; ``None``: it breaks."""

    tls: Encryption | None = TLS13

    def accept(self) -> "FarSession":
        """Take a connection."""
        raise NotImplementedError


class FarSession:
    """The far end of one connection: `said` is what is to be sent, `gone` that it closes after that."""

    def __init__(self) -> None:
        self.said = b""
        self.gone = False
        # Where the near end has said STARTTLS, and the handshake is the next thing.
        self.begins_tls = False

    def receive(self, data: bytes) -> None:
        """Take octets of the near end."""
        raise NotImplementedError

    def tls_started(self) -> None:
        """The handshake is over."""


class Scripted(Far):
    """Says to each verb what it was told to; verbs that were not named get what a good server says.

    A reply has its lines parted by a newline, and may be `DROP` or `SILENCE`; a list of replies is gone through, and
    its last one stays. A reply to ``RCPT`` may be a dict by local part, with ``""`` for the others. *commands* and
    *messages* are what came, over all connections.
    """

    def __init__(self, **replies: Any) -> None:
        self.replies: dict[str, Any] = {**GOOD, **{_verb(name): reply for name, reply in replies.items()}}
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.lmtp = False

    def accept(self) -> FarSession:
        self.connections += 1
        return _ScriptedSession(self)

    def reply(self, verb: str, argument: str) -> str:
        """Return what is said to *verb*."""
        reply = self.replies.get(verb, "500 5.5.2 No such command")
        if isinstance(reply, dict):
            local = argument.partition("<")[2].partition("@")[0]
            reply = reply.get(local, reply.get("", GOOD[verb]))
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        return str(reply)

    def verbs(self) -> list[str]:
        """Return the verbs that came, in order."""
        return [command.partition(" ")[0].upper() for command in self.commands]


def _verb(name: str) -> str:
    return {"greeting": GREETING, "end": END}.get(name, name.upper())


class _ScriptedSession(FarSession):
    def __init__(self, script: Scripted) -> None:
        super().__init__()
        self._script = script
        self._unread = b""
        self._in_message = False
        self._silent = False
        self._mail = False
        self._accepted = 0
        self._say(GREETING, "")

    def receive(self, data: bytes) -> None:
        self._unread += data
        while not (self.gone or self.begins_tls or self._silent):
            if self._in_message and self._unread.startswith(b".\r\n"):
                head, found, rest = b"", b"\r\n", self._unread[3:]
            else:
                mark = b"\r\n.\r\n" if self._in_message else b"\r\n"
                head, found, rest = self._unread.partition(mark)
            if not found:
                return
            self._unread = rest
            if self._in_message:
                self._script.messages.append(head + b"\r\n")
                self._in_message = False
                for _ in range(self._accepted if self._script.lmtp else 1):
                    self._say(END, "")
            else:
                self._obey(head.decode())

    def tls_started(self) -> None:
        self.begins_tls = False

    def _obey(self, line: str) -> None:
        self._script.commands.append(line)
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        if (verb == "RCPT" and not self._mail) or (
            verb == "DATA" and not self._accepted and self._script.replies["DATA"] == GOOD["DATA"]
        ):
            self.said += b"503 5.5.1 Not before something else\r\n"
            return
        reply = self._say(verb, argument)
        if verb == "MAIL":
            self._accepted = 0
            # Anything but a refusal: what a reply without sense means is the near end's to find out.
            self._mail = reply[0] not in "45"
        elif verb == "RCPT" and reply.startswith("250"):
            self._accepted += 1
        elif verb == "DATA" and reply.startswith("354"):
            self._in_message = True
        elif verb == "STARTTLS" and reply.startswith("220"):
            self.begins_tls = True
        elif verb == "QUIT":
            self.gone = True

    def _say(self, verb: str, argument: str) -> str:
        reply = self._script.reply(verb, argument)
        if reply == DROP:
            self.gone = True
        elif reply == SILENCE:
            self._silent = True
        else:
            self.said += reply.replace("\n", "\r\n").encode() + b"\r\n"
            self.gone = self.gone or reply.startswith(("421", "521"))
        return reply


class Real(Far):
    """The server's real session core, with the respondent of the chat scripts; *messages* are what it took."""

    def __init__(self, settings: Any = PLAIN) -> None:
        self.settings = settings
        self.respondent = Respondent()

    @property
    def messages(self) -> list[tuple[str, list[str], bytes]]:
        return self.respondent.messages

    def accept(self) -> FarSession:
        self.respondent._sender = None
        return _RealSession(ServerSession(self.settings), self.respondent)


class _RealSession(FarSession):
    def __init__(self, core: ServerSession, respondent: Respondent) -> None:
        super().__init__()
        self._core = core
        self._respondent = respondent
        self.receive(b"")

    def receive(self, data: bytes) -> None:
        self._core.receive(data)
        while (event := self._core.next_event()) is not None:
            if event is START_TLS:
                self.begins_tls = True
                break
            if event is CLOSE or event is HANG_UP:
                self.gone = True
            else:
                answer = self._respondent(event)
                if event.asks:
                    self._core.answer(answer)
        self.said += self._core.bytes_to_send()

    def tls_started(self) -> None:
        self.begins_tls = False
        self._core.tls_started()
        self.receive(b"")


class _Line:
    """The near end's transport: what it does is done to the far end when the connector runs."""

    TLS = False

    def __init__(self, far: FarSession, tls: Encryption | None) -> None:
        self.far = far
        self.tls = tls
        self.outgoing = b""
        self.starts_tls = False
        self.closing: Exception | None = None
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        self.outgoing += data

    def loseConnection(self) -> None:
        self.closing = self.closing or ConnectionDone()

    def loseWriteConnection(self) -> None:
        self.loseConnection()

    def abortConnection(self) -> None:
        self.closing = ConnectionAborted()

    def startTLS(self, context: object) -> None:
        self.starts_tls = True

    def encryption(self, handle: object) -> Encryption | None:
        return self.tls

    def getHandle(self) -> object:
        return self

    def setTcpNoDelay(self, enabled: bool) -> None:
        return None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        return None

    def unregisterProducer(self) -> None:
        return None

    def pauseProducing(self) -> None:
        return None

    def resumeProducing(self) -> None:
        return None

    def step(self) -> bool:
        """Carry what there is to be carried; say whether there was anything."""
        if self.outgoing:
            data, self.outgoing = self.outgoing, b""
            if not self.far.gone:
                self.far.receive(data)
            return True
        if self.far.said:
            data, self.far.said = self.far.said, b""
            self.protocol.dataReceived(data)
            return True
        if self.starts_tls:
            self.starts_tls = False
            return self._shake_hands()
        return False

    def _shake_hands(self) -> bool:
        if self.tls is None:
            self.far.gone = True
            self.closing = ConnectionLost()
        else:
            self.far.tls_started()
            self.protocol.handshakeCompleted()
        return True


@implementer(IConnector)
class MemoryConnector:
    """Connects to the far ends that it was given by their addresses; all others refuse, but those with *no_way* to.

    *endpoints* are those that were connected to. Nothing moves before `run`.
    """

    def __init__(self, far: Mapping[str, Far] | None = None) -> None:
        self.clock = Clock()
        self.far = dict(far or {})
        self.no_way: set[str] = set()
        self.endpoints: list[Endpoint] = []
        self.lines: list[_Line] = []

    async def connect(self, endpoint: Endpoint, core: SessionCore, respondent: IRespondent) -> None:
        self.endpoints.append(endpoint)
        if endpoint.address in self.no_way:
            raise NoWay(f"cannot connect to {endpoint.name}: network is unreachable")
        far = self.far.get(endpoint.address)
        if far is None:
            raise CannotConnect(f"cannot connect to {endpoint.name}: connection refused")
        line = _Line(far.accept(), far.tls)
        protocol = ClientProtocol(core, respondent, self.clock, line, lambda ended: None)  # type: ignore[arg-type]
        line.protocol = protocol
        self.lines.append(line)
        line.starts_tls = endpoint.implicit
        protocol.makeConnection(line)

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self.lines)

    def run(self) -> None:
        """Let everything happen that does not wait for time."""
        moved = True
        while moved:
            moved = bool(sum(line.step() for line in list(self.lines))) or self._turn()
            for line in list(self.lines):
                if not (line.outgoing or line.far.said) and (line.far.gone or line.closing is not None):
                    self.lines.remove(line)
                    line.protocol.connectionLost(Failure(line.closing or ConnectionDone()))
                    moved = True

    def _turn(self) -> bool:
        """Let what only waits for the reactor's next turn have it; say whether there was anything."""
        due = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
        self.clock.advance(0)
        return due

    def wait(self, seconds: float) -> None:
        """Let *seconds* go by, and what they bring happen."""
        self.clock.advance(seconds)
        self.run()

    def addresses(self) -> list[str]:
        """Return what was connected to, in order."""
        return [endpoint.address for endpoint in self.endpoints]


@implementer(IContent)
class PieceContent:
    """Content in memory; each `read` gives one of *pieces*, later where *late*. *trouble* is raised at the end."""

    def __init__(self, pieces: Iterable[bytes], late: bool = False, trouble: OSError | None = None) -> None:
        self._pieces = list(pieces)
        self._late = late
        self._trouble = trouble
        self.closed = 0

    def read(self, size: int) -> Maybe[bytes]:
        return self._later() if self._late else self._next()

    def close(self) -> None:
        self.closed += 1

    def _next(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._trouble is not None:
            raise self._trouble
        return b""

    async def _later(self) -> bytes:
        return self._next()


class Contents:
    """Opens the content of one message; *opened* are its readings. *trouble* is raised in place of that."""

    def __init__(self, *pieces: bytes, late: bool = False) -> None:
        self.pieces = pieces
        self.late = late
        self.opened: list[PieceContent] = []
        self.trouble: OSError | None = None
        # Raised by a reading, after its pieces.
        self.read_trouble: OSError | None = None

    async def __call__(self) -> IContent:
        if self.trouble is not None:
            raise self.trouble
        self.opened.append(PieceContent(self.pieces, self.late, self.read_trouble))
        content: Any = self.opened[-1]
        return content  # type: ignore[no-any-return]


class FixedDemands:
    """Asks *demand* of every host, or what *demands* has for its name; *troubled* raise `DnsTrouble`.

    *asked* are the questions: policy domain, host, and whether DNSSEC vouches for the MX records and the addresses;
    *wishes*, what the messages want themselves.
    """

    def __init__(self, demand: Demand | None = None, **demands: Demand) -> None:
        self.demand_of_all = demand or Demand("none")
        self.demands = {name.replace("_", "."): each for name, each in demands.items()}
        self.troubled: set[str] = set()
        self.asked: list[tuple[str, str, bool, bool]] = []
        self.wishes: list[str] = []

    async def demand(
        self,
        route: Route,
        mx_secure: bool,
        policy_domain: str,
        host: str,
        host_secure: bool,
        strictness: Strictness = "",
    ) -> Demand:
        self.wishes.append(strictness)
        self.asked.append((policy_domain, host, mx_secure, host_secure))
        if host in self.troubled:
            raise DnsTrouble(f"no answer about _25._tcp.{host}")
        return self.demands.get(host, self.demand_of_all)


class Objection:
    """A proof that nobody gives."""

    word = "nothing"

    def objection(self, encryption: Encryption) -> str:
        return "its certificate is not for it"


@implementer(IRouter)
class FixedRouter:
    """Sends all mail one way, but that of the domains in *routes*."""

    def __init__(self, route: Route, routes: Mapping[str, Route] | None = None) -> None:
        self.default = route
        self.routes = dict(routes or {})

    def route(self, recipient: Address, reverse_path: Address | None) -> Route:
        return self.routes.get(recipient.domain, self.default)


@implementer(IDeliveryTarget)
class FixedTarget:
    """Gives each recipient *outcome*, or the one that *outcomes* has for its address; *jobs* are what it was given."""

    def __init__(self, outcome: Outcome = DELIVERED, outcomes: Mapping[str, Outcome] | None = None) -> None:
        self.outcome = outcome
        self.outcomes = dict(outcomes or {})
        self.jobs: list[Job] = []
        self.pending: Deferred[None] | None = None

    async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
        self.jobs.append(job)
        if self.pending is not None:
            await self.pending
        return [self.outcomes.get(str(recipient.address), self.outcome) for recipient in job.recipients]


MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"


def address(text: str) -> Address:
    """Return the address that *text* is."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def recipient(text: str, **more: Any) -> QueuedRecipient:
    """Return a recipient, with *more* of its fields."""
    to = address(text)
    return QueuedRecipient(to, to.domain, **more)


def job(
    *recipients: str | QueuedRecipient, content: bytes | None = MESSAGE, size: int = 0, **message: Any
) -> Job:
    """Return a job for *recipients* with *content*; *message* are fields of its `QueuedMessage`."""
    sender = message.pop("reverse_path", Address("alice", "example.org"))
    queued = QueuedMessage("id1", sender, 0.0, 1000.0, size or len(content or b""), **message)
    to = tuple(recipient(each) if isinstance(each, str) else each for each in recipients)
    return Job(queued, to, content=content)
