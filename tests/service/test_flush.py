"""ETRN's answer (RFC 1985): who may ask, for what, and what is started then."""

import pytest
from twisted.internet.defer import Deferred

from mailsuite.envelope import Peer
from mailsuite.meaning import Relayed
from mailsuite.service.asking import fates
from tests.service.world import ETRN_PEER, World


def asking(*domains: str, count: int = 0) -> World:
    """Return a world in which a peer may ask for *domains*, too, and each has *count* recipients waiting."""
    world = World(peer=Peer(ETRN_PEER))
    for domain in domains:
        world.directory.meanings[f"postmaster@{domain}"] = Relayed()
    world.runner.count = count
    world.say(b"EHLO client.example\r\n")
    return world


def started(*destinations: str) -> list[str]:
    """Return what is started for *destinations*: also what waits apart since its senders asked for other TLS."""
    return [each for destination in destinations for each in fates(destination)]


def test_what_has_other_tls_is_counted_too() -> None:
    """It is mail for the node all the same."""
    world = asking(count=1)
    world.runner.other_count = 2

    assert world.say(b"ETRN relayed.example\r\n")[0].startswith("253 2.0.0 OK, 5 ")


@pytest.mark.parametrize(("count", "reply"), [(0, "251 2.0.0 "), (3, "253 2.0.0 OK, 3 ")])
def test_a_domain_that_we_pass_on_mail_for(count: int, reply: str) -> None:
    """RFC 1985 §5.1: its queue is started, and the answer says how much waits there."""
    world = asking(count=count)

    assert world.say(b"ETRN relayed.example\r\n")[0].startswith(reply)
    assert world.runner.flushed == started("relayed.example")


@pytest.mark.parametrize("domain", [b"b.example", b"else.example", b"nobody.example", b"@b.example"])
def test_what_is_not_passed_on(domain: bytes) -> None:
    """458 for our own, for others', and for what nobody has heard of."""
    world = asking()

    assert world.say(b"ETRN " + domain + b"\r\n")[0].startswith("458 4.4.4 ")
    assert world.runner.flushed == []


def test_all_below_a_domain() -> None:
    """RFC 1985 §5.3: ``@`` asks for the domain and all whose names end in it; what waits is counted together."""
    world = asking("a.relayed.example", "b.a.relayed.example", "notrelayed.example", count=2)

    assert world.say(b"ETRN @relayed.example\r\n")[0].startswith("253 2.0.0 OK, 6 ")
    assert world.runner.flushed == started("relayed.example", "a.relayed.example", "b.a.relayed.example")


def test_below_a_domain_that_is_not_passed_on() -> None:
    """Those of its subdomains that are can be asked for, without it."""
    world = asking("a.other.example", count=1)

    assert world.say(b"ETRN @other.example\r\n")[0].startswith("253 2.0.0 OK, 1 ")
    assert world.runner.flushed == started("a.other.example")


def test_without_the_sign_nothing_below_is_started() -> None:
    """RFC 1985 §5.3: that takes an ``@``."""
    world = asking("a.relayed.example")

    world.say(b"ETRN relayed.example\r\n")

    assert world.runner.flushed == started("relayed.example")


def test_a_directory_that_takes_its_time() -> None:
    """The answer comes when it is known; what follows it waits."""
    world = asking("a.relayed.example", count=1)
    pending: Deferred[None] = Deferred()
    world.directory.pending = pending

    assert world.say(b"ETRN @relayed.example\r\nNOOP\r\n") == []
    pending.callback(None)
    assert [reply[:3] for reply in world.replies()] == ["253", "250"]
    assert world.runner.flushed == started("relayed.example", "a.relayed.example")


def test_strangers() -> None:
    """RFC 1985 §5.1: 459, and nothing is started or looked up."""
    world = World()
    world.say(b"EHLO client.example\r\n")

    assert world.say(b"ETRN @relayed.example\r\n")[0].startswith("459 4.7.1 ")
    assert world.runner.flushed == []
    assert world.directory.asked == []
