"""Delivery to other hosts: what the far end may do, and what becomes of the recipients."""

from email import message_from_bytes
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.attempt import LOOKED_AT
from mailsuite.dns import MX
from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queued import Job, QueuedRecipient
from mailsuite.route import Route
from mailsuite.smtp.settings import Limits, Settings
from tests.delivery.world import MX1, MX1_TOO, MX2, MX3, World
from tests.doubles_delivery import DROP, MESSAGE, SILENCE, Far, FarSession, Real, Scripted, job, recipient

ONE = "bob@b.example"
PLAIN_EHLO = "250 mx.example"


def deferred(outcome: Outcome, status: str, whole: bool) -> Deferred:
    """Check that *outcome* is so put off."""
    assert isinstance(outcome, Deferred), outcome
    assert (outcome.status, outcome.whole) == (status, whole)
    return outcome


def failed(outcome: Outcome, status: str) -> Failed:
    """Check that *outcome* is so final."""
    assert isinstance(outcome, Failed), outcome
    assert outcome.status == status
    return outcome


def everywhere(far: Far) -> dict[str, Far]:
    """Return *far* at each address of the destination."""
    return dict.fromkeys((MX1, MX1_TOO, MX2, MX3), far)


# What goes well


def test_delivered_to_the_real_server() -> None:
    """Client and server of ours understand each other: envelope, content, answer."""
    far = Real()
    world = World({MX1: far})

    outcome = world.deliver_one(job(ONE))

    assert isinstance(outcome, Delivered)
    assert outcome.answer == Answer("mx1.b.example", 250, "2.0.0", ("Accepted",))
    assert far.messages == [("alice@example.org", [ONE], MESSAGE)]


def test_null_reverse_path() -> None:
    """A report goes out with an empty one."""
    far = Real()

    World({MX1: far}).deliver_one(job(ONE, reverse_path=None))

    assert far.messages == [("<>", [ONE], MESSAGE)]


def test_large_content_is_streamed() -> None:
    """It goes from the queue to the socket, and is never whole in memory here."""
    far = Real(Settings("mx.example", Limits(message_size=3 << 20)))
    world = World({MX1: far})
    piece = b"x" * 998 + b"\r\n"
    world.contents.pieces = (b"Subject: x\r\n\r\n",) + (piece * 50,) * 30

    outcome = world.deliver_one(job(ONE, content=None, size=14 + 1_500_000))

    assert isinstance(outcome, Delivered)
    assert far.messages == [("alice@example.org", [ONE], b"Subject: x\r\n\r\n" + piece * 1500)]
    assert [each.closed for each in world.contents.opened] == [1]


@pytest.mark.parametrize("late", [False, True])
def test_small_content_is_read_whole(late: bool) -> None:
    """What was not at hand comes from the queue, once for all transactions."""
    far = Real()
    world = World({MX1: far}, recipients=1)
    world.contents.pieces, world.contents.late = (MESSAGE[:5], MESSAGE[5:]), late

    outcomes = world.deliver(job(ONE, "eve@b.example", content=None, size=len(MESSAGE)))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [content for _, _, content in far.messages] == [MESSAGE] * 2
    assert [each.closed for each in world.contents.opened] == [1]


def test_added_fields() -> None:
    """Each copy goes out with its own header fields; equal ones share a transaction."""
    far = Real()
    added = b"Delivered-To: list@example.org\r\n"

    World({MX1: far}).deliver(job(ONE, recipient("c@b.example", added=added), "d@b.example"))

    assert far.messages == [
        ("alice@example.org", [ONE, "d@b.example"], MESSAGE),
        ("alice@example.org", ["c@b.example"], added + MESSAGE),
    ]


def test_added_fields_of_a_large_message() -> None:
    """They go before what is streamed."""
    far = Real()
    world = World({MX1: far})
    world.contents.pieces = (MESSAGE, b"x\r\n" * 400_000)

    world.deliver(job(recipient(ONE, added=b"Delivered-To: x@y.example\r\n"), content=None, size=1_200_026))

    assert far.messages[0][2] == b"Delivered-To: x@y.example\r\n" + MESSAGE + b"x\r\n" * 400_000


@pytest.mark.parametrize(("recipients", "transactions"), [(100, 1), (101, 2)])
def test_recipients_of_one_transaction(recipients: int, transactions: int) -> None:
    """At most 100, which every server has to take (RFC 5321 §4.5.3.1.8)."""
    far = Real()

    outcomes = World({MX1: far}).deliver(job(*(f"r{number}@b.example" for number in range(recipients))))

    assert len(far.messages) == transactions
    assert sum(len(to) for _, to, _ in far.messages) == recipients
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)


def test_who_reports_from_now_on() -> None:
    """A server that offers DSN has taken that over (RFC 3461 §5.2.2), and gets what it needs for it."""
    far = Scripted(ehlo="250-mx.example\n250 DSN")
    to = recipient(ONE, notify="SUCCESS", original="rfc822;bobby@b.example")

    outcome = World({MX1: far}).deliver_one(job(to, ret="HDRS", envid="e1"))

    assert isinstance(outcome, Delivered)
    assert outcome.informs
    assert far.commands[1:3] == [
        "MAIL FROM:<alice@example.org> RET=HDRS ENVID=e1",
        "RCPT TO:<bob@b.example> NOTIFY=SUCCESS ORCPT=rfc822;bobby@b.example",
    ]


@pytest.mark.parametrize(
    ("original", "orcpt"),
    [("", "ORCPT=rfc822;Sales@b.example"), ("rfc822;a@c.example", "ORCPT=rfc822;a@c.example")],
)
def test_whom_an_alias_stands_for(original: str, orcpt: str) -> None:
    """RFC 3461 §5.2.1 (d): the sender's own ORCPT is passed on; where there is none, whom we took the message for."""
    far = Scripted(ehlo="250-mx.example\n250 DSN")

    World({MX1: far}).deliver_one(job(recipient(ONE, original=original, added=b"Delivered-To: Sales@b.example\r\n")))

    assert far.commands[2] == f"RCPT TO:<bob@b.example> {orcpt}"


def test_who_does_not() -> None:
    """Without DSN it stays with us."""
    outcome = World({MX1: Scripted()}).deliver_one(job(ONE))

    assert isinstance(outcome, Delivered)
    assert not outcome.informs


# What an address, a host, a message, a recipient is refused for


@pytest.mark.parametrize("first", [
    None,
    Scripted(greeting=DROP),
    Scripted(greeting="421 4.3.2 Too busy"),
    Scripted(greeting="450 4.7.0 Later"),
    Scripted(greeting="554 5.7.1 Not you"),
    Scripted(greeting="521 Never"),
    Scripted(greeting="Hello!"),
    Scripted(greeting="999 What?"),
    Scripted(greeting="220-mx\n221 mx"),
    Scripted(ehlo=DROP),
    Scripted(ehlo="421 4.3.2 Not now"),
    Scripted(ehlo="450 Not now"),
    Scripted(ehlo="550 Not you", helo="550 Not you"),
    Scripted(mail=DROP),
    Scripted(mail="421 4.3.2 Closing"),
    Scripted(mail="354 Go on"),
    Scripted(mail="\x00\x01\x02"),
    Scripted(rcpt=DROP),
    Scripted(rcpt="421 4.3.2 Closing"),
    Scripted(rcpt="354 What?"),
    Scripted(data=DROP),
    Scripted(data="421 4.3.2 Closing"),
    Scripted(data="250 OK, and now?"),
    Scripted(end="421 4.3.2 Too busy after all"),
], ids=lambda far: "refused" if far is None else str(
    next((f"{verb}-{reply[:3]}" for verb, reply in far.replies.items() if "2" not in reply[:3]), "absurd")
))
def test_trouble_of_one_address(first: Far | None) -> None:
    """The next address takes the message, once."""
    second = Scripted()
    world = World({MX1_TOO: second} if first is None else {MX1: first, MX1_TOO: second})

    outcome = world.deliver_one(job(ONE))

    assert isinstance(outcome, Delivered), outcome
    assert world.tried == [MX1, MX1_TOO]
    assert second.messages == [MESSAGE]


@pytest.mark.parametrize(
    ("verb", "status", "whole"),
    [
        ("greeting", "4.4.2", True), ("ehlo", "4.4.2", True), ("mail", "4.4.2", False), ("rcpt", "4.4.2", False),
        ("data", "4.4.2", False),
    ],
)
def test_silence(verb: str, status: str, whole: bool) -> None:
    """A server that says nothing is left after its time; every stage has one."""
    far = Scripted(**{verb: SILENCE})
    world = World({MX1: far, MX1_TOO: far}, hosts=2, greeting_timeout=7, command_timeout=7, data_timeout=7)

    pending = world.begin(job(ONE))
    world.connector.wait(6)
    assert world.tried == [MX1]
    world.connector.wait(1)
    assert world.tried == [MX1, MX1_TOO]
    world.connector.wait(7)

    (outcome,) = SynchronousTestCase().successResultOf(pending)
    assert "timed out" in deferred(outcome, status, whole).reason


@pytest.mark.parametrize("what", [DROP, "354 What?", "\x00\x01"])
def test_unknown_fate(what: str) -> None:
    """A message that was sent and not answered for is not given to another host, where it would be there twice."""
    far, second = Scripted(end=what), Scripted()
    world = World({MX1: far, MX1_TOO: second, MX2: second})

    outcome = world.deliver_one(job(ONE))

    assert "may have been taken" in deferred(outcome, "4.4.2", False).reason
    assert world.tried == [MX1]


def test_silence_after_the_message() -> None:
    """The same, after the longest time of all."""
    world = World({MX1: Scripted(end=SILENCE), MX1_TOO: Scripted()}, end_timeout=600)

    pending = world.begin(job(ONE))
    world.connector.wait(599)
    assert not pending.called
    world.connector.wait(1)

    (outcome,) = SynchronousTestCase().successResultOf(pending)
    assert "may have been taken" in deferred(outcome, "4.4.2", False).reason
    assert world.tried == [MX1]


def test_unknown_fate_is_that_of_one_transaction() -> None:
    """Recipients that were not yet sent to have the next address."""
    first, second = Scripted(end=["250 OK", DROP]), Scripted()
    world = World({MX1: first, MX1_TOO: second}, recipients=1)

    one, two, three = world.deliver(job(ONE, "c@b.example", "d@b.example"))

    assert isinstance(one, Delivered)
    deferred(two, "4.4.2", False)
    assert isinstance(three, Delivered)
    assert second.commands[2] == "RCPT TO:<d@b.example>"


def test_session_that_tires_between_two_transactions() -> None:
    """From the second on, what MAIL gets may mean no more than that: the next address has the rest."""
    first, second = Scripted(mail=["250 OK", "450 4.7.0 Too many messages"]), Scripted()
    world = World({MX1: first, MX1_TOO: second}, recipients=1)

    assert all(isinstance(outcome, Delivered) for outcome in world.deliver(job(ONE, "c@b.example")))
    assert world.tried == [MX1, MX1_TOO]


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data", "end"])
@pytest.mark.parametrize("code", [450, 451, 550, 554])
def test_refusal(verb: str, code: int) -> None:
    """What is said of the message or the recipient holds, and no other host is asked."""
    far, second = Scripted(**{verb: f"{code} {code // 100}.7.1 We do not like it"}), Scripted()
    world = World({MX1: far, MX1_TOO: second, MX2: second})

    outcome = world.deliver_one(job(ONE))

    if code < 500:
        deferred(outcome, "4.7.1", False)
    else:
        failed(outcome, "5.7.1")
    assert isinstance(outcome, Deferred | Failed)
    assert outcome.answer == Answer("mx1.b.example", code, f"{code // 100}.7.1", ("We do not like it",))
    assert world.tried == [MX1]
    assert not second.commands


def test_each_recipient_its_own() -> None:
    """One message, three answers; who was accepted gets it."""
    far = Scripted(rcpt={"c": "550 5.1.1 No such user", "d": "450 4.2.1 Later"})

    one, two, three = World({MX1: far}).deliver(job(ONE, "c@b.example", "d@b.example"))

    assert isinstance(one, Delivered)
    failed(two, "5.1.1")
    deferred(three, "4.2.1", False)
    assert far.messages == [MESSAGE]


def test_decided_recipients_are_not_tried_again() -> None:
    """After a session broke, the next address gets the others alone."""
    first, second = Scripted(end=["250 OK"], mail=["250 OK", DROP]), Scripted()
    world = World({MX1: first, MX1_TOO: second}, recipients=1)

    outcomes = world.deliver(job(ONE, "c@b.example"))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [command for command in second.commands if command.startswith("RCPT")] == ["RCPT TO:<c@b.example>"]


@pytest.mark.parametrize("reply", ["452 4.5.3 Too many recipients", "452 Too many", "552 Too many recipients"])
def test_too_many_recipients(reply: str) -> None:
    """Those beyond what a server takes at a time come in the next transaction, at once (RFC 5321 §4.5.3.1.10)."""
    far = Real(Settings("mx.example", Limits(recipients=2))) if reply.startswith("452 4") else Scripted(
        rcpt=["250 OK", "250 OK", reply, "250 OK"]
    )
    world = World({MX1: far})

    outcomes = world.deliver(job(ONE, "c@b.example", "d@b.example"))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(far.messages) == 2
    assert world.tried == [MX1]


def test_a_server_that_takes_none() -> None:
    """Where not one was accepted there is no next transaction."""
    world = World({MX1: Scripted(rcpt="452 4.5.3 Too many")})

    for outcome in world.deliver(job(ONE, "c@b.example")):
        deferred(outcome, "4.5.3", False)


def test_all_addresses_refuse() -> None:
    """The destination is down."""
    world = World({})

    outcome = world.deliver_one(job(ONE))

    assert "connection refused" in deferred(outcome, "4.4.1", True).reason
    assert world.tried == [MX1, MX1_TOO, MX2, MX3]


@pytest.mark.parametrize(("hosts", "tried"), [(2, [MX1, MX1_TOO]), (3, [MX1, MX1_TOO, MX2])])
def test_addresses_are_bounded(hosts: int, tried: list[str]) -> None:
    """One try goes through so many."""
    world = World({}, hosts=hosts)

    world.deliver_one(job(ONE))

    assert world.tried == tried


def test_who_was_not_asked_has_not_refused() -> None:
    """Where the bound ends the search, the next host may take mail for all that is known."""
    never = Scripted(greeting="521 mx does not accept mail")

    world = World({MX1: never, MX1_TOO: never, MX2: Scripted()}, hosts=2)
    assert "there are more" in deferred(world.deliver_one(job(ONE)), "4.4.1", True).reason
    failed(World(everywhere(never), hosts=4).deliver_one(job(ONE)), "5.3.2")


def test_host_that_dns_does_not_tell_of() -> None:
    """It may take what all others refuse for good."""
    never = Scripted(greeting="521 mx does not accept mail")
    world = World({MX2: never, MX3: never})
    world.resolver.troubled = {("addresses", "mx1.b.example")}

    assert "SERVFAIL" in deferred(world.deliver_one(job(ONE)), "4.4.3", True).reason
    assert world.tried == [MX2, MX3]


# Addresses to which this machine has no way

SIX = [f"2001:db8::{number}" for number in range(1, 11)]


def test_no_way_there() -> None:
    """They do not use up what one try goes through."""
    far = Scripted()
    world = World({MX1: far}, hosts=2)
    world.resolver.address_records["mx1.b.example"] = [*SIX, MX1]
    world.connector.no_way = set(SIX)

    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [*SIX, MX1]


def test_no_way_to_anybody() -> None:
    """The network is gone: later, and for all messages."""
    world = World({})
    world.connector.no_way = {MX1, MX1_TOO, MX2, MX3}

    assert "network is unreachable" in deferred(world.deliver_one(job(ONE)), "4.4.1", True).reason


def test_no_way_to_one_address_of_a_host() -> None:
    """What the host said at another one holds; but a host that could not be asked at all has said nothing."""
    never = Scripted(greeting="521 mx does not accept mail")
    world = World(everywhere(never))
    world.connector.no_way = {MX1}
    failed(world.deliver_one(job(ONE)), "5.3.2")

    world.connector.no_way = {MX3}
    deferred(world.deliver_one(job(ONE)), "4.4.1", True)


def test_what_is_looked_at_is_bounded() -> None:
    """A list of any length costs us no more than so much."""
    many = [f"2001:db8::{number:x}" for number in range(LOOKED_AT + 1)]
    world = World({MX1: Scripted()})
    world.resolver.address_records["mx1.b.example"] = [*many, MX1]
    world.connector.no_way = set(many)

    deferred(world.deliver_one(job(ONE)), "4.4.1", True)
    assert len(world.tried) == LOOKED_AT


# Hosts that are not well

TROUBLES = [
    ("mail", "452 4.3.1 Insufficient system storage"),
    ("mail", "452 Insufficient system storage"),
    ("mail", "451 4.3.2 System not accepting network messages"),
    ("rcpt", "451 4.3.0 Cannot look up recipients now"),
    ("rcpt", "451 Local error in processing"),
    ("data", "451 4.3.1 Disk full"),
    ("end", "452 4.3.1 Disk full"),
]


@pytest.mark.parametrize(("verb", "reply"), TROUBLES)
def test_host_in_trouble(verb: str, reply: str) -> None:
    """What it says of itself is no word about the message: the next host is tried (RFC 5321 §5.1)."""
    first, second = Scripted(**{verb: reply}), Scripted()
    world = World({MX1: first, MX2: second})

    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX1, MX1_TOO, MX2]
    assert second.messages == [MESSAGE]


@pytest.mark.parametrize(("verb", "reply"), TROUBLES)
def test_all_hosts_in_trouble(verb: str, reply: str) -> None:
    """Later, with the words of one of them; and other messages have a chance of their own."""
    world = World(everywhere(Scripted(**{verb: reply})))

    outcome = world.deliver_one(job(ONE))

    assert isinstance(outcome, Deferred)
    assert (outcome.status[:4], outcome.whole) == ("4.3.", False)
    assert reply in outcome.reason
    assert world.tried == [MX1, MX1_TOO, MX2, MX3]


def test_host_in_trouble_with_one_recipient() -> None:
    """Who was accepted has the message from it, and is not sent to the next."""
    first, second = Scripted(rcpt={"c": "451 4.3.0 Try again"}), Scripted()
    world = World({MX1: first, MX2: second})

    assert all(isinstance(outcome, Delivered) for outcome in world.deliver(job(ONE, "c@b.example")))
    assert [command for command in second.commands if command.startswith("RCPT")] == ["RCPT TO:<c@b.example>"]


def test_each_recipient_its_own_words() -> None:
    """Also of a host in trouble; an unreachable one says no more than it did."""
    world = World({MX1: Scripted(rcpt={"bob": "451 4.3.0 No bob now", "c": "451 4.3.0 No c now"})})

    one, two = world.deliver(job(ONE, "c@b.example"))

    assert "No bob now" in deferred(one, "4.3.0", False).reason
    assert "No c now" in deferred(two, "4.3.0", False).reason


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("530 5.7.0 Must issue a STARTTLS command first", "4.7.0"),
        ("530 Authentication required", "4.7.0"),
        ("538 Encryption required", "4.7.11"),
        ("534 Too weak", "4.7.9"),
    ],
)
def test_session_that_lacks_something(verb: str, reply: str, status: str) -> None:
    """TLS or a login is wanted first (RFC 3207 §4, RFC 4954 §6): nobody's mail is returned for that."""
    first, second = Scripted(**{verb: reply}), Scripted()
    world = World({MX1: first, MX2: second})
    assert isinstance(world.deliver_one(job(ONE)), Delivered)

    world = World(everywhere(first))
    assert reply in deferred(world.deliver_one(job(ONE)), status, verb == "mail").reason


# What is ourselves

US = "220 out.example.org ESMTP"


@pytest.mark.parametrize("says", [
    {"greeting": US}, {"greeting": "220-Out.Example.Org.\n220 welcome"}, {"greeting": "220 ready",
     "ehlo": "250-out.example.org\n250 PIPELINING"}, {"ehlo": "500 What?", "helo": "250 out.example.org"},
], ids=["greeting", "letters", "ehlo", "helo"])
def test_host_that_is_ourselves(says: dict[str, str]) -> None:
    """A name or address that we do not know as ours leads back: it and all that is no better is left out.

    The primary is down, which is temporary; whoever is worse would send the message back to us (RFC 5321 §5.1).
    """
    ourselves, worse = Scripted(**says), Scripted()
    world = World({MX2: ourselves, MX3: worse})

    outcome = deferred(world.deliver_one(job(ONE)), "4.4.1", True)

    assert "mx1.b.example" in outcome.reason
    assert world.tried == [MX1, MX1_TOO, MX2]
    assert {"MAIL", "STARTTLS"}.isdisjoint(ourselves.verbs())
    assert ourselves.verbs()[-1] == "QUIT"


def test_best_host_that_is_ourselves() -> None:
    """Nobody is left: a loop, which the sender is told of."""
    world = World({MX1: Scripted(greeting=US), MX2: Scripted()})

    assert "mx1.b.example [192.0.2.1] is this system" in failed(world.deliver_one(job(ONE)), "5.4.6").reason
    assert world.tried == [MX1]


@pytest.mark.parametrize("first", [None, Scripted(greeting="421 4.3.2 Busy")])
def test_host_of_the_same_preference_as_ourselves(first: Far | None) -> None:
    """It does not count, whichever comes first; nor does another address of ours."""
    world = World({MX2: Scripted(greeting=US), MX3: Scripted()} | ({} if first is None else {MX1: first}))
    world.resolver.mx_records["b.example"] = [
        MX(10, "mx1.b.example"), MX(10, "mx2.b.example"), MX(20, "mx3.b.example"),
    ]

    failed(world.deliver_one(job(ONE)), "5.4.6")
    assert world.tried == [MX1, MX1_TOO, MX2]


def test_ourselves_behind_hosts_that_are_not_found() -> None:
    """DNS trouble with a better host is temporary; a better host that is not there at all is what is wrong."""
    world = World({MX2: Scripted(greeting=US), MX3: Scripted()})
    world.resolver.troubled = {("addresses", "mx1.b.example")}
    deferred(world.deliver_one(job(ONE)), "4.4.3", True)

    world.resolver.troubled = set()
    del world.resolver.address_records["mx1.b.example"]
    failed(world.deliver_one(job(ONE)), "5.4.4")


def test_literal_that_is_ourselves() -> None:
    """A loop."""
    world = World({MX1: Scripted(greeting=US)}, Route("[192.0.2.1]", "[192.0.2.1]", private=True))

    failed(world.deliver_one(job("bob@[192.0.2.1]")), "5.4.6")


def test_route_to_one_of_our_name() -> None:
    """What the administrator names is meant: a filter may greet as we do."""
    world = World({MX1: Scripted(greeting=US)}, Route("route:filter", "", MX1, private=True))

    assert isinstance(world.deliver_one(job(ONE)), Delivered)


# BDAT

CHUNKING_EHLO = "250-mx.example\n250-PIPELINING\n250 CHUNKING"


def test_bdat_that_is_offered_and_not_known() -> None:
    """The same address gets the message by DATA (RFC 5321 §4.2.4): whoever refused BDAT did not judge the message."""
    far = Scripted(ehlo=CHUNKING_EHLO)
    world = World({MX1: far, MX1_TOO: Scripted()})

    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX1, MX1]
    assert far.messages == [MESSAGE]
    assert far.verbs().count("BDAT") == 1


@pytest.mark.parametrize("verb", ["mail", "rcpt"])
def test_chunking_server_that_drops_before_the_message(verb: str) -> None:
    """Nothing of the message was sent: the next address has it."""
    second = Scripted()
    world = World({MX1: Scripted(ehlo=CHUNKING_EHLO, **{verb: DROP}), MX1_TOO: second})

    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX1, MX1_TOO]


# Time


class Dripping(Far):
    """Greets and offers PIPELINING at once, then has *reply* for each command; *every* so many seconds it says one."""

    def __init__(self, every: float, reply: bytes = b"250 OK\r\n") -> None:
        self.every = every
        self.reply = reply
        self.clock = Clock()

    def accept(self) -> FarSession:
        return _DrippingSession(self)


class _DrippingSession(FarSession):
    def __init__(self, far: Dripping) -> None:
        super().__init__()
        self._far = far
        self.said = b"220 mx\r\n"

    def receive(self, data: bytes) -> None:
        if data.startswith(b"EHLO"):
            self.said += b"250-mx\r\n250 PIPELINING\r\n"
        else:
            self._far.clock.callLater(self._far.every, self._drip)

    def _drip(self) -> None:
        self.said += self._far.reply
        self._far.clock.callLater(self._far.every, self._drip)


def seconds_until_the_end(far: Dripping, recipients: int, **sending: Any) -> float:
    """Return how long a delivery takes, in which nothing is delivered."""
    world = World({MX1: far}, Route("[192.0.2.1]", "[192.0.2.1]", private=True), **sending)
    far.clock = world.connector.clock
    pending = world.begin(job(*(f"r{number}@b.example" for number in range(recipients))))
    while not pending.called:
        world.connector.wait(1)
        assert world.connector.clock.seconds() < 50_000
    for outcome in SynchronousTestCase().successResultOf(pending):
        assert "timed out" in deferred(outcome, "4.4.2", False).reason
    return world.connector.clock.seconds()


def test_a_transaction_is_bounded() -> None:
    """A server that answers each command just in time does not hold us for hours."""
    assert seconds_until_the_end(Dripping(299), 100, transaction_timeout=1000) == 1000
    assert seconds_until_the_end(Dripping(299), 100) == 7200
    assert seconds_until_the_end(Dripping(20), 100, transaction_timeout=50) == 50


def test_octets_that_are_no_answer() -> None:
    """They are no sign of life within a transaction either."""
    assert seconds_until_the_end(Dripping(1, b"2"), 1, command_timeout=30) == 30


def test_all_greet_with_a_refusal() -> None:
    """554 may be about us, and may be mended: it is not final."""
    far = Scripted(greeting="554 5.7.1 Your network is blocked")

    outcome = World({MX1: far, MX1_TOO: far, MX2: far, MX3: far}).deliver_one(job(ONE))

    assert deferred(outcome, "4.7.1", True).answer == Answer(
        "mx3.b.example", 554, "5.7.1", ("Your network is blocked",)
    )


def test_no_host_ever_takes_mail() -> None:
    """521 from each is (RFC 7504)."""
    far = Scripted(greeting="521 mx does not accept mail")

    outcome = World({MX1: far, MX1_TOO: far, MX2: far, MX3: far}).deliver_one(job(ONE))

    failed(outcome, "5.3.2")
    assert isinstance(World({MX1: far}).deliver_one(job(ONE)), Deferred)


def test_recipient_whose_domain_has_a_null_mx_behind_a_relay() -> None:
    """556 (RFC 7504 §4)."""
    failed(World({MX1: Scripted(rcpt="556 Domain does not accept mail")}).deliver_one(job(ONE)), "5.1.10")


def test_nowhere_to_go() -> None:
    """What DNS says is the outcome."""
    world = World({}, Route("gone.example", "gone.example"))

    failed(world.deliver_one(job("bob@gone.example")), "5.1.2")
    assert not world.tried


# What a server can take


SMALL_EHLO = f"250-mx.example\n250 SIZE {len(MESSAGE) - 1}"


def test_too_large_for_the_server() -> None:
    """SIZE is looked at before anything is sent (RFC 1870); of each host once, whatever addresses it has."""
    far = Scripted(ehlo=SMALL_EHLO)
    world = World(everywhere(far))

    failed(world.deliver_one(job(ONE)), "5.3.4")

    assert "MAIL" not in far.verbs()
    assert world.tried == [MX1, MX2, MX3]


def test_too_large_for_one_server() -> None:
    """The next host may take more."""
    second = Scripted()
    world = World({MX1: Scripted(ehlo=SMALL_EHLO), MX2: second})

    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX1, MX2]
    assert second.messages == [MESSAGE]


def test_too_large_for_the_server_that_is_there() -> None:
    """Whether the others would take it is not known yet. An address of the same host that is down is no other."""
    world = World({MX1_TOO: Scripted(ehlo=SMALL_EHLO)})
    deferred(world.deliver_one(job(ONE)), "4.4.1", True)
    assert world.tried == [MX1, MX1_TOO, MX2, MX3]

    world.resolver.mx_records["b.example"] = [MX(10, "mx1.b.example")]
    failed(world.deliver_one(job(ONE)), "5.3.4")


def test_each_copy_has_its_own_size() -> None:
    """What is added to one recipient's copy may be too much for a host, and the others are sent there all the same."""
    first, second = Scripted(ehlo=f"250-mx.example\n250 SIZE {len(MESSAGE)}"), Scripted()
    world = World({MX1: first, MX2: second})

    outcomes = world.deliver(job(recipient("c@b.example", added=b"X: y\r\n"), ONE))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert first.messages == [MESSAGE]
    assert second.messages == [b"X: y\r\n" + MESSAGE]


SIGNED = (
    b'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; micalg=x; protocol="x/y"\r\n\r\n'
    b"--b\r\n\r\n\xfc\r\n--b\r\n\r\nsigned\r\n--b--\r\n"
)


def test_extension_that_one_server_lacks() -> None:
    """One that knows HELO alone at the moment is not the last word on a message that needs 8BITMIME."""
    second = Scripted()
    world = World({MX1: Scripted(ehlo="502 5.5.1 Busy, try HELO"), MX2: second})

    assert isinstance(world.deliver_one(job(ONE, content=SIGNED)), Delivered)
    assert second.messages == [SIGNED]


@pytest.mark.parametrize("size", [len(MESSAGE), 0])
def test_not_too_large(size: int) -> None:
    """Just as large is not too large; 0 is no limit."""
    far = Scripted(ehlo=f"250-mx.example\n250 SIZE {size}")

    assert isinstance(World({MX1: far}).deliver_one(job(ONE)), Delivered)


GREETINGS = "Subject: Grüße\r\n\r\nGrüße\r\n".encode("latin-1")


def test_eight_bit_content() -> None:
    """It is declared (RFC 6152)."""
    far = Scripted()

    World({MX1: far}).deliver_one(job(ONE, content=GREETINGS))

    assert far.commands[1] == "MAIL FROM:<alice@example.org> BODY=8BITMIME"
    assert far.messages == [GREETINGS]


def test_eight_bit_content_for_an_old_server() -> None:
    """It gets seven bits."""
    far = Scripted(ehlo=PLAIN_EHLO)
    content = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode()

    outcome = World({MX1: far}).deliver_one(job(ONE, content=content))

    assert isinstance(outcome, Delivered)
    assert far.messages[0].isascii()
    assert far.commands[1] == "MAIL FROM:<alice@example.org>"


def test_large_content_is_declared_eight_bit_unread() -> None:
    """It is not read twice to know."""
    far = Scripted()
    world = World({MX1: far})
    world.contents.pieces = (MESSAGE, b"x\r\n" * 400_000)

    world.deliver_one(job(ONE, content=None, size=1_200_026))

    assert far.commands[1] == "MAIL FROM:<alice@example.org> BODY=8BITMIME"
    assert len(world.contents.opened) == 1


@pytest.mark.parametrize("text", [b"x\r\n", b"\xfc\r\n"], ids=["7bit", "8bit"])
def test_large_content_for_an_old_server(text: bytes) -> None:
    """It is read through first; seven bits are streamed, others converted."""
    far = Scripted(ehlo=PLAIN_EHLO)
    world = World({MX1: far})
    world.contents.pieces = (b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=latin1\r\n\r\n", text * 400_000)

    outcome = world.deliver_one(job(ONE, content=None, size=1_200_062))

    assert isinstance(outcome, Delivered)
    assert far.messages[0].isascii()
    assert all(each.closed == 1 for each in world.contents.opened)


def test_content_too_large_to_be_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to what is held in memory."""
    monkeypatch.setattr("mailsuite.delivery.body.CONVERT_OCTETS", 1_200_061)
    far = Scripted(ehlo=PLAIN_EHLO)
    world = World(everywhere(far))
    world.contents.pieces = (b"\xfc\r\n" * 400_000,)

    failed(world.deliver_one(job(ONE, content=None, size=1_200_062)), "5.6.3")

    assert "MAIL" not in far.verbs()


def test_content_that_cannot_be_converted() -> None:
    """A signature would break."""
    far = Scripted(ehlo=PLAIN_EHLO)

    failed(World(everywhere(far)).deliver_one(job(ONE, content=SIGNED)), "5.6.3")


def test_domain_of_other_letters() -> None:
    """It goes out in A-labels, which every server understands."""
    far = Scripted()

    World({MX1: far}).deliver_one(job("bob@bücher.example"))

    assert "RCPT TO:<bob@xn--bcher-kva.example>" in far.commands


def test_address_that_no_command_can_carry() -> None:
    """It fails in our name, not in the server's."""
    outcome = failed(World({MX1: Scripted()}).deliver_one(job("a\r\nDATA@b.example")), "5.1.3")

    assert outcome.answer is None


# Our own trouble


@pytest.mark.parametrize("size", [len(MESSAGE), 1_200_000], ids=["small", "large"])
def test_content_that_is_gone(size: int) -> None:
    """It is temporary, and the session is good for the next message."""
    far = Scripted()
    world = World({MX1: far, MX1_TOO: far})
    world.contents.trouble = OSError("damaged")

    deferred(world.deliver_one(job(ONE, content=None, size=size)), "4.3.0", False)

    assert "MAIL" not in far.verbs()
    assert world.tried == [MX1]
    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX1]


def test_content_that_breaks_off() -> None:
    """Half a message is never ended; no other host is bothered with it."""
    far = Scripted()
    world = World({MX1: far, MX1_TOO: far})
    world.contents.pieces = (MESSAGE,)
    world.contents.read_trouble = OSError("EIO")

    outcome = deferred(world.deliver_one(job(ONE, content=None, size=1_200_000)), "4.3.0", False)

    assert "EIO" in outcome.reason
    assert not far.messages
    assert world.tried == [MX1]
    assert [each.closed for each in world.contents.opened] == [1]


def test_several_routes() -> None:
    """Each recipient goes its way, and an unforeseen error on one does not touch the others."""
    here, there = Scripted(), Scripted()
    world = World({MX1: here, "192.0.2.77": there})
    world.router.routes["c.example"] = Route("route:x", "", "192.0.2.77", private=True)
    world.router.routes["d.example"] = Route("d.example", "d.example", private=True)
    world.resolver.mx_records["d.example"] = [MX(10, None)]  # type: ignore[arg-type]

    one, two, three, four = world.deliver(job(ONE, "c@c.example", "d@d.example", "e@b.example"))

    assert isinstance(one, Delivered)
    assert isinstance(two, Delivered)
    deferred(three, "4.3.0", False)
    assert isinstance(four, Delivered)
    assert [command for command in here.commands if command.startswith("RCPT")] == [
        "RCPT TO:<bob@b.example>", "RCPT TO:<e@b.example>",
    ]


# Binary content

_BINARY = b"From: a@a.example\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n" + (
    b"Content-Type: application/octet-stream\r\n\r\n\0\n.\n\xff\r\r"
)


def binary(to: str | QueuedRecipient = ONE, content: bytes | None = _BINARY, size: int = 0) -> Job:
    """Return a job with binary content."""
    return job(to, content=content, size=size, body="BINARYMIME")


def test_rfc_3030_3_binary_goes_to_who_takes_it() -> None:
    """Octet for octet, with the fields of its copy before it."""
    far = Real()
    added = b"Delivered-To: x@y.example\r\n"

    assert isinstance(World({MX1: far}).deliver_one(binary()), Delivered)
    World({MX1: far}).deliver_one(binary(recipient(ONE, added=added)))
    assert [content for _, _, content in far.messages] == [_BINARY, added + _BINARY]


def test_rfc_3030_3_large_binary_is_streamed() -> None:
    """As it is; no piece of it is mended."""
    far = Real(Settings("mx.example", Limits(message_size=3 << 20)))
    world = World({MX1: far})
    world.contents.pieces = (_BINARY,) + (b"\r" * 50_000 + b"\n",) * 30

    assert isinstance(world.deliver_one(binary(ONE, None, len(_BINARY) + 1_500_030)), Delivered)
    assert far.messages[0][2] == _BINARY + (b"\r" * 50_000 + b"\n") * 30


@pytest.mark.parametrize("missing", ["BINARYMIME", "CHUNKING", "8BITMIME"])
def test_rfc_3030_3_binary_is_converted_for_others(missing: str) -> None:
    """It never goes as it is to a host that does not take it, and nothing of it is lost."""
    far = Real(Settings("mx.example", without=frozenset({missing})))

    assert isinstance(World({MX1: far}).deliver_one(binary()), Delivered)
    (content,) = [content for _, _, content in far.messages]
    assert message_from_bytes(content).get_payload(decode=True) == b"\0\n.\n\xff\r\r"
    assert content.isascii() and b"\n.\n" not in content


def test_rfc_3030_3_binary_that_cannot_be_converted_is_reported() -> None:
    """To a host without BINARYMIME; and one that takes it is looked for first."""
    head, body = _BINARY.split(b"\r\n\r\n", 1)
    sealed = head.replace(b"application/octet-stream", b"multipart/signed; boundary=b") + b"\r\n\r\n--b\r\n" + body
    plain, able = Real(Settings("mx.example", without=frozenset({"BINARYMIME"}))), Real()

    lost = failed(World(everywhere(plain)).deliver_one(binary(ONE, sealed)), "5.6.3")
    large = failed(World(everywhere(plain)).deliver_one(binary(ONE, None, 9 << 20)), "5.6.3")

    assert lost.reason.startswith("The next host takes no binary content, and it cannot be converted: ")
    assert large.reason == "The next host takes no binary content, and the message is too large to convert"
    assert plain.messages == []
    assert isinstance(World({MX1: plain, MX2: able}).deliver_one(binary(ONE, sealed)), Delivered)
    assert [content for _, _, content in able.messages] == [sealed]
