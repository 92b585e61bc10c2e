"""Port 25: our own addresses from anybody, nothing relayed, nothing repaired."""

import pytest

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.envelope import Peer
from mailsuite.meaning import Foreign, Mailbox, Mailboxes, Relayed
from mailsuite.outcome import DELIVERED, Deferred
from mailsuite.policy.relay import SubmissionRelay
from mailsuite.service.dispatch import LOOP
from mailsuite.smtp import replies
from tests.doubles import mailboxes
from tests.service.world import ALICE, ETRN_PEER, PEER, World


def test_anybody_may_send_to_us() -> None:
    """Any reverse-path is taken, one of ours and the null one too."""
    for sender in ("carol@a.example", "alice@b.example", ""):
        assert World().send(b"\r\n", sender=sender).startswith("250")


@pytest.mark.parametrize("login", [None, ALICE])
def test_nothing_is_relayed(login: object) -> None:
    """RFC 2505 §2.1: not for a stranger, and on this port not for a login either."""
    world = World()
    if login is not None:
        world.log_in()
    world.greet()

    assert world.say(b"RCPT TO:<x@else.example>\r\n") == ["550 5.7.1 We do not relay"]


def test_a_relayed_domain() -> None:
    """Mail for a domain that we pass on is taken from anybody, and queued as it came but for our trace."""
    world = World()

    assert world.send(b"Subject: x\r\n\r\nhi\r\n", "x@relayed.example").startswith("250")
    ((message, (recipient,), octets),) = world.queue.accepted
    assert (str(recipient.address), recipient.destination) == ("x@relayed.example", "relayed.example")
    assert octets.startswith(b"Received: from client.example")
    assert octets.endswith(b"\r\nSubject: x\r\n\r\nhi\r\n")
    assert message.arrived_from == "client.example ([192.0.2.1])"
    assert [job.destination for job in world.runner.begun] == ["relayed.example"]


def test_an_alias_with_a_member_elsewhere() -> None:
    """The mailbox gets it, and the member elsewhere through the queue."""
    world = World()

    assert world.send(b"\r\n", "team@b.example").startswith("250")
    assert [numbers for _, numbers in world.delivered] == [[1]]
    assert [str(each.address) for each in world.queue.accepted[0][1]] == ["x@else.example"]


def test_a_forwarding_loop_is_refused() -> None:
    """Lesson 21: a Delivered-To of ours stops forwarding."""
    world = World()
    world.directory.meanings["fwd@b.example"] = Mailboxes((), (Address("x", "else.example"),))

    reply = world.send(b"Delivered-To: fwd@b.example\r\n\r\n", "fwd@b.example")

    assert reply.startswith("554 5.4.6")
    assert world.queue.accepted == []


def test_what_the_sender_wants_to_hear() -> None:
    """RFC 3461 §5.2.1: NOTIFY, ORCPT, RET and ENVID wait in the queue with the message, decoded."""
    world = World()
    world.directory.meanings["y@relayed.example"] = Relayed()
    world.say(b"EHLO client.example\r\nMAIL FROM:<carol@a.example> RET=hdrs ENVID=Qq+2B1\r\n")
    world.say(b"RCPT TO:<x@relayed.example> NOTIFY=delay,failure ORCPT=rfc822;Old+2Bx@c.example\r\n")
    world.say(b"RCPT TO:<y@relayed.example>\r\nDATA\r\n")

    assert world.say(b"Subject: x\r\n\r\nhi\r\n.\r\n")[0].startswith("250")
    ((message, (first, second), _),) = world.queue.accepted
    assert (message.ret, message.envid) == ("HDRS", "Qq+1")
    assert (first.notify, first.original) == ("FAILURE,DELAY", "rfc822;Old+x@c.example")
    assert (second.notify, second.original) == ("", "")


def test_success_is_told_once_it_is_durable() -> None:
    """RFC 3461 §5.2.3, to who asks for it."""
    world = World()
    world.say(b"EHLO client.example\r\nMAIL FROM:<carol@a.example>\r\n")
    world.say(b"RCPT TO:<alice@b.example> NOTIFY=SUCCESS\r\nRCPT TO:<bob@b.example> NOTIFY=NEVER\r\nDATA\r\n")
    assert world.reports.told == []

    assert world.say(b"\r\n.\r\n")[0].startswith("250")
    assert world.reports.told == [("alice@b.example", DELIVERED)]


def test_a_loop_beside_a_mailbox_that_has_to_wait() -> None:
    """The peer has to come again: what will do better next time must not fail with what will not."""
    world = World()
    world.directory.meanings["fwd@b.example"] = Mailboxes((), (Address("x", "else.example"),))
    world.store.refusals = {Mailbox(1, "b.example/box1"): Deferred("4.2.0", "as a test wants it")}
    content = b"Delivered-To: fwd@b.example\r\n\r\n"

    assert world.send(content, "fwd@b.example", "alice@b.example").startswith("451 4.2.0")
    assert world.reports.told == []

    world.store.refusals = {}
    assert world.send(content, "fwd@b.example", "alice@b.example").startswith("250")
    assert world.reports.told == [("fwd@b.example", LOOP)]


def test_etrn_for_those_who_may() -> None:
    """RFC 1985: of listed peers and logins, for domains that we pass mail on for."""
    stranger = World()
    stranger.greet()
    assert stranger.say(b"RSET\r\nETRN relayed.example\r\n")[1].startswith("459 ")

    peer = World(peer=Peer(ETRN_PEER))
    peer.runner.count = 3
    peer.greet()
    replies_given = peer.say(b"RSET\r\nETRN relayed.example\r\nETRN b.example\r\n")
    assert replies_given[1].startswith("253 2.0.0 OK, 3 ")
    assert replies_given[2].startswith("458 ")
    assert peer.runner.flushed[:1] == ["relayed.example"]

    login = World()
    login.log_in()
    assert login.say(b"ETRN relayed.example\r\n")[0].startswith("251 ")
    del login.passwords.logins["alice@b.example"]
    assert login.say(b"ETRN relayed.example\r\n")[0].startswith("459 ")


@pytest.mark.parametrize("start", [b" folded\r\n", b"\tfolded\r\n", b" \r\n"])
def test_lesson_9_white_space_at_the_very_beginning(start: bytes) -> None:
    """It would go on with our own last field: an empty line parts them."""
    world = World()
    world.send(start + b"Bcc: x\r\n\r\nhello\r\n")

    assert world.delivered[0][0].endswith(b" +0000\r\n\r\n" + start + b"Bcc: x\r\n\r\nhello\r\n")


def test_no_header_is_repaired() -> None:
    """RFC 5321 §6.4: Bcc stays, and no Date or Message-ID is added."""
    world = World()
    world.send(b"Bcc: x\r\nFrom: not readable\r\n\r\nhello\r\n")

    assert world.delivered[0][0].endswith(b"\r\nBcc: x\r\nFrom: not readable\r\n\r\nhello\r\n")


def test_a_message_with_smtputf8() -> None:
    """RFC 6531 §3.7.3, §4.3: the paths stand in the trace as they came, and the keyword says how."""
    world = World()
    world.directory.meanings["пётр@b.example"] = mailboxes(7)
    envelope = "MAIL FROM:<мария@пример.рф> SMTPUTF8\r\nRCPT TO:<пётр@b.example>\r\n"
    assert [reply[:3] for reply in world.say(b"EHLO x\r\n" + envelope.encode())] == ["250"] * 3
    assert world.say("DATA\r\nFrom: Мария <мария@пример.рф>\r\n\r\nhello\r\n.\r\n".encode())[1][:3] == "250"

    ((content, boxes),) = world.delivered
    text = content.decode()
    assert text.startswith("Return-Path: <мария@пример.рф>\r\nReceived: from x ")
    assert " with UTF8SMTP id " in text and "\tfor <пётр@b.example>; " in text
    assert text.endswith("From: Мария <мария@пример.рф>\r\n\r\nhello\r\n")
    assert boxes == [7]
    assert world.records()[0]["to"] == ["пётр@b.example"]


def test_lists_are_not_expanded() -> None:
    """RFC 5321 §7.3: who has not logged in is not told who is on a list."""
    world = World()
    world.directory.members["list@b.example"] = [Address("alice", "b.example")]

    assert world.say(b"EXPN list@b.example\r\n")[0].startswith("252 2.5.0")
    world.log_in()
    assert world.say(b"EXPN list@b.example\r\n") == ["250 2.1.5 <alice@b.example>"]


def test_logging_in_where_it_is_offered() -> None:
    """A login shows in the trace (RFC 3848)."""
    world = World()
    world.log_in()
    world.send(b"\r\n")

    assert b"with ESMTPA id" in world.delivered[0][0]
    assert [kind for kind, _ in world.log.records] == ["login", "smtp"]


def test_who_was_suspended_since() -> None:
    """A login is good for a message as long as it would be given again: then 550, as on submission."""
    world = World()
    world.log_in()
    assert world.say(b"MAIL FROM:<>\r\nRSET\r\n")[0].startswith("250 ")
    del world.passwords.logins["alice@b.example"]

    assert world.say(b"MAIL FROM:<>\r\n") == ["550 5.7.1 This login may not send from that address"]


def test_the_submission_relay_wants_a_login() -> None:
    """Without one nothing is judged; with one mail may go anywhere."""
    stranger = Address("x", "else.example")

    for login, refusal in ((None, replies.AUTH_REQUIRED), (ALICE, None)):
        case = Case(PEER, "client.example", login, None, stranger, Foreign())
        assert SubmissionRelay().judge(case).refusal is refusal
