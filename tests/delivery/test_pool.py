"""Sessions that are used again."""

import pytest

from mailsuite.delivery.pool import Pool
from mailsuite.outcome import Deferred, Delivered, Failed
from mailsuite.route import Route
from tests.delivery.world import MX1, MX1_TOO, World
from tests.doubles_delivery import DROP, Scripted, job

ONE = "bob@b.example"


def good(world: World, times: int = 1) -> None:
    """Deliver so many messages, one after the other."""
    for _ in range(times):
        outcome = world.deliver_one(job(ONE))
        assert isinstance(outcome, Delivered), outcome


def test_one_session_for_many_messages() -> None:
    """The second message costs no connection and no lookup."""
    far = Scripted()
    world = World({MX1: far})
    good(world)
    asked = list(world.resolver.asked)

    good(world, 4)

    assert world.tried == [MX1]
    assert world.resolver.asked == asked
    assert len(far.messages) == 5
    assert far.verbs().count("EHLO") == 1


def test_idle_session_is_let_go() -> None:
    """After its time, and in good order."""
    far = Scripted()
    world = World({MX1: far}, idle=2.0)
    good(world)

    world.connector.wait(1.9)
    assert "QUIT" not in far.verbs()
    assert len(world.pool) == 1
    world.connector.wait(0.1)

    assert far.verbs()[-1] == "QUIT"
    assert world.connector.open == 0
    assert len(world.pool) == 0
    assert not world.connector.clock.getDelayedCalls()


def test_time_counts_from_the_last_message() -> None:
    """A session that is used stays."""
    far = Scripted()
    world = World({MX1: far}, idle=2.0)

    for _ in range(5):
        good(world)
        world.connector.wait(1.5)

    assert world.tried == [MX1]


def test_sweep_comes_again_for_the_younger() -> None:
    """Each is let go in its own time."""
    first, second = Scripted(), Scripted()
    world = World({MX1: first, "192.0.2.9": second}, idle=2.0)
    good(world)
    world.connector.wait(1.0)
    world.router.routes["c.example"] = Route("route:c", "", "192.0.2.9", private=True)
    world.deliver_one(job("c@c.example"))

    world.connector.wait(1.0)
    assert (first.verbs()[-1], second.verbs()[-1]) == ("QUIT", "DATA")
    world.connector.wait(1.0)
    assert second.verbs()[-1] == "QUIT"


def test_no_idle_time() -> None:
    """0 seconds: every session ends after its message."""
    far = Scripted()
    world = World({MX1: far}, idle=0)

    good(world, 2)
    world.connector.run()

    assert world.tried == [MX1, MX1]
    assert far.verbs().count("QUIT") == 2


@pytest.mark.parametrize(("messages", "connections"), [(3, 1), (4, 2)])
def test_messages_of_one_session(messages: int, connections: int) -> None:
    """At most so many."""
    world = World({MX1: Scripted()}, messages=3)

    good(world, messages)

    assert len(world.tried) == connections


def test_another_route_has_its_own_sessions() -> None:
    """What differs in anything (a login, TLS) is not shared."""
    world = World({MX1: Scripted()})
    good(world)
    world.router.default = Route("b.example", "b.example", private=True, tls="encrypt")

    good(world)

    assert world.tried == [MX1, MX1]


def test_refused_message_leaves_a_good_session() -> None:
    """The next one goes over it."""
    world = World({MX1: Scripted(end=["550 5.7.1 No", "250 OK"])})

    assert isinstance(world.deliver_one(job(ONE)), Failed)
    good(world)

    assert world.tried == [MX1]


def test_session_that_the_server_closed() -> None:
    """It is not used again; a new connection is made."""
    far = Scripted()
    world = World({MX1: far})
    good(world)
    world.connector.lines[0].far.gone = True
    world.connector.run()

    good(world)

    assert world.tried == [MX1, MX1]


@pytest.mark.parametrize("reply", [DROP, "421 4.4.2 Idle for too long", "450 4.7.0 Too many messages", "354 What?"])
def test_session_that_has_had_enough(reply: str) -> None:
    """What a used session says to MAIL is no verdict: the message has its chance with a new one."""
    far = Scripted(mail=["250 OK", reply, "250 OK"])
    world = World({MX1: far, MX1_TOO: Scripted()})

    good(world, 2)

    assert world.tried == [MX1, MX1]
    assert len(far.messages) == 2


def test_goodbye_that_waits_to_be_read() -> None:
    """421 that came while the session was idle."""
    far = Scripted()
    world = World({MX1: far})
    good(world)
    world.connector.lines[0].protocol.dataReceived(b"421 4.4.2 Goodbye\r\n")

    good(world)

    assert world.tried == [MX1, MX1]


def test_final_refusal_on_a_used_session() -> None:
    """5xx to MAIL is about the message."""
    far = Scripted(mail=["250 OK", "550 5.7.1 Not from you", "250 OK"])
    world = World({MX1: far})
    good(world)

    assert isinstance(world.deliver_one(job(ONE)), Failed)
    assert world.tried == [MX1]


def test_a_used_session_and_then_nobody() -> None:
    """The new connection's trouble is what is told."""
    far = Scripted(mail=["250 OK", DROP], greeting=["220 mx", "421 4.3.2 Busy"])
    world = World({MX1: far}, hosts=2)
    good(world)

    outcome = world.deliver_one(job(ONE))

    assert isinstance(outcome, Deferred)
    assert outcome.status == "4.3.2"


def test_parallel_jobs() -> None:
    """Two at a time have two sessions, and both are used again."""
    far = Scripted()
    world = World({MX1: far})
    coroutines = [world.delivery.deliver(job(ONE), world.contents) for _ in range(2)]
    from twisted.internet.defer import Deferred as Pending

    pending = [Pending.fromCoroutine(coroutine) for coroutine in coroutines]
    world.connector.run()

    assert all(each.called for each in pending)
    assert world.tried == [MX1, MX1]
    assert len(world.pool) == 2
    good(world, 3)
    assert len(world.tried) == 2


def test_what_waits_is_bounded() -> None:
    """Past it a session is let go at once."""
    far = Scripted()
    world = World({MX1: far})
    world.pool = Pool(world.connector.clock, 2.0, 100, waiting=1)
    world.delivery._network.pool = world.pool
    world.router.routes["c.example"] = Route("route:c", "", MX1, private=True)

    good(world)
    world.deliver_one(job("c@c.example"))

    assert len(world.pool) == 1
    assert far.verbs()[-1] == "QUIT"


def test_stop() -> None:
    """Idle sessions are let go, and those that come later at once."""
    far = Scripted()
    world = World({MX1: far})
    good(world)

    world.delivery.stop()
    world.connector.run()
    assert world.connector.open == 0
    assert not world.connector.clock.getDelayedCalls()

    good(world)
    world.connector.run()
    assert world.connector.open == 0
    assert far.verbs().count("QUIT") == 2
