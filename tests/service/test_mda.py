"""LMTP (RFC 2033): mail for our mailboxes from another server of the site, and an answer for each recipient."""

import pytest

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.envelope import Peer
from mailsuite.meaning import Foreign, Mailbox, Relayed
from mailsuite.outcome import Deferred
from mailsuite.policy.relay import OwnOnly
from mailsuite.smtp import replies
from tests.service.world import DATE, PEER, World

TWO = Mailbox(2, "b.example/box2")
FULL = Deferred("4.2.0", "as a test wants it")


def lmtp(peer: Peer = PEER) -> World:
    """Return a site with a session of LMTP."""
    return World(lmtp=True, peer=peer)


def test_the_greeting_says_what_is_spoken() -> None:
    """As in the example of RFC 2033 §4.2."""
    assert World(lmtp=True).role.protocol == "LMTP"
    assert World().role.protocol == World(submission=True).role.protocol == "ESMTP"


def test_our_own_addresses_only() -> None:
    """What we would only pass on is refused, in a domain that we relay for as well."""
    world = lmtp()
    world.greet()

    for to in ("x@else.example", "x@relayed.example"):
        assert world.say(f"RCPT TO:<{to}>\r\n".encode())[0].startswith("550 5.7.1 ")
    assert world.say(b"RCPT TO:<nobody@b.example>\r\n") == ["550 5.1.1 No such mailbox here"]
    assert world.say(b"RCPT TO:<off@b.example>\r\n") == ["550 5.2.1 This mailbox is switched off"]
    assert world.say(b"RCPT TO:<later@b.example>\r\n") == ["450 4.2.1 Back tomorrow"]
    assert world.say(b"RCPT TO:<alice@b.example>\r\n") == ["250 2.1.5 Recipient OK"]


@pytest.mark.parametrize("meaning", [Foreign(), Relayed(), Relayed(backup=True)])
def test_what_is_only_passed_on(meaning: Foreign | Relayed) -> None:
    """Whatever its kind."""
    case = Case(PEER, "mx.example", None, None, Address("x", "else.example"), meaning)

    assert OwnOnly().judge(case).refusal is replies.NOT_DELIVERED_HERE


def test_delivery_and_its_trace() -> None:
    """RFC 3848: LMTP is what it came by; over a UNIX socket there is no address."""
    world = lmtp(Peer("unix"))

    assert world.send(b"Subject: x\r\n\r\n").startswith("250 2.0.0 ")
    ((octets, _),) = world.delivered
    assert octets.startswith(
        b"Return-Path: <carol@a.example>\r\nReceived: from client.example ([unix])\r\n"
        b"\tby mail.example.org with LMTP id k7f-1\r\n\tfor <alice@b.example>; " + DATE
    )
    assert world.records()[0]["peer"] == "unix"


def test_a_reply_for_each_recipient() -> None:
    """RFC 2033 §4.2: only the mailbox that could not be written to is put off, and nothing waits in our queue."""
    world = lmtp()
    world.store.refusals = {TWO: FULL}
    world.greet("alice@b.example", "bob@b.example", "alice@b.example")

    assert world.say(b"DATA\r\n\r\nhi\r\n.\r\n")[1:] == [
        "250 2.0.0 Accepted [k7f-1]",
        "451 4.2.0 A mailbox cannot take mail now, try again later",
        "250 2.0.0 Accepted [k7f-1]",
    ]
    assert world.queue.accepted == []
    (record,) = world.records()
    assert record["to"] == ["alice@b.example", "bob@b.example", "alice@b.example"]
    assert record["trouble"] == "as a test wants it"
    assert record["reply"] == [
        "250 2.0.0 Accepted [k7f-1]",
        "451 4.2.0 A mailbox cannot take mail now, try again later",
        "250 2.0.0 Accepted [k7f-1]",
    ]


def test_all_fare_alike() -> None:
    """One line of the log says it once."""
    world = lmtp()
    world.greet("alice@b.example", "bob@b.example")

    assert world.say(b"DATA\r\n\r\nhi\r\n.\r\n")[1:] == ["250 2.0.0 Accepted [k7f-1]"] * 2
    assert world.records()[0]["reply"] == "250 2.0.0 Accepted [k7f-1]"


def test_an_alias_that_leads_elsewhere() -> None:
    """It is ours; its member elsewhere is written to by way of the queue."""
    world = lmtp()

    assert world.send(b"\r\n", "team@b.example").startswith("250")
    assert [str(each.address) for each in world.queue.accepted[0][1]] == ["x@else.example"]


def test_trouble_of_ours_is_said_to_each() -> None:
    """A barrier that fails is everybody's."""
    world = lmtp()
    world.store.trouble = OSError("as a test wants it")
    world.greet("alice@b.example", "bob@b.example")

    assert [reply[:9] for reply in world.say(b"DATA\r\n\r\nhi\r\n.\r\n")[1:]] == ["451 4.3.0"] * 2
    assert world.delivered == []
    assert world.say(b"NOOP\r\n") == ["250 2.0.0 OK"]


def test_nothing_else_is_to_be_had() -> None:
    """No list is shown, no queue started."""
    world = lmtp()
    world.say(b"LHLO client.example\r\n")

    assert world.say(b"EXPN team@b.example\r\n")[0].startswith("252 2.5.0 ")
    assert world.say(b"ETRN relayed.example\r\n")[0].startswith("459 4.7.1 ")
