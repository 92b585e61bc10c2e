"""Port 25: our own addresses from anybody, nothing relayed, nothing repaired."""

import pytest

from mailsuite.address import Address
from mailsuite.meaning import Foreign
from mailsuite.policy.relay import NoRelay, SubmissionRelay
from mailsuite.smtp import replies
from tests.service.world import ALICE, PEER, World


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
    assert NoRelay().judge(PEER, None, Address("x", "else.example"), Foreign()) is replies.NO_RELAY


def test_no_header_is_repaired() -> None:
    """RFC 5321 §6.4: Bcc stays, and no Date or Message-ID is added."""
    world = World()
    world.send(b"Bcc: x\r\nFrom: not readable\r\n\r\nhello\r\n")

    assert world.delivered[0][0].endswith(b"\r\nBcc: x\r\nFrom: not readable\r\n\r\nhello\r\n")


def test_lists_are_not_expanded() -> None:
    """RFC 5321 §7.3: nobody is told who is on a list."""
    world = World()
    world.directory.members["list@b.example"] = [Address("alice", "b.example")]

    assert world.say(b"EXPN list@b.example\r\n")[0].startswith("252 2.5.0")


def test_logging_in_where_it_is_offered() -> None:
    """A login shows in the trace (RFC 3848)."""
    world = World()
    world.log_in()
    world.send(b"\r\n")

    assert b"with ESMTPA id" in world.delivered[0][0]
    assert [kind for kind, _ in world.log.records] == ["login", "smtp"]


def test_the_submission_relay_wants_a_login() -> None:
    """Without one nothing is judged."""
    judge = SubmissionRelay().judge
    stranger = Address("x", "else.example")

    assert judge(PEER, None, stranger, Foreign()) is replies.AUTH_REQUIRED
    assert judge(PEER, ALICE, stranger, Foreign()) is replies.NOT_YET_RELAYED
