"""Who may send where."""

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.envelope import Peer
from mailsuite.interfaces import IBackupRecipients
from mailsuite.maybe import Maybe
from mailsuite.meaning import Broken, Foreign, Known, Login, Mailbox, Mailboxes, Meaning, Relayed, Suspended, Unknown
from mailsuite.peers import peers_in
from mailsuite.policy.address_table import AddressTable
from mailsuite.policy.relay import InboundRelay, SubmissionRelay
from mailsuite.policy.relay_rules import WINDOW, RelayRule
from mailsuite.policy.state import MemoryState
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.verdict import Verdict

PEER = Peer("127.0.0.1", 1025)
PRINTER = Peer("192.168.7.20", 1025)
ALICE = Login(1, "alice@b.example", Mailbox(1, "b.example/alice"))
SCANNER = Address("scanner", "b.example")
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


class Time:
    """Seconds that go by when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def case(
    meaning: Meaning,
    peer: Peer = PEER,
    login: Login | None = None,
    sender: Address | None = SCANNER,
    to: Address = TO,
) -> Case:
    """Return a case of which only some things matter."""
    return Case(peer, "client.example", login, sender, to, meaning)


def relay(answer: Maybe[Known] = None, *rules: RelayRule, seconds: Time | None = None) -> InboundRelay:
    """Return the MTA's rule."""
    return InboundRelay(MemoryState(seconds or Time()), Asked(answer), rules)


def refusal(check: InboundRelay | SubmissionRelay, of: Case) -> Reply | None:
    """Return what *check* answers at once."""
    verdict = check.judge(of)
    assert isinstance(verdict, Verdict)
    assert verdict.reason
    return verdict.refusal


def rule(*senders: str, recipients: tuple[str, ...] = (), most: int = 0) -> RelayRule:
    """Return the rule of the printers."""
    tables: list[AddressTable[str]] = []
    for texts in (senders, recipients):
        table: AddressTable[str] = AddressTable()
        for text in texts:
            table.add(text, text)
        tables.append(table)
    return RelayRule("printers", peers_in(["192.168.7.0/24"]), tables[0], tables[1], most)


@pytest.mark.parametrize("login", [None, ALICE])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_nothing_is_relayed_for_anybody_on_port_25(meaning: Meaning, login: Login | None) -> None:
    """RFC 2505 §2.1: not even for one who has logged in there, nor from loopback; what is ours is let through."""
    said = refusal(relay(), case(meaning, login=login))

    assert said is (replies.NO_RELAY if isinstance(meaning, Foreign) else None)


@pytest.mark.parametrize("meaning", MEANINGS)
def test_a_login_may_send_anywhere(meaning: Meaning) -> None:
    """Who has none may send nowhere by submission."""
    assert refusal(SubmissionRelay(), case(meaning, login=ALICE)) is None
    assert refusal(SubmissionRelay(), case(meaning)) is replies.AUTH_REQUIRED


@pytest.mark.parametrize(("domain", "reply"), [
    ("localhost", replies.UNQUALIFIED), ("mail", replies.UNQUALIFIED), ("a.example", None), ("[192.0.2.1]", None),
    ("[IPv6:2001:db8::1]", None),
])  # fmt: skip
def test_domains_of_submissions_are_fully_qualified(domain: str, reply: Reply | None) -> None:
    """RFC 6409 §4.2: where they are none of ours."""
    to = Address("x", domain)

    assert refusal(SubmissionRelay({"other"}), case(Foreign(), login=ALICE, to=to)) is reply
    assert refusal(SubmissionRelay({"localhost", "mail"}), case(Foreign(), login=ALICE, to=to)) is None
    assert refusal(SubmissionRelay(), case(Relayed(), login=ALICE, to=to)) is None
    assert refusal(SubmissionRelay(), case(Foreign(), to=to)) is replies.AUTH_REQUIRED


@pytest.mark.parametrize("local", ["x%y.example", "y.example!x", "x@y.example"])
def test_a_way_to_a_third_host_is_not_passed_on(local: str) -> None:
    """RFC 2505 §2.1: the next host may trust us; where the domain ends here, such a name is one like others."""
    to = Address(local, "relayed.example")

    for meaning in (Relayed(), Relayed(backup=True)):
        assert refusal(relay(True), case(meaning, to=to)) is replies.NO_RELAY
        assert refusal(relay(True, rule()), case(meaning, PRINTER, to=to)) is None
    assert refusal(relay(), case(Unknown(), to=to)) is None


@pytest.mark.parametrize(
    ("known", "reply"), [(False, replies.UNKNOWN_USER), (True, None), (None, None), ("later", replies.TOO_BUSY)]
)
def test_a_recipient_that_the_primary_would_refuse_is_refused(known: Known, reply: object) -> None:
    """Where nobody can say, mail is taken; where we have too much to ask, it is put off."""
    recipients = Asked(known)
    check = InboundRelay(MemoryState(Time()), recipients)

    assert refusal(check, case(Relayed(backup=True))) is reply
    assert recipients.asked == [TO]


def test_the_primary_is_asked_about_its_own_domains_alone() -> None:
    """What is local or relayed needs no other's word."""
    recipients = Asked(False)

    for meaning in MEANINGS:
        if meaning != Relayed(backup=True):
            InboundRelay(MemoryState(Time()), recipients).judge(case(meaning))

    assert recipients.asked == []


def test_an_answer_may_come_later() -> None:
    """The session waits for it."""
    asked: Deferred[Known] = Deferred()
    judged = relay(asked).judge(case(Relayed(backup=True)))
    results: list[Verdict] = []
    Deferred.fromCoroutine(judged).addCallback(results.append)  # type: ignore[arg-type]

    assert results == []
    asked.callback(False)

    assert [each.refusal for each in results] == [replies.UNKNOWN_USER]


def test_a_rule_lets_its_networks_relay() -> None:
    """Nobody else, and the verdict names it."""
    check = relay(None, rule())

    verdict = check.judge(case(Foreign(), PRINTER, sender=None))
    assert isinstance(verdict, Verdict)
    assert (verdict.refusal, verdict.rule) == (None, "relay.printers")
    for host in ("192.168.8.20", "127.0.0.1", "unix", "unknown", "::ffff:192.168.8.20"):
        assert refusal(check, case(Foreign(), Peer(host))) is replies.NO_RELAY
    assert refusal(check, case(Foreign(), Peer("::ffff:192.168.7.20"))) is None


@pytest.mark.parametrize(
    ("sender", "to", "fits"),
    [
        (SCANNER, TO, True),
        (Address("SCANNER", "B.Example"), TO, True),
        (SCANNER, Address("x", "sub.a.example"), False),
        (Address("eve", "b.example"), TO, False),
        (None, TO, False),
    ],
)
def test_a_rule_may_name_senders_and_recipients(sender: Address | None, to: Address, fits: bool) -> None:
    """Both have to fit then; the null sender is none of those that are named."""
    check = relay(None, rule("scanner@b.example", recipients=("a.example",)))

    assert refusal(check, case(Foreign(), PRINTER, sender=sender, to=to)) is (None if fits else replies.NO_RELAY)


@pytest.mark.parametrize("local", ["user%far.example", "far!user", "user@far.example"])
def test_a_rule_for_some_recipients_leads_no_further(local: str) -> None:
    """Who may send to one domain alone may not name a third host to it; who may send anywhere may."""
    to = Address(local, "a.example")

    assert rule(recipients=("a.example",)).covers(case(Foreign(), peer=PRINTER, to=to)) is False
    assert rule().covers(case(Foreign(), peer=PRINTER, to=to)) is True


def test_a_rule_has_a_limit() -> None:
    """At it mail is taken, one past it is put off until the hour is over; each peer has its own share."""
    seconds = Time()
    check = relay(None, rule(most=2), seconds=seconds)

    said = [refusal(check, case(Foreign(), PRINTER)) for _ in range(4)]

    assert said == [None, None, replies.TOO_MANY_ADDRESSED, replies.TOO_MANY_ADDRESSED]
    assert refusal(check, case(Foreign(), Peer("192.168.7.21"))) is None
    seconds.now = WINDOW + 1
    assert refusal(check, case(Foreign(), PRINTER)) is None
