"""Delivery to other hosts: what the far end may do, and what becomes of the recipients."""

import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.address import Address
from mailsuite.dns import MX
from mailsuite.outcome import Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.route import Route
from mailsuite.smtp.settings import Limits, Settings
from tests.delivery.world import MX1, MX1_TOO, MX2, MX3, World
from tests.doubles_delivery import DROP, MESSAGE, SILENCE, Far, Real, Scripted, job, recipient

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


def test_too_large_for_the_server() -> None:
    """SIZE is looked at before anything is sent (RFC 1870)."""
    far = Scripted(ehlo=f"250-mx.example\n250 SIZE {len(MESSAGE) - 1}")

    failed(World({MX1: far}).deliver_one(job(ONE)), "5.3.4")

    assert "MAIL" not in far.verbs()


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
    world = World({MX1: far})
    world.contents.pieces = (b"\xfc\r\n" * 400_000,)

    failed(world.deliver_one(job(ONE, content=None, size=1_200_062)), "5.6.3")

    assert "MAIL" not in far.verbs()


def test_content_that_cannot_be_converted() -> None:
    """A signature would break."""
    far = Scripted(ehlo=PLAIN_EHLO)
    content = (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; micalg=x; protocol="x/y"\r\n\r\n'
        b"--b\r\n\r\n\xfc\r\n--b\r\n\r\nsigned\r\n--b--\r\n"
    )

    failed(World({MX1: far}).deliver_one(job(ONE, content=content)), "5.6.3")


def test_addresses_that_cannot_be_passed_on() -> None:
    """Our client speaks no SMTPUTF8: nobody is asked."""
    world = World({MX1: Scripted()})

    failed(world.deliver_one(job("bücher@b.example")), "5.6.7")
    failed(world.deliver_one(job(ONE, reverse_path=Address("bücher", "example.org"))), "5.6.7")
    assert not world.tried
    one, two = world.deliver(job(ONE, "bücher@b.example"))
    assert isinstance(one, Delivered)
    failed(two, "5.6.7")


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
