"""When mailboxes are looked through, which, and what is said of it."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IExpiry
from mailsuite.meaning import Mailbox
from mailsuite.policy.retention import DAY, Retention
from tests.doubles_pop3 import KeptLog

NOW = 1_700_000_000.0
BOXES = {
    "a.example": [Mailbox(1, "a.example/ann"), Mailbox(4, "a.example/art")],
    "b.example": [Mailbox(2, "b.example/bob")],
}


@implementer(IExpiry)
class KeptExpiry:
    """Keeps what it was asked to do; removes one message of each mailbox, or raises *trouble*."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []
        self.trouble: dict[str, Exception] = {}
        self.pending: Deferred[None] | None = None

    async def remove_older(self, mailbox: Mailbox, before: float) -> Sequence[str]:
        self.asked.append((mailbox.path, before))
        if self.pending is not None:
            await self.pending
        if mailbox.path in self.trouble:
            raise self.trouble[mailbox.path]
        return [f"1600000000.{mailbox.id}"]


class World:
    """Two domains with mailboxes whose mail has a term."""

    def __init__(self, **terms: int) -> None:
        self.clock = Clock()
        self.expiry = KeptExpiry()
        self.log = KeptLog()
        self.retention = Retention(
            lambda: [(f"{name}.example", days) for name, days in terms.items()],
            lambda domain, after: [box for box in BOXES[domain] if box.id > after][:1],
            self.expiry,
            self.log,
            lambda: NOW + self.clock.seconds(),
            self.clock,
            60.0,
        )


def test_interface() -> None:
    """The double has what the interface asks for."""
    verifyObject(IExpiry, KeptExpiry())


def test_every_mailbox_by_its_domains_term() -> None:
    """Page by page."""
    world = World(a=30, b=5)
    world.retention.start()

    assert world.expiry.asked == [
        ("a.example/ann", NOW - 30 * DAY),
        ("a.example/art", NOW - 30 * DAY),
        ("b.example/bob", NOW - 5 * DAY),
    ]


def test_each_removal_is_in_the_log() -> None:
    """With what was removed, and for which term."""
    world = World(b=5)
    world.retention.start()

    assert world.log.records == [("expired", {"mailbox": "b.example/bob", "message": "1600000000.2", "days": 5})]


def test_again_and_again() -> None:
    """As often as it is said, whatever it stumbles over."""
    world = World(b=5)
    world.expiry.trouble["b.example/bob"] = RuntimeError("as a test wants it")
    world.retention.start()
    world.clock.advance(60)
    world.clock.advance(60)

    assert [before for _, before in world.expiry.asked] == [NOW - 5 * DAY + 60 * each for each in range(3)]


def test_trouble_with_one_mailbox() -> None:
    """The others have their turn all the same."""
    world = World(a=30, b=5)
    world.expiry.trouble["a.example/ann"] = OSError(5, "Input/output error")
    world.retention.start()

    assert len(world.expiry.asked) == 3
    assert len(world.log.records) == 2


def test_stop_before_the_start() -> None:
    """Where nothing has a term, nothing was started."""
    assert Deferred.fromCoroutine(World().retention.stop()).called


def test_stop_waits_for_the_mailbox_in_hand() -> None:
    """And for no other."""
    world = World(a=30, b=5)
    world.expiry.pending = Deferred()
    world.retention.start()
    stopped: list[None] = []
    Deferred.fromCoroutine(world.retention.stop()).addCallback(stopped.append)
    assert stopped == []
    world.expiry.pending.callback(None)

    assert stopped == [None]
    assert len(world.expiry.asked) == 1
    assert world.clock.getDelayedCalls() == []
