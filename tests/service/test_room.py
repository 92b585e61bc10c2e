"""Full mailboxes at RCPT, and mail that is held over a cap."""

import pytest
from twisted.internet.defer import Deferred

from tests.doubles import FixedQuotas, OneCap
from tests.service.world import World

MAIL = b"EHLO client.example\r\nMAIL FROM:<carol@a.example> SIZE=1234\r\n"


def asked(world: World, *recipients: str) -> list[str]:
    """Return the replies to RCPT for each of *recipients* of a message of 1234 octets."""
    commands = "".join(f"RCPT TO:<{to}>\r\n" for to in recipients)
    return world.say(MAIL + commands.encode())[2:]


@pytest.mark.parametrize("lmtp", [False, True])
def test_a_full_mailbox_is_refused_and_the_others_are_served(lmtp: bool) -> None:
    """By SMTP and LMTP; the log names it."""
    quotas = FixedQuotas({1: "full"})
    world = World(quotas=quotas, lmtp=lmtp)
    hello = b"LHLO" if lmtp else b"EHLO"
    replies = world.say(hello + MAIL[4:] + b"RCPT TO:<alice@b.example>\r\nRCPT TO:<bob@b.example>\r\n")
    assert replies[2:] == ["452 4.2.2 This mailbox is full, try again later", "250 2.1.5 Recipient OK"]
    assert quotas.kept == [([2], 1234)]

    world.say(b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
    assert world.delivered[0][1] == [2]
    assert quotas.kept == []
    assert world.records()[-1]["refused"] == ["452 4.2.2 <alice@b.example>"]


def test_what_is_larger_than_the_mailbox_is_not_to_come_again() -> None:
    """It would be refused tomorrow, too."""
    (reply,) = asked(World(quotas=FixedQuotas({1: "too small"})), "alice@b.example")
    assert reply == "552 5.2.3 The message is larger than all that this mailbox may hold"


def test_an_alias_of_which_a_member_is_full_is_taken() -> None:
    """So is one that goes on to somebody else, too: that copy has room."""
    world = World(quotas=FixedQuotas({1: "full"}))
    assert asked(world, "both@b.example", "team@b.example") == ["250 2.1.5 Recipient OK"] * 2


def test_a_mailbox_has_one_copy_and_room_for_one() -> None:
    """However many addresses lead there; nor does it matter that it is full when it gets the message anyway."""
    quotas = FixedQuotas()
    world = World(quotas=quotas)
    assert asked(world, "alice@b.example", "both@b.example", "alice@b.example") == ["250 2.1.5 Recipient OK"] * 3
    assert quotas.kept == [([1], 1234), ([2], 1234)]

    world = World(quotas=FixedQuotas({1: "full"}))
    assert asked(world, "both@b.example", "alice@b.example") == ["250 2.1.5 Recipient OK"] * 2


@pytest.mark.parametrize("end", [b"RSET\r\n", b"EHLO again.example\r\n", b"QUIT\r\n", b"DATA\r\nx\r\n.\r\n"])
def test_room_is_given_back_however_a_transaction_ends(end: bytes) -> None:
    """A message that comes lies in the mailbox by then."""
    quotas = FixedQuotas()
    world = World(quotas=quotas)
    asked(world, "alice@b.example")
    assert len(quotas.kept) == 1
    world.say(end)
    if end.startswith(b"QUIT"):
        world.drop_connection()
    assert quotas.kept == []


def test_who_is_gone_before_the_answer_keeps_no_room() -> None:
    """The mailbox was looked at meanwhile."""
    quotas = FixedQuotas()
    quotas.pending = Deferred()
    world = World(quotas=quotas)
    assert asked(world, "alice@b.example") == []
    world.drop_connection()
    quotas.pending.callback(None)
    assert quotas.kept == []


def test_over_a_cap_mail_is_taken_and_held() -> None:
    """For mailboxes of ours and for others; nothing of it is delivered, the 250 comes when it is in the queue."""
    caps = OneCap(1)
    world = World(submission=True, caps=caps, check_from=False)
    world.log_in()
    for _ in range(2):
        reply = world.send(b"Subject: x\r\n\r\nx\r\n", "alice@b.example", "x@else.example", sender="alice@b.example")
        assert reply.startswith("250")

    assert caps.judged == [("alice@b.example", ["alice@b.example", "x@else.example"])] * 2
    assert len(world.delivered) == 1
    first, second = world.queue.accepted
    assert (first[0].hold, second[0].hold) == ("", "too much")
    assert sorted(each.destination for each in second[1]) == ["else.example", "local"]
    assert [fields["limit"] for kind, fields in world.log.records if kind == "limit"] == ["caps"]


def test_no_cap_is_asked_of_who_has_no_login() -> None:
    """Mail from others is no submission."""
    world = World(caps=OneCap(0))
    assert world.send(b"x\r\n").startswith("250")
    assert len(world.delivered) == 1
