"""XCLIENT's answer: the client is judged and named, and its proxy stands in the log."""

import pytest

from mailsuite.envelope import Peer
from tests.service.world import PEER, World


def proxied(submission: bool = False) -> World:
    """Return a site with a session of a peer that may speak for others."""
    world = World(submission=submission, xclient=True)
    world.say(b"EHLO proxy.example\r\n")
    return world


def test_the_client_is_who_counts() -> None:
    """In the trace and in the log; the proxy is named there, too."""
    world = proxied()
    assert world.say(b"XCLIENT ADDR=192.0.2.77 PORT=4711 NAME=there.example\r\n") == [
        "220 mail.example.org ESMTP mailsuite k7f"
    ]
    world.send(b"\r\n")

    assert world.reception.peer == Peer("192.0.2.77", 4711, PEER.host)
    assert b"Received: from client.example ([192.0.2.77])\r\n" in world.delivered[0][0]
    assert (world.records()[0]["peer"], world.records()[0]["via"]) == ("192.0.2.77", PEER.host)


def test_a_client_that_the_proxy_knows_by_parts() -> None:
    """Address and port stay until they are said anew; the name that it gave does not."""
    world = proxied()
    world.say(b"XCLIENT PORT=4711 HELO=client.example PROTO=SMTP\r\n")
    assert (world.reception.peer, world.reception.helo) == (Peer(PEER.host, 4711), "client.example")
    world.say(b"XCLIENT ADDR=IPV6:2001:db8::1\r\n")

    assert (world.reception.peer, world.reception.helo) == (Peer("2001:db8::1", 0, PEER.host), "")


def test_a_client_without_an_address() -> None:
    """It is nobody's: no list has it, and it is not taken for the proxy."""
    world = proxied()
    world.say(b"XCLIENT ADDR=[UNAVAILABLE]\r\n")
    world.send(b"\r\n")

    assert world.reception.peer == Peer("unknown", 0, PEER.host)
    assert world.reception.peer.address is None
    assert b"Received: from client.example ([unknown])\r\n" in world.delivered[0][0]


def test_a_login_that_the_proxy_vouches_for() -> None:
    """It sends as itself, and no further."""
    world = proxied(submission=True)
    assert world.say(b"XCLIENT LOGIN=alice@b.example ADDR=192.0.2.77\r\n")[0].startswith("220 ")
    assert world.say(b"EHLO x\r\nMAIL FROM:<alice@b.example>\r\n")[1] == "250 2.1.0 Sender OK"
    assert world.say(b"RSET\r\nMAIL FROM:<bob@b.example>\r\n")[1].startswith("550 5.7.1 ")
    assert [fields for kind, fields in world.log.records if kind == "login"] == [
        {
            "service": "submission",
            "id": "k7f",
            "peer": "192.0.2.77",
            "via": PEER.host,
            "tls": None,
            "login": "alice@b.example",
            "mechanism": "XCLIENT",
            "refused": None,
        }
    ]


def test_a_login_that_there_is_not() -> None:
    """Nothing changes."""
    world = proxied(submission=True)

    assert world.say(b"XCLIENT LOGIN=bob@b.example ADDR=192.0.2.77\r\n") == ["550 5.7.8 No such login here"]
    assert world.reception.peer == PEER
    assert world.reception.login is None
    assert world.say(b"MAIL FROM:<bob@b.example>\r\n")[0].startswith("530 ")


@pytest.mark.parametrize("said", [b"XCLIENT ADDR=192.0.2.77\r\n", b"XCLIENT HELO=x LOGIN=[UNAVAILABLE]\r\n"])
def test_the_proxys_own_login_is_not_its_clients(said: bytes) -> None:
    """It was the proxy's password."""
    world = World(submission=True, xclient=True)
    world.log_in()
    world.say(said)

    assert world.reception.login is None


def test_accounts_that_cannot_be_read() -> None:
    """That is our trouble, and the session goes on as it was."""
    world = proxied()
    world.passwords.trouble = OSError("as a test wants it")

    assert world.say(b"XCLIENT LOGIN=alice@b.example\r\n")[0].startswith("451 4.3.0 ")
    assert world.reception.peer == PEER
