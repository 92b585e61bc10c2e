"""Other letters than ASCII on the way out: only to hosts that take them, and only where they are needed (RFC 6531)."""

import pytest

from mailsuite.address import Address
from mailsuite.delivery.body import WHOLE_OCTETS
from mailsuite.message.trace import delivered_to
from mailsuite.outcome import Deferred, Delivered, Failed
from mailsuite.route import Route
from tests.delivery.world import MX1, MX1_TOO, MX2, MX3, World
from tests.doubles_delivery import Far, Real, Scripted, job, recipient

EHLO = "250-mx.example\n250-PIPELINING\n250-8BITMIME\n250-DSN\n250 SMTPUTF8"
OLD_EHLO = "250-mx.example\n250-PIPELINING\n250-DSN\n250 8BITMIME"
MARIA = Address("мария", "пример.рф")
HEADER = "From: Мария <мария@пример.рф>\r\nSubject: Привет\r\n\r\nHello.\r\n".encode()
BODY = "Subject: hello\r\n\r\nёж.\r\n".encode()
PART = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    "Content-Type: application/pdf\r\nContent-Description: Счёт\r\n\r\nx\r\n--b--\r\n"
).encode()


def everywhere(far: Far) -> dict[str, Far]:
    """Return *far* at each address of the destination."""
    return dict.fromkeys((MX1, MX1_TOO, MX2, MX3), far)


def mails(far: Scripted) -> list[str]:
    """Return the MAIL and RCPT commands that came."""
    return [command for command in far.commands if command.startswith(("MAIL", "RCPT"))]


def test_to_the_real_server() -> None:
    """Client and server of ours understand each other: both paths, and the content."""
    far = Real()

    outcome = World({MX1: far}).deliver_one(job("пётр@b.example", reverse_path=MARIA, content=HEADER, smtputf8=True))

    assert isinstance(outcome, Delivered)
    assert far.messages == [("мария@пример.рф", ["пётр@b.example"], HEADER)]


@pytest.mark.parametrize(
    ("to", "sender", "content", "commands"),
    [
        # An address, whatever MAIL said to us.
        ("пётр@b.example", None, b"\r\n", ["MAIL FROM:<> SMTPUTF8", "RCPT TO:<пётр@b.example>"]),
        ("bob@b.example", MARIA, b"\r\n", ["MAIL FROM:<мария@пример.рф> SMTPUTF8", "RCPT TO:<bob@b.example>"]),
        # The header, or one deeper in it.
        ("bob@b.example", None, HEADER, ["MAIL FROM:<> BODY=8BITMIME SMTPUTF8", "RCPT TO:<bob@b.example>"]),
        ("bob@b.example", None, PART, ["MAIL FROM:<> BODY=8BITMIME SMTPUTF8", "RCPT TO:<bob@b.example>"]),
        # §3.4: none of that, and so no word of it; domains go as A-labels.
        ("bob@b.example", None, BODY, ["MAIL FROM:<> BODY=8BITMIME", "RCPT TO:<bob@b.example>"]),
        (
            "bob@bücher.example", Address("m", "пример.рф"), b"\r\n",
            ["MAIL FROM:<m@xn--e1afmkfd.xn--p1ai>", "RCPT TO:<bob@xn--bcher-kva.example>"],
        ),
    ],
)  # fmt: skip
def test_said_where_it_is_needed(to: str, sender: Address | None, content: bytes, commands: list[str]) -> None:
    """RFC 6531 §3.4: MUST where an address or a header needs it, SHOULD NOT elsewhere."""
    far = Scripted(ehlo=EHLO)

    outcome = World({MX1: far}).deliver_one(job(to, reverse_path=sender, content=content, smtputf8=True))

    assert isinstance(outcome, Delivered)
    assert mails(far) == commands


@pytest.mark.parametrize("ehlo", [OLD_EHLO, "250-mx.example\n250 SMTPUTF8", "250 mx.example"])
@pytest.mark.parametrize(
    ("to", "sender", "content", "status"),
    [
        ("пётр@b.example", None, b"\r\n", "5.6.7"),
        ("bob@b.example", MARIA, b"\r\n", "5.6.7"),
        ("bob@b.example", None, HEADER, "5.6.9"),
        ("bob@b.example", None, PART, "5.6.9"),
    ],
)
def test_no_host_takes_it(ehlo: str, to: str, sender: Address | None, content: bytes, status: str) -> None:
    """RFC 6531 §3.2: nothing of it is sent to a host without SMTPUTF8, nor to one that lacks 8BITMIME; it fails."""
    far = Scripted(ehlo=ehlo)

    outcome = World(everywhere(far)).deliver_one(job(to, reverse_path=sender, content=content, smtputf8=True))

    assert isinstance(outcome, Failed)
    assert outcome.status == status
    assert "MAIL" not in far.verbs()


def test_a_message_without_need_goes_to_an_old_host() -> None:
    """Although MAIL said SMTPUTF8: addresses and header are ASCII, or can be."""
    far = Scripted(ehlo=OLD_EHLO)
    message = job("bob@bücher.example", reverse_path=Address("m", "рф"), content=BODY, smtputf8=True)

    assert isinstance(World({MX1: far}).deliver_one(message), Delivered)
    assert mails(far) == ["MAIL FROM:<m@xn--p1ai> BODY=8BITMIME", "RCPT TO:<bob@xn--bcher-kva.example>"]
    assert far.messages == [BODY]


def test_a_header_that_nobody_has_announced() -> None:
    """What came without SMTPUTF8 goes on as it came: many send such a thing."""
    far = Scripted(ehlo=OLD_EHLO)

    assert isinstance(World({MX1: far}).deliver_one(job("bob@b.example", content=HEADER)), Delivered)
    assert far.messages == [HEADER]


def test_another_host_takes_it() -> None:
    """RFC 6531 §3.2: an alternate MX host may."""
    old, new = Scripted(ehlo=OLD_EHLO), Scripted(ehlo=EHLO)
    world = World({MX1: old, MX1_TOO: old, MX2: new})

    assert isinstance(world.deliver_one(job("пётр@b.example")), Delivered)
    assert world.tried == [MX1, MX2]
    assert "MAIL" not in old.verbs()


def test_a_host_that_might_take_it_is_waited_for() -> None:
    """Only where all have been asked is there nobody left."""
    assert isinstance(World({MX1: Scripted(ehlo=OLD_EHLO)}).deliver_one(job("пётр@b.example")), Deferred)


def test_nobody_fails_for_the_address_of_another() -> None:
    """Of one message, an old host gets what it can take."""
    far = Scripted(ehlo=OLD_EHLO)

    one, two, three = World(everywhere(far)).deliver(job("bob@b.example", "пётр@b.example", "eve@b.example"))

    assert isinstance(one, Delivered) and isinstance(three, Delivered)
    assert isinstance(two, Failed) and two.status == "5.6.7"
    assert mails(far) == ["MAIL FROM:<alice@example.org>", "RCPT TO:<bob@b.example>", "RCPT TO:<eve@b.example>"]


def test_all_go_together_to_a_host_that_takes_all() -> None:
    """One transaction, as ever."""
    far = Scripted(ehlo=EHLO)

    World({MX1: far}).deliver(job("bob@b.example", "пётр@b.example", "eve@b.example"))

    assert mails(far)[0] == "MAIL FROM:<alice@example.org> SMTPUTF8"
    assert len(mails(far)) == 4


def test_a_forwarded_copy() -> None:
    """Its Delivered-To is a header field like all others; ORCPT names the alias by its type (RFC 6533 §3)."""
    alias = Address("ёлка", "example.org")
    to = recipient("bob@b.example", added=delivered_to(alias))
    new, old = Scripted(ehlo=EHLO), Scripted(ehlo=OLD_EHLO)

    assert isinstance(World({MX1: new}).deliver_one(job(to)), Delivered)
    outcome = World(everywhere(old)).deliver_one(job(to))

    assert mails(new)[1] == "RCPT TO:<bob@b.example> ORCPT=utf-8;ёлка@example.org"
    assert isinstance(outcome, Failed) and outcome.status == "5.6.9"


def test_an_original_of_other_letters_for_an_old_host() -> None:
    """RFC 6533 §3: utf-8-addr-xtext."""
    far = Scripted(ehlo=OLD_EHLO)

    World({MX1: far}).deliver_one(job(recipient("bob@b.example", original="utf-8;ё@b.example")))

    assert mails(far)[1] == "RCPT TO:<bob@b.example> ORCPT=utf-8;\\x{451}@b.example"


@pytest.mark.parametrize(("beginning", "smtputf8"), [(HEADER, True), (BODY, False)])
def test_a_large_message_is_judged_by_its_own_header(beginning: bytes, smtputf8: bool) -> None:
    """It is not read to its end for that; each reading is closed."""
    far = Scripted(ehlo=EHLO)
    world = World({MX1: far})
    rest = b"x" * WHOLE_OCTETS
    world.contents.pieces = (beginning[:20], beginning[20:], rest, b"\r\n")

    message = job("bob@b.example", content=None, size=len(beginning + rest) + 2, smtputf8=True)

    assert isinstance(world.deliver_one(message), Delivered)
    assert mails(far)[0].endswith(" SMTPUTF8") is smtputf8
    assert [each.closed for each in world.contents.opened] == [1, 1]


def test_a_header_that_cannot_be_read() -> None:
    """It is temporary, as any trouble with the content is."""
    world = World({MX1: Scripted(ehlo=EHLO)})
    world.contents.read_trouble = OSError("EIO")

    outcome = world.deliver_one(job("bob@b.example", content=None, size=WHOLE_OCTETS + 1, smtputf8=True))

    assert isinstance(outcome, Deferred) and outcome.status == "4.3.0"


def test_lmtp() -> None:
    """RFC 6531 §3.1, item 11: there too."""
    route = Route("route:store", "", MX1, lmtp=True, private=True)
    far = Scripted(lhlo="250-store\n250-8BITMIME\n250 SMTPUTF8")
    far.lmtp = True

    assert isinstance(World({MX1: far}, route).deliver_one(job("пётр@b.example")), Delivered)
    assert mails(far)[0] == "MAIL FROM:<alice@example.org> SMTPUTF8"
