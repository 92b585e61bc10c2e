"""What the API does when not all is well: too many requests, clients that go away, work that fails or takes long."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, globalLogPublisher

from mailsuite.admin.api.application import WORK_SECONDS, Application
from mailsuite.admin.api.route import TOLD, told
from mailsuite.admin.api.users import NewUser, UserChange
from mailsuite.admin.site import Site
from mailsuite.admin.tokens import TokenFolder
from mailsuite.directory.errors import AccountsBusy
from mailsuite.directory.threads import TooBusy
from mailsuite.transport.http import HTTPSessions
from tests.doubles import CountedTries

ASKED = b'POST /v1/domains HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n{"name": "a.example"}'
BODY = b"Content-Type: application/json\r\nContent-Length: 21\r\n"


class Lines:
    """A mail log."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, object]] = []

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """See `IMailLog.record`."""
        assert kind == "admin"
        self.lines.append(fields)


class World:
    """The API of a site whose accounts cannot be opened: *opening* says why."""

    def __init__(self, state: Path, opening: Callable[[], Any]) -> None:
        self.clock = Clock()
        self.log = Lines()
        self.tokens = TokenFolder(str(state), b"root")
        self.token = self.tokens.add("billing", "write", 0.0).encode()
        self.guessing = CountedTries(2)
        # Work that nobody has done yet; done at once while this is None.
        self.waiting: list[Callable[[], object]] | None = None
        self.busy = False
        site: Any = type("Accounts", (), {"accounts": staticmethod(opening)})
        application = Application(
            cast(Site, site), self.tokens, self.guessing, cast(Any, self.log), self.run, lambda: 1.0,
            cast(Any, self.clock),
        )  # fmt: skip
        self.sessions = HTTPSessions(lambda: application.resource, cast(Any, self.clock))

    def run(self, work: Callable[[], Any]) -> Deferred[Any]:
        """See `Run`."""
        if self.busy:
            raise TooBusy("2 requests wait for their turn")
        if self.waiting is None:
            return execute(work)
        later: Deferred[Any] = Deferred()
        self.waiting.append(lambda: execute(work).chainDeferred(later))
        return later

    def ask(self, token: bytes | None = None) -> tuple[Any, StringTransport]:
        """Ask for a domain to be added; return the connection."""
        session: Any = self.sessions.buildProtocol(None)
        transport = StringTransport()
        session.makeConnection(transport)
        session.dataReceived(ASKED % (token or self.token, BODY))
        return session, transport


def boom() -> Any:
    """Fail as nobody expects."""
    raise ZeroDivisionError


def busy() -> Any:
    """Fail as a database does."""
    raise AccountsBusy("others hold it")


def full() -> Any:
    """Fail as a disk does."""
    raise OSError(28, "No space left on device", "/srv/mail")


def answer(transport: StringTransport) -> str:
    """Return the answer."""
    return str(transport.value(), "utf-8")


def test_accounts_that_are_busy(tmp_path: Path) -> None:
    """The client is told to come again."""
    world = World(tmp_path, busy)
    said = answer(world.ask()[1])

    assert said.startswith("HTTP/1.1 503 Service Unavailable\r\n")
    assert "Retry-After: 10\r\n" in said
    assert said.endswith('"detail":"others hold it"}')
    assert world.log.lines[-1]["refused"] == "others hold it"


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """The same: it is the operator who has to mend it."""
    said = answer(World(tmp_path, full).ask()[1])

    assert said.startswith("HTTP/1.1 503 ")
    assert "No space left on device: '/srv/mail'" in said


def test_too_many_requests(tmp_path: Path) -> None:
    """The same, before anything is looked at."""
    world = World(tmp_path, busy)
    world.busy = True

    assert "2 requests wait" in answer(world.ask()[1])


def test_our_own_mistake(tmp_path: Path) -> None:
    """The client learns nothing of it, the log all."""
    events: list[Any] = []
    globalLogPublisher.addObserver(cast(ILogObserver, events.append))
    try:
        said = answer(World(tmp_path, boom).ask()[1])
    finally:
        globalLogPublisher.removeObserver(cast(ILogObserver, events.append))

    assert said.startswith("HTTP/1.1 500 ")
    assert "ZeroDivision" not in said
    assert [each["log_failure"].type for each in events if "log_failure" in each] == [ZeroDivisionError]


def test_a_client_that_goes_away(tmp_path: Path) -> None:
    """What it has asked for is done, and written down."""
    world = World(tmp_path, busy)
    world.waiting = []
    session, transport = world.ask()
    world.waiting.pop()()
    session.connectionLost()
    assert len(world.waiting) == 1
    world.waiting.pop()()

    assert transport.value() == b""
    assert [line["status"] for line in world.log.lines] == [503]


def test_a_client_that_goes_away_at_once(tmp_path: Path) -> None:
    """Before it is known whose token that is: then nothing is done."""
    world = World(tmp_path, busy)
    world.waiting = []
    session, _ = world.ask()
    session.connectionLost()
    world.waiting.pop()()

    assert world.waiting == []
    assert world.log.lines == []


def test_work_that_takes_long(tmp_path: Path) -> None:
    """The client is answered, and it goes on."""
    world = World(tmp_path, busy)
    world.waiting = []
    _, transport = world.ask()
    world.waiting.pop()()
    world.clock.advance(WORK_SECONDS)
    assert "it goes on, look again later" in answer(transport)
    world.waiting.pop()()

    assert [line["status"] for line in world.log.lines] == [503]


def test_wrong_tokens(tmp_path: Path) -> None:
    """They are counted, and past the cut-off nobody is looked at."""
    world = World(tmp_path, busy)
    for status in (401, 401, 429):
        assert answer(world.ask(b"billing~x")[1]).startswith(f"HTTP/1.1 {status} ")
    assert answer(world.ask()[1]).startswith("HTTP/1.1 429 ")
    assert [line["refused"] for line in world.log.lines] == ["wrong token"] * 2 + ["too many wrong tokens"] * 2


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Host: x", b"Host: \xff", 400),
        (b"Bearer ", b"Bearer \xff", 401),
        (b"Bearer ", b"Basic ", 401),
        (b"application/json", b"\xff", 415),
        (b"/v1/domains", b"/v1/%ff", 400),
    ],
)
def test_octets_that_are_no_text(tmp_path: Path, old: bytes, new: bytes, status: int) -> None:
    """Each is told so, and is no mistake of ours."""
    world = World(tmp_path, busy)
    session: Any = world.sessions.buildProtocol(None)
    transport = StringTransport()
    session.makeConnection(transport)
    session.dataReceived((ASKED % (world.token, BODY)).replace(old, new))

    assert answer(transport).startswith(f"HTTP/1.1 {status} ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (NewUser("a@b.example", "hush"), '{"address":"a@b.example","password":"(not shown)"}'),
        (UserChange(password="hush", frozen=False), '{"frozen":false,"password":"(not shown)"}'),
        (UserChange(), ""),
        (NewUser("a" * 1000), '{"address":"' + "a" * (TOLD - 12) + "..."),
    ],
)
def test_what_the_log_tells_of_a_body(body: Any, said: str) -> None:
    """All but passwords, up to a length; nor does what is printed for a programmer have them."""
    assert told(body) == said
    assert "hush" not in repr(body)
