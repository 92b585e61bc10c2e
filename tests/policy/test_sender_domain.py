"""Senders whose domain DNS does not know."""

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.dns import MX
from mailsuite.envelope import Peer
from mailsuite.interfaces import IPolicyCheck
from mailsuite.maybe import value_of
from mailsuite.meaning import Foreign, Login, Mailbox, Mailboxes, Meaning
from mailsuite.policy.sender_domain import RULE, SenderDomain
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.verdict import Verdict
from tests.doubles import FixedDirectory
from tests.doubles_dns import FixedResolver

PEER, GATEWAY = Peer("192.0.2.7"), Peer("192.0.2.99")
ALICE = Mailbox(1, "b.example/alice")
LOGIN = Login(1, "alice@b.example", ALICE)
TO = Address("alice", "b.example")
BOX = Mailboxes((ALICE,))
IN_DNS = {
    "mail.example": [MX(10, "mx.mail.example")],
    "null.example": [MX(0, "")],
    "odd.example": [MX(0, ""), MX(5, "m")],
}


def resolver() -> FixedResolver:
    """What DNS knows."""
    return FixedResolver(
        IN_DNS, {"host.example": ["192.0.2.1"], "empty.example": []}, troubled=["broken.example"]
    )


def verdict(
    sender: str, rejects: bool = True, peer: Peer = PEER, login: Login | None = None, to: Address = TO,
    meaning: Meaning = BOX, dns: FixedResolver | None = None,
) -> Verdict:  # fmt: skip
    """Return what is said of *sender*."""
    # Whom it knows nothing of belongs to one of its own domains.
    directory = FixedDirectory({} if sender.endswith("@b.example") else {sender: Foreign()})
    check = SenderDomain(dns or resolver(), directory, rejects, lambda peer: peer == GATEWAY)
    local, _, domain = sender.rpartition("@")
    case = Case(peer, "client.example", login, Address(local, domain) if sender else None, to, meaning)

    async def judge() -> Verdict:
        said: Verdict = await value_of(check.judge(case))
        return said

    return SynchronousTestCase().successResultOf(Deferred.fromCoroutine(judge()))


def test_it_is_a_check() -> None:
    """It provides the interface."""
    assert verifyObject(IPolicyCheck, SenderDomain(resolver(), FixedDirectory({}), True, lambda peer: False))


@pytest.mark.parametrize(
    ("sender", "rejected", "deferred"),
    [
        ("joe@mail.example", None, None),
        ("joe@MAIL.Example", None, None),
        ("joe@host.example", None, None),
        # RFC 7505 §3: a null MX among others is a mistake.
        ("joe@odd.example", None, None),
        ("joe@nowhere.example", replies.SENDER_NOT_IN_DNS, replies.SENDER_NOT_IN_DNS_NOW),
        ("joe@empty.example", replies.SENDER_NOT_IN_DNS, replies.SENDER_NOT_IN_DNS_NOW),
        ("joe@null.example", replies.SENDER_TAKES_NO_MAIL, replies.SENDER_NOT_IN_DNS_NOW),
        # That DNS does not say is never the sender's fault (RFC 2505 §2.13).
        ("joe@broken.example", replies.SENDER_UNKNOWN_NOW, replies.SENDER_UNKNOWN_NOW),
        ("", None, None),
        ("joe@[192.0.2.1]", None, None),
        ("postmaster", None, None),
        # §2.6.2: one of ours, which only we know.
        ("bob@b.example", None, None),
    ],
)
def test_senders(sender: str, rejected: Reply | None, deferred: Reply | None) -> None:
    """Refused for good or for now, by the setting; the log has which key it was."""
    for rejects, reply in ((True, rejected), (False, deferred)):
        said = verdict(sender, rejects)

        assert said.refusal == reply, said
        assert said.reason
        assert said.rule == ("" if reply is None else RULE)


def test_who_is_not_asked_about() -> None:
    """Who has logged in, exempt peers, and mail for postmaster: nothing goes to DNS."""
    dns = resolver()
    assert verdict("joe@nowhere.example", login=LOGIN, dns=dns).refusal is None
    assert verdict("joe@nowhere.example", peer=GATEWAY, dns=dns).refusal is None
    assert verdict("joe@nowhere.example", to=Address("Postmaster", "b.example"), dns=dns).refusal is None
    assert dns.asked == []

    elsewhere = verdict("joe@nowhere.example", to=Address("postmaster", "c.example"), meaning=Foreign(), dns=dns)
    assert elsewhere.refusal == replies.SENDER_NOT_IN_DNS
