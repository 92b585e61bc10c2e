"""Whole reports: nothing that others have a say in can break one (lessons 9, 20, 24, 25; RFC 3461 §6, RFC 6522)."""

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.message.report import Kind, Report, Returned, build, kind_of, returns_whole
from mailsuite.message.report_fields import Action, Fate
from mailsuite.message.trace import came_from
from mailsuite.outcome import DELIVERED, Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queued import QueuedMessage
from mailsuite.smtp.answers import ServerReply
from tests.message.dsn import STRICT, check, typed

NOW = 1_767_225_600.9
DATE = "Thu, 01 Jan 2026 00:00:00 +0000"
BOUNDARY = "b0" * 16
SAID = Answer("mx.else.example", 550, "5.1.1", ("no such user", "here"))
NEVER = Failed("5.1.1", "mx.else.example [192.0.2.9] said to RCPT: 550 5.1.1 no such user here", SAID)
LATER = Deferred("4.2.0", "mx.else.example said to RCPT: 450 busy", Answer("mx.else.example", 450, "", ("busy",)))
BOB = Address("bob", "else.example")
ORIGINAL = b"Message-ID: <1@a.example>\r\nSubject: lunch\r\n\r\nAt noon?\r\n"


def message(**keys: Any) -> QueuedMessage:
    """Return a message from carol that has arrived an hour ago and expires in four."""
    known = QueuedMessage("k7f-1", Address("carol", "a.example"), NOW - 3600, NOW + 4 * 3600, len(ORIGINAL))
    return replace(known, **keys)


def report(*fates: Fate, kind: Kind = "failed", returned: Returned | None = None, **keys: Any) -> Report:
    """Return a report on *fates*; *keys* are fields of the message."""
    about = fates or (Fate(BOB, "failed", NEVER, tried=NOW),)
    return Report("mail.b.example", NOW, "t.1@mail.b.example", BOUNDARY, message(**keys), kind, about, returned)


def header_of(octets: bytes) -> list[str]:
    """Return the lines of the report's own header section."""
    return octets[: octets.index(b"\r\n\r\n")].decode().split("\r\n")


def third(original: bytes, whole: bool = True) -> tuple[str, bytes] | None:
    """Return the type of the part that a report on *original* has of it, and its octets as they stand there."""
    octets = build(report(returned=Returned(original, whole)))
    checked = check(octets)
    if checked.returned is None:
        return None
    part = octets.split(f"\r\n--{BOUNDARY}".encode())[-2]
    return checked.returned.get_content_type(), part[part.index(b"\r\n\r\n") + 4 :]


def test_a_report_of_failure() -> None:
    """As it goes out, to the octet."""
    fate = Fate(BOB, "failed", NEVER, "rfc822;bob@else.example", NOW)
    octets = build(
        report(
            fate, envid="QQ314159", arrived_from="client.example ([192.0.2.1])", returned=Returned(ORIGINAL, True)
        )
    )

    assert octets.decode("ascii").split("\r\n") == [
        "From: Mail Delivery System <postmaster@mail.b.example>",
        "To: <carol@a.example>",
        "Subject: Your message could not be delivered",
        f"Date: {DATE}",
        "Message-ID: <t.1@mail.b.example>",
        "In-Reply-To: <1@a.example>",
        "References: <1@a.example>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{BOUNDARY}"',
        "",
        f"--{BOUNDARY}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "This is the mail system mail.b.example.",
        "",
        "Your message could not be delivered to the recipients below, and no further",
        "attempt will be made.",
        "",
        "  <bob@else.example>",
        "    mx.else.example [192.0.2.9] said to RCPT: 550 5.1.1 no such user here",
        "    There is no such mailbox. Please look for a slip in the address, and",
        "    send the message again.",
        "",
        "It arrived here on Wed, 31 Dec 2025 23:00:00 +0000 and is called k7f-1 in",
        "our log. For help please write to postmaster@mail.b.example, and add this",
        "text.",
        "",
        f"--{BOUNDARY}",
        "Content-Type: message/delivery-status",
        "",
        "Original-Envelope-Id: QQ314159",
        "Reporting-MTA: dns; mail.b.example",
        "Received-From-MTA: dns; client.example ([192.0.2.1])",
        "Arrival-Date: Wed, 31 Dec 2025 23:00:00 +0000",
        "X-Mailsuite-Id: k7f-1",
        "",
        "Original-Recipient: rfc822; bob@else.example",
        "Final-Recipient: rfc822; bob@else.example",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.else.example",
        "Diagnostic-Code: smtp; 550-5.1.1 no such user",
        " 550 5.1.1 here",
        f"Last-Attempt-Date: {DATE}",
        "",
        f"--{BOUNDARY}",
        "Content-Type: message/rfc822",
        "",
        "Message-ID: <1@a.example>",
        "Subject: lunch",
        "",
        "At noon?",
        "",
        f"--{BOUNDARY}--",
        "",
    ]
    check(octets)


def test_lesson_20_none_about_a_report() -> None:
    """RFC 3461 §5.2: what has a null reverse-path is never reported on."""
    with pytest.raises(ValueError, match="null reverse-path"):
        build(report(reverse_path=None))


@pytest.mark.parametrize(
    ("fates", "kind", "subject"),
    [
        ([Fate(BOB, "failed", NEVER)], "failed", "Your message could not be delivered"),
        ([Fate(BOB, "delayed", LATER)], "delayed", "Your message is delayed"),
        ([Fate(BOB, "delivered", DELIVERED)], "success", "Your message was delivered"),
        ([Fate(BOB, "relayed", Delivered(SAID))], "success", "Your message was passed on"),
        (
            [Fate(BOB, "delivered", DELIVERED), Fate(BOB, "expanded", DELIVERED)],
            "success",
            "Your message was passed on",
        ),
    ],
)
def test_subjects(fates: list[Fate], kind: Kind, subject: str) -> None:
    """They claim no more than is known of every recipient."""
    assert check(build(report(*fates, kind=kind))).whole["subject"] == subject


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("failed", "failed"),
        ("delayed", "delayed"),
        ("delivered", "success"),
        ("relayed", "success"),
        ("expanded", "success"),
    ],
)
def test_kinds(action: Action, kind: Kind) -> None:
    """What is good news goes into one report."""
    assert kind_of(Fate(BOB, action, DELIVERED)) == kind


@pytest.mark.parametrize(
    ("sender", "to"),
    [
        (Address("carol", "a.example"), "<carol@a.example>"),
        (Address("two words", "a.example"), '<"two words"@a.example>'),
        (Address('quo"ted\\', "a.example"), '<"quo\\"ted\\\\"@a.example>'),
        (Address("", "a.example"), '<""@a.example>'),
        (Address("x" * 64, "y" * 63 + ".example"), f"<{'x' * 64}@{'y' * 63}.example>"),
        (Address("carol", "[IPv6:2001:db8::1]"), "<carol@[IPv6:2001:db8::1]>"),
        (Address("carol", "bücher.example"), "<carol@xn--bcher-kva.example>"),
        # RFC 6532 §3.2
        (Address("jürgen", "bücher.example"), "<jürgen@bücher.example>"),
        (Address("ü b", "[192.0.2.1]"), '<"ü b"@[192.0.2.1]>'),
        # What cannot stand in a header section is in the envelope alone.
        (Address("j\u2028rgen", "a.example"), "undisclosed-recipients:;"),
        (Address("ü", "a.example>, <eve@e.example"), "undisclosed-recipients:;"),
        (Address("a\r\nBcc: x", "a.example"), "undisclosed-recipients:;"),
        (Address("a", "a.example>, <eve@e.example"), "undisclosed-recipients:;"),
        (Address("x" * 1000, "a.example"), "undisclosed-recipients:;"),
    ],
)
def test_it_is_addressed_to_the_reverse_path(sender: Address, to: str) -> None:
    """RFC 3464 §2: in the header too, where that can be said there."""
    octets = build(report(reverse_path=sender))
    check(octets)

    assert f"To: {to}" in header_of(octets)


@pytest.mark.parametrize(
    ("field", "identity"),
    [
        (b"Message-ID: <1@a.example>", "<1@a.example>"),
        (b"message-id:\r\n <a.b+c=d@[192.0.2.1]>", "<a.b+c=d@[192.0.2.1]>"),
        (b"Message-Id: <" + b"x" * 300 + b"@y>", f"<{'x' * 300}@y>"),
        (b"Message-ID: <" + b"x" * 600 + b"@y>", None),
        (b"Message-ID: 1@a.example", None),
        (b"Message-ID: <<1@a.example>>", None),
        (b"Message-ID: <1@a.example> <2@a.example>", None),
        (b"Message-ID: <1@a.example>\r\nMessage-ID: <2@a.example>", None),
        (b"Message-ID: <1..2@a.example>", None),
        (b"Message-ID: <1@a.example\r\n >", None),
        (b"Message-ID: <\xc3\xb6@a.example>", None),
        (b"Message-ID: <a\0b@a.example>", None),
        (b"Message-ID: <\rX: y@a.example>", None),
        (b"Subject: x", None),
    ],
)
def test_lesson_24_the_message_is_named(field: bytes, identity: str | None) -> None:
    """RFC 3834 §3.1.6, by an identifier as it may be made today (RFC 5322 §3.6.4), or not at all."""
    for returned in (Returned(field + b"\r\n\r\nhi\r\n", True), Returned(field + b"\r\n", False)):
        octets = build(report(returned=returned))
        check(octets)

        named = [line for line in header_of(octets) if line.startswith(("In-Reply-To:", "References:"))]
        assert named == ([] if identity is None else [f"In-Reply-To: {identity}", f"References: {identity}"])


def test_a_field_of_the_body_names_nothing() -> None:
    """The message's identifier stands in its header section."""
    octets = build(report(returned=Returned(b"Subject: x\r\n\r\nMessage-ID: <1@a.example>\r\n", True)))

    assert b"In-Reply-To" not in octets


def test_nothing_at_hand() -> None:
    """A report without the message has two parts."""
    assert check(build(report())).returned is None
    assert third(b"") is None
    assert third(b"\r\nno header at all\r\n") is None


def test_the_header_alone() -> None:
    """RFC 6522 §4: as text/rfc822-headers, without the empty line and what follows it."""
    header = b"Subject: lunch\r\nX-Folded: a\r\n b\r\n"

    assert third(header + b"\r\nhello\r\n", whole=False) == ("text/rfc822-headers", header)
    assert third(header, whole=False) == ("text/rfc822-headers", header)
    # RFC 5322 §3.5: the body is optional, and the empty line with it.
    assert third(header, whole=True) == ("text/rfc822-headers", header)


def test_a_header_that_was_cut() -> None:
    """Of the line that it was cut in nothing is shown."""
    assert third(b"Subject: lunch\r\nTo: a", whole=False) == ("text/rfc822-headers", b"Subject: lunch\r\n")
    assert third(b"Subject: lunch\r\nTo: a\r", whole=False) == ("text/rfc822-headers", b"Subject: lunch\r\n")
    assert third(b"Subject: lunch", whole=False) is None


def test_a_header_that_is_no_seven_bit_data() -> None:
    """RFC 6522 §4: it is encoded, and comes back as it was."""
    header = b"Subject: \xc3\xb6\r\nX: a\0b\rc\nd \r\nLong: " + b"x" * 1000 + b"\r\n"
    octets = build(report(returned=Returned(header + b"\r\n\xc3\xb6\r\n", True)))
    part = check(octets).returned

    assert part is not None
    assert part.get_content_type() == "text/rfc822-headers"
    assert part["content-transfer-encoding"] == "quoted-printable"
    assert part.get_payload(decode=True) == header


def test_an_eight_bit_message_is_converted() -> None:
    """RFC 6522 §3: a report goes any way, so what is in it is 7-bit MIME that says the same."""
    original = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    part = check(build(report(returned=Returned(original, True)))).returned

    assert part is not None
    assert part.get_content_type() == "message/rfc822"
    (inner,) = part.iter_parts()
    assert inner.get_content() == "Grüße\r\n"


@pytest.mark.parametrize(
    "original",
    [
        # A signature must not be altered.
        b'Content-Type: multipart/signed; boundary="x"\r\n\r\n--x\r\n\r\n\xc3\xb6\r\n--x--\r\n',
        b"Subject: x\r\n\r\na\0b\r\n",
        b"Subject: x\r\n\r\nbare\nnewline\r\n",
        b"Subject: x\r\n\r\n" + b"x" * 999 + b"\r\n",
        # What others may read in another way than we do.
        b"Subject: x\r\nno field\r\n\r\nhello\r\n",
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\nnever closed\r\n',
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nSGk=\r\n",
    ],
)
def test_what_cannot_be_enclosed(original: bytes) -> None:
    """Only its header comes back then."""
    found = third(original)

    assert found is not None
    assert found[0] == "text/rfc822-headers"


@pytest.mark.parametrize("whole", [True, False])
def test_the_boundary_is_nowhere_else(whole: bool) -> None:
    """RFC 2046 §5.1.1: not in the message, its header, or what a server said; another is taken then."""
    line = f"--{BOUNDARY}"
    hostile = Failed("5.0.0", f"{line} {line}.1", Answer("mx.else.example", 550, "", (f"{line}--", f"{line}.2")))
    fate = Fate(Address(line, "else.example"), "failed", hostile)
    original = f"X: y\r\n {line}.3\r\n\r\n{line}\r\n{line}.4\r\n{line}--\r\n".encode()
    checked = check(build(report(fate, envid=f"{line}.5", returned=Returned(original, whole))))

    assert len(checked.recipients) == 1
    assert str(checked.whole.get_boundary()) == f"{BOUNDARY}.6" if whole else f"{BOUNDARY}.4"


@pytest.mark.parametrize("kind", ["failed", "delayed", "success"])
@pytest.mark.parametrize(("ret", "size"), list(product(["", "FULL", "HDRS"], [999, 1000, 1001])))
def test_what_is_returned(kind: Kind, ret: str, size: int) -> None:
    """RFC 3461 §4.3, §6.2: all of it for a failure, unless RET or its size speaks against that."""
    expected = kind == "failed" and ret != "HDRS" and size <= 1000

    assert returns_whole(message(ret=ret, size=size), kind, 1000) is expected


# What others can make of each value.

HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=60),
    st.sampled_from(
        [
            "",
            " ",
            "\r\n",
            "\r\n\r\n",
            "\r\n.\r\n",
            "a\r\nBcc: eve@e.example\r\n",
            "a\nb",
            "a\0b",
            "\x85\u2028\x0b\x0c",
            f"\r\n--{BOUNDARY}\r\n",
            f"--{BOUNDARY}--",
            "(((",
            '"',
            "\ud800",
            "x" * 100_000,
            "ö" * 2000,
            "\t \t",
        ]
    ),
)
REPLIES = st.builds(
    lambda code, texts: replace(ServerReply(code, tuple(texts)).answer, host="mx.else.example"),
    st.integers(200, 599),
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([b"", b"x" * 100_000, b"\xff" * 3000, b"5.1.1", b"a\0\r\n.\r\nb", b"5.001.1 x", b"\t"]),
        ),
        min_size=1,
        max_size=40,
    ),
)
# What no part of ours makes, and no report breaks by.
ANSWERS = st.one_of(
    st.none(),
    REPLIES,
    st.builds(Answer, HOSTILE, st.integers(-1, 10**6), HOSTILE, st.lists(HOSTILE, max_size=30).map(tuple)),
)
ADDRESSES = st.builds(Address, HOSTILE, st.one_of(st.just("a.example"), HOSTILE))
HELOS = st.one_of(HOSTILE.map(lambda text: text[:255]), st.just("client.example"))
PEERS = st.sampled_from([Peer("192.0.2.1"), Peer("2001:db8::1"), Peer("unix")])
STATUSES = st.one_of(st.sampled_from(["5.1.1", "4.4.1", "2.0.0", "5.001.1", "5.1", "5.1.1234"]), HOSTILE)
FAILED = st.builds(Failed, STATUSES, HOSTILE, ANSWERS)
DEFERRED = st.builds(Deferred, STATUSES, HOSTILE, ANSWERS)
SUCCESS = st.builds(Delivered, ANSWERS)


def fates_of(outcomes: st.SearchStrategy[Any], *actions: Action) -> st.SearchStrategy[list[Fate]]:
    """Return fates with one of *actions*."""
    fate = st.builds(
        Fate,
        ADDRESSES,
        st.sampled_from(actions),
        outcomes,
        HOSTILE,
        st.one_of(st.none(), st.floats(0, 1e10)),
        st.one_of(st.none(), ADDRESSES),
    )
    return st.lists(fate, min_size=1, max_size=3)


TOLD: st.SearchStrategy[tuple[Kind, list[Fate]]] = st.one_of(
    fates_of(FAILED, "failed").map(lambda fates: ("failed", fates)),
    fates_of(DEFERRED, "delayed").map(lambda fates: ("delayed", fates)),
    fates_of(SUCCESS, "delivered", "relayed", "expanded").map(lambda fates: ("success", fates)),
)
LINES = st.sampled_from(
    [
        b"",
        b"Subject: x",
        b" folded",
        b"no field",
        b"From the beginning",
        b"X : y",
        b": z",
        b"Content-Type: multipart/mixed; boundary=x",
        b'Content-Type: multipart/digest; boundary="y"',
        b"Content-Type: multipart/mixed",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/external-body",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: 8bit",
        b"--x",
        b"--x--",
        b"--y",
        b"--y--",
        f"--{BOUNDARY}".encode(),
        f"--{BOUNDARY}--".encode(),
        b"\xc3\xb6",
        b"a\0b",
        b"a\rb",
        b"x" * 999,
        b".",
        b"Message-ID: <1@a.example>",
    ]
)
ORIGINALS = st.one_of(
    st.binary(max_size=80),
    st.lists(LINES, max_size=25).map(lambda lines: b"".join(line + b"\r\n" for line in lines)),
    st.lists(LINES, max_size=25).map(b"\r\n".join),
)
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(
    TOLD,
    st.builds(
        message, envid=HOSTILE, id=HOSTILE, arrived_from=st.builds(came_from, HELOS, PEERS), smtputf8=st.booleans()
    ),
    st.one_of(ADDRESSES, st.just(Address("carol", "a.example"))),
    st.one_of(st.none(), st.builds(Returned, ORIGINALS, st.booleans())),
)
def test_lessons_9_24_25_nothing_breaks_a_report(
    told: tuple[Kind, list[Fate]], about: QueuedMessage, sender: Address, returned: Returned | None
) -> None:
    """Whatever addresses, servers, ENVID, ORCPT and the message hold: no defect, and one group for each fate."""
    kind, fates = told
    octets = build(
        replace(report(*fates, kind=kind, returned=returned), message=replace(about, reverse_path=sender))
    )
    checked = check(octets)

    assert [fields["action"].strip() for fields in checked.recipients] == [fate.action for fate in fates]
    assert ("original-envelope-id" in checked.message) is bool(about.envid)
    assert len(octets) < 200_000
    assert octets.isascii() or sender.needs_utf8


@SLOW
@given(ORIGINALS)
@example(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x--\r\n")
@example(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n--x\r\n\r\n--x--\r\n")
@example(b"Content-Type: multipart/digest; boundary=y\r\n\r\n--y\r\n\r\nno field\r\n--y--\r\n")
@example(b"Content-Type: message/delivery-status\r\n\r\nno field\r\n\r\nX: y\r\n")
def test_what_is_enclosed_is_the_message(original: bytes) -> None:
    """It is found again as it was, octet by octet, where it had seven bits; what is left out is never half of it."""
    octets = build(report(returned=Returned(original, True)))
    part = check(octets).returned
    if part is None or part.get_content_type() != "message/rfc822":
        return
    if original.isascii():
        boundary = str(message_from_bytes(octets, policy=STRICT).get_boundary())
        assert f"\r\n\r\n{original.decode()}\r\n--{boundary}--\r\n".encode() in octets
    else:
        # What its leaves decode to is what they held.
        assert [leaf for leaf in _leaves(part) if b"\xc3\xb6" in leaf]


def _leaves(part: Any) -> Iterator[bytes]:
    for each in part.walk():
        if not each.is_multipart():
            yield each.get_payload(decode=True)


@SLOW
@given(st.lists(HOSTILE, max_size=60).map(tuple))
def test_lesson_25_the_peers_words_are_bounded(lines: tuple[str, ...]) -> None:
    """A reply of any length and any letters takes some kilobytes of a report, and is one field of it."""
    failed = Failed("5.0.0", "".join(lines), Answer("mx.else.example", 554, "", lines))
    octets = build(report(Fate(BOB, "failed", failed)))
    kind, code = typed(check(octets).only["diagnostic-code"])

    assert kind == "smtp"
    assert len(code.split("\r\n")) <= 20
    assert len(octets) < 40_000


def test_very_many_recipients() -> None:
    """Each has its group."""
    outcomes: list[Outcome] = [Failed("5.0.0", f"reason {n}") for n in range(1000)]
    fates = [Fate(Address(f"u{n}", "else.example"), "failed", outcome) for n, outcome in enumerate(outcomes)]

    checked = check(build(report(*fates)))

    assert [fields["final-recipient"] for fields in checked.recipients] == [
        f" rfc822; u{n}@else.example" for n in range(1000)
    ]
