"""Who is told what (RFC 3461 §4.1, §5.2), and that nobody is told of a report (lessons 19 and 20)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import pytest

from mailsuite.address import Address
from mailsuite.asked import Asked
from mailsuite.meaning import Mailbox
from mailsuite.message.headers import HEADER_OCTETS
from mailsuite.message.trace import date
from mailsuite.outcome import DELIVERED, Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queued import LOCAL, Job, Purpose, QueuedMessage, QueuedRecipient
from mailsuite.service.reports import PIECE_OCTETS, Reports
from tests.doubles_delivery import Contents
from tests.doubles_pop3 import KeptLog, settled
from tests.message.dsn import Checked, check

NOW = 1_767_225_600.0
DATE = " Thu, 01 Jan 2026 00:00:00 +0000"
CAROL = Address("carol", "a.example")
BOB = Address("bob", "else.example")
BOX = Mailbox(1, "b.example/box1")
ORIGINAL = b"Message-ID: <1@a.example>\r\nSubject: lunch\r\n\r\nAt noon?\r\n"
SIZE = 1000

NEVER = Failed("5.1.1", "no such user", Answer("mx.else.example", 550, "5.1.1", ("unknown",)))
LATER = Deferred("4.2.0", "busy", Answer("mx.else.example", 450, "4.2.0", ("busy",)))
# Taken by a server that has no DSN, and by one that tells the rest itself.
TAKEN = Delivered(Answer("mx.else.example", 250, "2.0.0", ("ok",)))
TOLD_BY_OTHERS = replace(TAKEN, informs=True)


class Telling:
    """Reports that keep what they send: *sent* are addresses and octets."""

    def __init__(self, hostname: str = "mail.b.example") -> None:
        self.sent: list[tuple[Address, bytes]] = []
        # What was asked of their way.
        self.asked: list[Asked] = []
        self.log = KeptLog()
        self.trouble: OSError | None = None
        # Addresses that lead nowhere.
        self.nowhere: set[Address] = set()
        self.content = Contents(ORIGINAL)
        tokens = count(1)
        self.reports = Reports(
            hostname, self._submit, self.log, lambda: NOW, lambda: f"token{next(tokens):027}", SIZE
        )

    async def _submit(self, recipient: Address, content: bytes, asked: Asked) -> str | None:
        if self.trouble is not None:
            raise self.trouble
        if recipient in self.nowhere:
            return None
        self.sent.append((recipient, content))
        self.asked.append(asked)
        return f"r{len(self.sent)}-0"

    def tell(
        self,
        outcomes: Outcome | Sequence[Outcome],
        recipients: Sequence[QueuedRecipient] = (),
        purpose: Purpose = "try",
        **message: Any,
    ) -> list[Checked]:
        """Report *outcomes* of *recipients*; return the reports that this sent, which are all good ones."""
        before = len(self.sent)
        given = [outcomes] if isinstance(outcomes, Deferred | Delivered | Failed) else outcomes
        known = QueuedMessage("k7f-1", CAROL, NOW - 3600, NOW + 86_400, len(ORIGINAL))
        job = Job(replace(known, **message), tuple(recipients or [recipient()]), purpose)
        settled(self.reports.report(job, given, self.content))
        return [check(octets) for _, octets in self.sent[before:]]

    def records(self, kind: str) -> list[dict[str, object]]:
        """Return the lines of one kind in the mail log."""
        return [fields for each, fields in self.log.records if each == kind]


def recipient(notify: str = "", address: Address = BOB, **more: Any) -> QueuedRecipient:
    """Return a recipient elsewhere."""
    return QueuedRecipient(address, address.domain, notify=notify, **more)


def local(notify: str = "") -> QueuedRecipient:
    """Return a recipient with a mailbox of ours."""
    return QueuedRecipient(Address("alice", "b.example"), LOCAL, BOX, notify)


def actions(reports: Sequence[Checked]) -> list[list[str]]:
    """Return the actions that each report tells of."""
    return [[fields["action"].strip() for fields in report.recipients] for report in reports]


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        # RFC 3461 §4.1: without NOTIFY failure and delay are told.
        ("", {"FAILURE", "DELAY"}),
        ("NEVER", set()),
        ("SUCCESS", {"SUCCESS"}),
        ("FAILURE", {"FAILURE"}),
        ("DELAY", {"DELAY"}),
        ("SUCCESS,FAILURE", {"SUCCESS", "FAILURE"}),
        ("SUCCESS,DELAY", {"SUCCESS", "DELAY"}),
        ("FAILURE,DELAY", {"FAILURE", "DELAY"}),
        ("SUCCESS,FAILURE,DELAY", {"SUCCESS", "FAILURE", "DELAY"}),
    ],
)
def test_notify(notify: str, told: set[str]) -> None:
    """RFC 3461 §5.2.2 to §5.2.6: what was asked for, and nothing else, wherever the recipient is."""
    telling = Telling()
    expected = [[action] for event, action in (("SUCCESS", "relayed"), ("FAILURE", "failed")) if event in told]

    sent = [*telling.tell(TAKEN, [recipient(notify)]), *telling.tell(NEVER, [recipient(notify)])]
    assert actions(sent) == expected
    late = telling.tell(LATER, [recipient(notify)], "warn")
    assert actions(late) == ([["delayed"]] if "DELAY" in told else [])
    assert actions(telling.tell(DELIVERED, [local(notify)])) == ([["delivered"]] if "SUCCESS" in told else [])


def test_what_others_report() -> None:
    """RFC 3461 §5.2.1: a server with DSN was given the request, so we say nothing of a success."""
    telling = Telling()

    assert telling.tell(TOLD_BY_OTHERS, [recipient("SUCCESS,FAILURE,DELAY")]) == []
    assert telling.log.records == []


def test_a_list_that_was_reached() -> None:
    """RFC 3461 §5.2.7.3 (c): one that is no mailbox, and no other server's, was expanded."""
    expanded = QueuedRecipient(Address("list", "b.example"), LOCAL, None, "SUCCESS", "rfc822;List@B.example")

    (report,) = Telling().tell(DELIVERED, [expanded])

    assert report.only["action"] == " expanded"
    assert report.only["final-recipient"] == " rfc822; list@b.example"
    assert report.only["original-recipient"] == " rfc822; List@B.example"


def test_one_report_for_each_kind_of_news() -> None:
    """RFC 3461 §5.2.8: several recipients in one, and none that it is not for."""
    telling = Telling()
    names = ["a", "b", "c", "d", "e", "f"]
    notify = ["SUCCESS", "", "NEVER", "FAILURE", "SUCCESS", ""]
    to = [recipient(wish, Address(name, "else.example")) for name, wish in zip(names, notify, strict=True)]

    reports = telling.tell([TAKEN, NEVER, NEVER, NEVER, NEVER, TAKEN], to)

    assert [[each["final-recipient"] for each in report.recipients] for report in reports] == [
        [" rfc822; a@else.example"],
        [" rfc822; b@else.example", " rfc822; d@else.example"],
    ]
    assert actions(reports) == [["relayed"], ["failed", "failed"]]
    assert [fields["to"] for fields in telling.records("dropped")] == ["c@else.example", "e@else.example"]


def test_what_a_report_says() -> None:
    """RFC 3461 §6.3: all that the envelope and the other server said."""
    (report,) = Telling().tell(
        NEVER,
        [recipient("FAILURE", original="rfc822;Bob@Else.example")],
        envid="QQ314159",
        arrived_from="client.example ([192.0.2.1])",
    )

    assert report.message == {
        "original-envelope-id": " QQ314159",
        "reporting-mta": " dns; mail.b.example",
        "received-from-mta": " dns; client.example ([192.0.2.1])",
        "arrival-date": " Wed, 31 Dec 2025 23:00:00 +0000",
        "x-mailsuite-id": " k7f-1",
    }
    assert report.only == {
        "original-recipient": " rfc822; Bob@Else.example",
        "final-recipient": " rfc822; bob@else.example",
        "action": " failed",
        "status": " 5.1.1",
        "remote-mta": " dns; mx.else.example",
        "diagnostic-code": " smtp; 550 5.1.1 unknown",
        "last-attempt-date": DATE,
    }


@pytest.mark.parametrize(
    ("purpose", "outcome", "tried", "until"),
    [
        ("try", NEVER, DATE, None),
        ("expire", NEVER, None, None),
        ("bounce", NEVER, None, None),
        ("warn", LATER, None, " Fri, 02 Jan 2026 00:00:00 +0000"),
    ],
)
def test_dates(purpose: Purpose, outcome: Outcome, tried: str | None, until: str | None) -> None:
    """RFC 3464 §2.3.7, §2.3.9: the last try is told where this was one, and how long it is tried where it is."""
    (report,) = Telling().tell(outcome, purpose=purpose)

    assert report.only.get("last-attempt-date") == tried
    assert report.only.get("will-retry-until") == until


def test_an_alias() -> None:
    """The sender finds whom they wrote to (RFC 3464 §2.3.2), and no ORCPT is made up (RFC 3461 §6.3 (d))."""
    forwarded = recipient("FAILURE", added=b"Delivered-To: Sales@b.example\r\n")

    (report,) = Telling().tell(NEVER, [forwarded])

    assert report.only["final-recipient"] == " rfc822; Sales@b.example"
    assert report.only["smtp-remote-recipient"] == " bob@else.example"
    assert "original-recipient" not in report.only
    assert "<Sales@b.example>" in report.text


def test_lesson_20_no_report_about_a_report() -> None:
    """Ten thousand failures of messages with a null reverse-path, whatever else they ask for: not one report."""
    telling = Telling()
    chance = Random(20)
    wishes = ["", "NEVER", "SUCCESS", "FAILURE", "SUCCESS,FAILURE,DELAY"]
    purposes: list[Purpose] = ["try", "expire", "bounce", "warn"]
    ends: list[Outcome] = [NEVER, NEVER, LATER, TAKEN, DELIVERED, TOLD_BY_OTHERS]
    failures = 0
    while failures < 10_000:
        to = [
            QueuedRecipient(
                Address(f"u{chance.randrange(1000)}", "else.example"),
                "else.example",
                chance.choice([None, BOX]),
                chance.choice(wishes),
            )
            for _ in range(chance.randint(1, 5))
        ]
        outcomes = [chance.choice(ends) for _ in to]
        failures += outcomes.count(NEVER)
        telling.tell(outcomes, to, chance.choice(purposes), reverse_path=None, ret=chance.choice(["", "FULL"]))

    assert telling.sent == []
    assert telling.content.opened == []
    assert len(telling.records("dropped")) == failures
    assert len(telling.log.records) == failures


def test_dropped() -> None:
    """Architecture §4.3: what leaves the system without a word to anybody is in the log, and why."""
    telling = Telling()
    telling.tell(NEVER, reverse_path=None)
    telling.tell([NEVER, LATER], [recipient("NEVER"), recipient("NEVER")], "expire")

    known = {"id": "k7f-1", "to": "bob@else.example", "status": "5.1.1", "why": "no such user"}
    assert telling.log.records == [("dropped", {**known, "from": each}) for each in ("", "carol@a.example")]


@pytest.mark.parametrize(
    ("ret", "size", "whole"),
    [
        ("", SIZE, True),
        ("", SIZE + 1, False),
        ("FULL", SIZE, True),
        ("FULL", SIZE + 1, False),
        ("HDRS", SIZE, False),
    ],
)
def test_what_is_returned_of_a_failure(ret: str, size: int, whole: bool) -> None:
    """RFC 3461 §4.3, §6.2: RET, at the cap and one past."""
    telling = Telling()
    content = ORIGINAL + b"x" * (size - len(ORIGINAL) - 2) + b"\r\n"
    telling.content = Contents(content)

    (report,) = telling.tell(NEVER, ret=ret, size=size)

    assert report.returned is not None
    assert report.returned.get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")
    assert (content in telling.sent[0][1]) is whole
    assert ORIGINAL.partition(b"\r\n\r\n")[0] in telling.sent[0][1]


@pytest.mark.parametrize(("outcome", "purpose"), [(TAKEN, "try"), (LATER, "warn")])
def test_what_is_returned_of_anything_else(outcome: Outcome, purpose: Purpose) -> None:
    """RFC 3461 §4.3: where nothing has failed, the header is enough, whatever RET says."""
    (report,) = Telling().tell(outcome, [recipient("SUCCESS,DELAY")], purpose, ret="FULL")

    assert report.returned is not None
    assert report.returned.get_content_type() == "text/rfc822-headers"


def test_a_message_larger_than_it_is_said_to_be() -> None:
    """What was cut is never called the whole message."""
    telling = Telling()
    telling.content = Contents(ORIGINAL + b"x\r\n" * SIZE)

    (report,) = telling.tell(NEVER, size=len(ORIGINAL))

    assert report.returned is not None
    assert report.returned.get_content_type() == "text/rfc822-headers"
    assert b"At noon?" not in telling.sent[0][1]


@pytest.mark.parametrize("late", [False, True])
def test_of_a_large_message_the_header_alone_is_read(late: bool) -> None:
    """However the header lies in the pieces; the message is closed after that."""
    telling = Telling()
    telling.content = Contents(b"Subject: l", b"unch\r\n\r", b"\nhello", b"never read", late=late)

    (report,) = telling.tell(NEVER, size=10_000_000)

    assert report.returned is not None
    assert report.returned.get_content() == "Subject: lunch\r\n"
    (opened,) = telling.content.opened
    assert settled(opened.read(1)) == b"never read"
    assert opened.closed == 1


def test_a_header_without_an_end() -> None:
    """Is read up to the limit that every header has."""
    telling = Telling()
    line = b"X: " + b"y" * (PIECE_OCTETS - 5) + b"\r\n"
    telling.content = Contents(*[line] * 20)

    telling.tell(NEVER, size=10_000_000)

    assert telling.content.opened[0].read(1) == line
    assert len(telling.sent[0][1]) < 2 * HEADER_OCTETS


@pytest.mark.parametrize("where", ["opening", "reading"])
def test_a_message_that_cannot_be_read(where: str) -> None:
    """The sender is told all the same, without it."""
    telling = Telling()
    if where == "opening":
        telling.content.trouble = FileNotFoundError("gone")
    else:
        telling.content.read_trouble = OSError(5, "Input/output error")

    (report,) = telling.tell(NEVER)

    assert report.returned is None
    assert report.only["action"] == " failed"
    assert [opened.closed for opened in telling.content.opened] == ([1] if where == "reading" else [])


def test_a_report_that_cannot_be_kept() -> None:
    """The caller hears of it, who tries again; nothing is logged that has not happened."""
    telling = Telling()
    telling.trouble = OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        telling.tell([NEVER, NEVER], [recipient(), recipient("NEVER")])
    assert telling.log.records == []

    telling.trouble = None
    assert len(telling.tell([NEVER, NEVER], [recipient(), recipient("NEVER")])) == 1
    assert [kind for kind, _ in telling.log.records] == ["report", "dropped"]


def test_the_log_has_the_report() -> None:
    """With its own id, by which it is found further on."""
    telling = Telling()
    telling.tell([NEVER, NEVER], [recipient(), recipient(address=Address("eve", "else.example"))])

    assert telling.log.records == [
        (
            "report",
            {
                "id": "k7f-1",
                "report": "r1-0",
                "to": "carol@a.example",
                "about": ["bob@else.example", "eve@else.example"],
                "action": "failed",
                "why": None,
            },
        )
    ]


def test_a_sender_who_cannot_be_told() -> None:
    """A forged address of ours, most likely: it is logged as dropped, and that is the end of it."""
    telling = Telling()
    telling.nowhere = {CAROL}

    assert telling.tell(NEVER) == []
    ((kind, fields),) = telling.log.records
    assert (kind, fields["to"], fields["about"]) == ("dropped", "carol@a.example", ["bob@else.example"])


def test_names_of_reports() -> None:
    """Each has an identifier and a boundary of its own."""
    telling = Telling()
    first, second = telling.tell([NEVER, TAKEN], [recipient(), recipient("SUCCESS")])

    assert first.whole["message-id"] == f"<token{1:027}.1767225600@mail.b.example>"
    assert len({str(report.whole[name]) for report in (first, second) for name in ("message-id", "content-type")}) == 4


class TestAsked:
    """Reports on messages of whose way something was asked."""

    @pytest.mark.parametrize(
        ("informs", "notify", "told"),
        [
            (False, "", True),
            (True, "", True),
            (True, "FAILURE", True),
            (True, "SUCCESS", True),
            (False, "NEVER", False),
        ],
    )
    def test_a_relaying_that_is_announced(self, informs: bool, notify: str, told: bool) -> None:
        """RFC 2852 §4.1.4: to all but who wants to hear nothing, whatever the next host tells."""
        taken = replace(TAKEN, informs=informs, announced=True)
        reports = Telling().tell(taken, [recipient(notify)], asked=Asked(by=NOW + 60, by_mode="N"))

        assert actions(reports) == ([["relayed"]] if told else [])

    def test_it_says_that_there_may_be_more(self) -> None:
        """And not that this is the last word."""
        telling = Telling()
        telling.tell(replace(TAKEN, informs=True, announced=True), asked=Asked(by=NOW + 60, by_mode="R", traced=True))
        ((_, octets),) = telling.sent

        words = b"It was passed on to the next mail system, which may tell you more."
        assert words in octets.replace(b"\r\n    ", b" ")

    @pytest.mark.parametrize(
        ("asked", "fields"),
        [
            (Asked(by=NOW + 60, by_mode="R"), {"deliver-by-date": NOW + 60}),
            (Asked(release=NOW, hold="for;600"), {"future-release-request": "for;600"}),
            (Asked(release=NOW, hold="until;2026-01-01T00:00:00Z"),
             {"future-release-request": "until;2026-01-01T00:00:00Z"}),
            (Asked(), {}),
        ],
    )  # fmt: skip
    def test_what_was_asked_is_told(self, asked: Asked, fields: dict[str, Any]) -> None:
        """RFC 2852 §5, RFC 4865 §5.1.2: beside the date of arrival."""
        (report,) = Telling().tell(NEVER, asked=asked)
        told = {name: date(int(value)) if isinstance(value, float) else value for name, value in fields.items()}
        names = ("deliver-by-date", "future-release-request")
        assert {name: report.message[name].strip() for name in names if name in report.message} == told
        assert "arrival-date" in report.message

    def test_it_goes_as_the_message_did(self) -> None:
        """RFC 6710 §4.6, RFC 8689 §5: as quickly, and as safely; nothing else is asked of its way."""
        telling = Telling()
        more: dict[str, Any] = {"by": NOW + 9, "by_mode": "R", "release": NOW, "hold": "for;9"}
        telling.tell(NEVER, asked=Asked(require_tls=True, priority=4, **more))
        telling.tell(NEVER, asked=Asked(tls_optional=True))
        telling.tell(NEVER)

        assert telling.asked == [Asked(require_tls=True, priority=4), Asked(tls_optional=True), Asked()]

    def test_of_what_needs_tls_the_header_is_returned(self) -> None:
        """RFC 8689 §5: whatever RET says."""
        telling = Telling()
        telling.tell(NEVER, ret="FULL", asked=Asked(require_tls=True))
        ((_, octets),) = telling.sent

        assert b"Content-Type: text/rfc822-headers" in octets
        assert b"At noon?" not in octets
