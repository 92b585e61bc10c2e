"""Who may send where."""

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import IBackupRecipients
from mailsuite.maybe import Maybe
from mailsuite.meaning import Broken, Foreign, Known, Login, Mailbox, Mailboxes, Meaning, Relayed, Suspended, Unknown
from mailsuite.policy.relay import NoRelay, SubmissionRelay
from mailsuite.smtp import replies

PEER = Peer("127.0.0.1", 1025)
ALICE = Login(1, "alice@b.example", Mailbox(1, "b.example/alice"))
TO = Address("x", "a.example")
MEANINGS = [
    Mailboxes((Mailbox(1, "b.example/alice"),)),
    Mailboxes((), (Address("friend", "elsewhere.example"),)),
    Unknown(),
    Suspended(),
    Broken("loop"),
    Relayed(),
    Relayed(backup=True),
    Foreign(),
]


@implementer(IBackupRecipients)
class Asked:
    """Says what it was told to, at once or later, and remembers whom it was asked about."""

    def __init__(self, answer: Maybe[Known]) -> None:
        self.answer = answer
        self.asked: list[Address] = []

    def known(self, address: Address) -> Maybe[Known]:
        self.asked.append(address)
        return self.answer


@pytest.mark.parametrize("login", [None, ALICE])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_nothing_is_relayed_for_anybody_on_port_25(meaning: Meaning, login: Login | None) -> None:
    """Not even for one who has logged in there, nor from loopback; what is ours in whatever way is let through."""
    judged = NoRelay().judge(PEER, login, TO, meaning)

    assert judged is (replies.NO_RELAY if isinstance(meaning, Foreign) else None)


@pytest.mark.parametrize("meaning", MEANINGS)
def test_a_login_may_send_anywhere(meaning: Meaning) -> None:
    """Who has none may send nowhere by submission."""
    assert SubmissionRelay().judge(PEER, ALICE, TO, meaning) is None
    assert SubmissionRelay().judge(PEER, None, TO, meaning) is replies.AUTH_REQUIRED


@pytest.mark.parametrize(
    ("known", "reply"), [(False, replies.UNKNOWN_USER), (True, None), (None, None), ("later", replies.TOO_BUSY)]
)
def test_a_recipient_that_the_primary_would_refuse_is_refused(known: Known, reply: object) -> None:
    """Where nobody can say, mail is taken; where we have too much to ask, it is put off."""
    recipients = Asked(known)

    assert NoRelay(recipients).judge(PEER, None, TO, Relayed(backup=True)) is reply
    assert recipients.asked == [TO]


def test_the_primary_is_asked_about_its_own_domains_alone() -> None:
    """What is local or relayed needs no other's word."""
    recipients = Asked(False)

    for meaning in MEANINGS:
        if meaning != Relayed(backup=True):
            NoRelay(recipients).judge(PEER, None, TO, meaning)

    assert recipients.asked == []


def test_an_answer_may_come_later() -> None:
    """The session waits for it."""
    asked: Deferred[Known] = Deferred()
    judged = NoRelay(Asked(asked)).judge(PEER, None, TO, Relayed(backup=True))
    results: list[object] = []
    Deferred.fromCoroutine(judged).addCallback(results.append)  # type: ignore[arg-type]

    assert results == []
    asked.callback(False)

    assert results == [replies.UNKNOWN_USER]
