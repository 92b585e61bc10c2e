"""The part of a report that programs read (RFC 3464 §2; RFC 3461 §6.3, §9.2)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.message.report_fields import (
    ANSWER_LETTERS,
    ANSWER_LINES,
    VALUE_LETTERS,
    Action,
    Fate,
    answer_lines,
    delivery_status,
    one_line,
    path,
)
from mailsuite.outcome import DELIVERED, Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queued import QueuedMessage
from tests.message.dsn import Fields, check_status

ARRIVED = 1_767_225_600.0
BOB = Address("bob", "else.example")
SAID = Answer("mx.else.example", 550, "5.1.1", ("no such user",))
MESSAGE = QueuedMessage("k7f-1", Address("carol", "a.example"), ARRIVED, ARRIVED + 86_400, 10)


def fields_of(fate: Fate, hostname: str = "mail.b.example", **keys: Any) -> tuple[Fields, Fields]:
    """Return the fields of the message, of which *keys* are given, and those of *fate*."""
    message, (recipient,) = check_status(delivery_status(hostname, replace(MESSAGE, **keys), (fate,)))
    return message, recipient


def of(fate: Fate) -> Fields:
    """Return the fields of *fate*."""
    return fields_of(fate)[1]


def test_of_the_message() -> None:
    """RFC 3464 §2.2, all that we can say, in its order."""
    message, _ = fields_of(Fate(BOB, "delivered", DELIVERED), envid="Qq+= x", arrived_from="c.example ([192.0.2.1])")

    assert list(message.items()) == [
        ("original-envelope-id", " Qq+= x"),
        ("reporting-mta", " dns; mail.b.example"),
        ("received-from-mta", " dns; c.example ([192.0.2.1])"),
        ("arrival-date", " Thu, 01 Jan 2026 00:00:00 +0000"),
        ("x-mailsuite-id", " k7f-1"),
    ]


def test_of_a_message_that_is_ours() -> None:
    """What is not known is not said (RFC 3461 §6.3 (a): no identifier that the sender has not given)."""
    message, _ = fields_of(Fate(BOB, "delivered", DELIVERED))

    assert list(message) == ["reporting-mta", "arrival-date", "x-mailsuite-id"]


def test_a_host_without_a_domain() -> None:
    """RFC 3461 §6.3 (b): it is not called a name of the DNS."""
    message, _ = fields_of(Fate(BOB, "delivered", DELIVERED), "mailhost")

    assert message["reporting-mta"] == " x-local-hostname; mailhost"


def test_of_a_recipient_that_failed() -> None:
    """RFC 3464 §2.3, in its order; Will-Retry-Until is for delays alone (§2.3.9)."""
    fate = Fate(BOB, "failed", Failed("5.1.1", "no such user", SAID), "rfc822;Bob@Else.example", ARRIVED + 60)

    assert list(of(fate).items()) == [
        ("original-recipient", " rfc822; Bob@Else.example"),
        ("final-recipient", " rfc822; bob@else.example"),
        ("action", " failed"),
        ("status", " 5.1.1"),
        ("remote-mta", " dns; mx.else.example"),
        ("diagnostic-code", " smtp; 550 5.1.1 no such user"),
        ("last-attempt-date", " Thu, 01 Jan 2026 00:01:00 +0000"),
    ]


def test_of_a_recipient_that_is_late() -> None:
    """With the time until which it is tried; without one of a last try that nobody knows (RFC 3464 §2.3.7)."""
    found = of(Fate(BOB, "delayed", Deferred("4.4.1", "nobody answers")))

    assert list(found.items()) == [
        ("final-recipient", " rfc822; bob@else.example"),
        ("action", " delayed"),
        ("status", " 4.4.1"),
        ("diagnostic-code", " x-mailsuite; nobody answers"),
        ("will-retry-until", " Fri, 02 Jan 2026 00:00:00 +0000"),
    ]


def test_of_a_recipient_that_was_reached() -> None:
    """RFC 3464 §2.3.5: no host but ours was involved in it."""
    for action in ("delivered", "expanded"):
        found = of(Fate(BOB, action, DELIVERED, tried=ARRIVED))
        assert list(found) == ["final-recipient", "action", "status", "last-attempt-date"]
        assert found["status"] == " 2.1.5"


def test_of_a_recipient_that_was_relayed() -> None:
    """RFC 3461 §6.3 (h), (i): who took it, and with which words."""
    found = of(Fate(BOB, "relayed", Delivered(Answer("mx.else.example", 250, "2.6.0", ("queued as 1",)))))

    assert found["status"] == " 2.6.0"
    assert found["remote-mta"] == " dns; mx.else.example"
    assert found["diagnostic-code"] == " smtp; 250 2.6.0 queued as 1"


def test_of_an_alias() -> None:
    """The address that we took the message for (RFC 3464 §2.3.2), and the other one, too (RFC 3461 §6.3 (j))."""
    fate = Fate(Address("sales", "b.example"), "failed", Failed("5.1.1", "x", SAID), onward=BOB)
    unreached = replace(fate, outcome=Failed("5.4.4", "no route"))

    assert of(fate)["final-recipient"] == " rfc822; sales@b.example"
    assert of(fate)["smtp-remote-recipient"] == " bob@else.example"
    # No server was given it.
    assert "smtp-remote-recipient" not in of(unreached)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("mx.else.example", " dns; mx.else.example"),
        ("mx_1.else.example", " dns; mx_1.else.example"),
        ("[192.0.2.9]", " dns; [192.0.2.9]"),
        ("[IPv6:2001:db8::9]", " dns; [IPv6:2001:db8::9]"),
        ("[/run/lists.sock]", None),
        ("", None),
        ("a b", None),
        ("a;b", None),
        ("a(b", None),
        ("a\r\nAction: delivered", None),
    ],
)
def test_remote_hosts(host: str, told: str | None) -> None:
    """RFC 3461 §9.3: a name or an address literal; a socket of this machine is no remote host."""
    found = of(Fate(BOB, "failed", Failed("5.0.0", "x", Answer(host, 550, "", ("no",)))))

    assert found.get("remote-mta") == told
    assert found["diagnostic-code"] == " smtp; 550 no"


@pytest.mark.parametrize(
    ("action", "outcome", "status"),
    [
        ("failed", Failed("5.7.1", "x"), "5.7.1"),
        # RFC 3464 §2.3.3: what failed may have a temporary cause.
        ("failed", Failed("4.4.1", "x"), "4.4.1"),
        ("failed", Failed("2.0.0", "x"), "5.0.0"),
        ("failed", Failed("", "x"), "5.0.0"),
        ("failed", Failed("5.1", "x"), "5.0.0"),
        # RFC 3464 §2.3.4: without leading zeros.
        ("failed", Failed("5.01.1", "x"), "5.0.0"),
        ("failed", Failed("5.1.1234", "x"), "5.0.0"),
        ("failed", Failed("5.1.1\r\nAction: delivered", "x"), "5.0.0"),
        ("failed", Failed("5.1.1\u0661", "x"), "5.0.0"),
        ("delayed", Deferred("4.2.2", "x"), "4.2.2"),
        ("delayed", Deferred("5.2.2", "x"), "4.0.0"),
        ("delayed", Deferred("", "x"), "4.0.0"),
        ("relayed", Delivered(Answer("mx", 250, "2.1.5")), "2.1.5"),
        ("relayed", Delivered(Answer("mx", 250)), "2.0.0"),
        ("relayed", Delivered(Answer("mx", 250, "5.1.1")), "2.0.0"),
        ("relayed", DELIVERED, "2.0.0"),
        ("delivered", DELIVERED, "2.1.5"),
        ("expanded", Delivered(Answer("mx", 250, "2.0.0")), "2.1.5"),
    ],
)
def test_status(action: Action, outcome: Outcome, status: str) -> None:
    """RFC 3461 §6.3 (g): the code that was given, where it fits what has happened; else the general one."""
    assert Fate(BOB, action, outcome).status == status
    assert of(Fate(BOB, action, outcome))["status"] == f" {status}"


@pytest.mark.parametrize(
    ("original", "told"),
    [
        ("rfc822;Bob@Else.example", " rfc822; Bob@Else.example"),
        ("X400;/S=Bob", " X400; /S=Bob"),
        ("rfc822;a;b", " rfc822; a;b"),
        ("bob@else.example", " unknown; bob@else.example"),
        ("no atom;x", " unknown; no atom;x"),
        (";x", " unknown; ;x"),
        ("rfc822;a\r\nAction: delivered", " rfc822; a\\x0d\\x0aAction: delivered"),
        ("x" * 61 + ";y", " unknown; " + "x" * 61 + ";y"),
    ],
)
def test_lesson_9_original_recipients(original: str, told: str) -> None:
    """RFC 3464 §2.3.1: with their type, where that is one, and always on one line."""
    assert of(Fate(BOB, "delivered", DELIVERED, original))["original-recipient"] == told


def test_lesson_25_an_answer_of_many_lines() -> None:
    """RFC 3461 §9.2: a line of its own for each, the first ones; the mark of the last is a space."""
    lines = tuple(f"line {n}" for n in range(ANSWER_LINES + 1))
    found = list(answer_lines(Answer("mx", 550, "5.7.1", lines)))

    assert len(found) == ANSWER_LINES
    assert found[0] == "550-5.7.1 line 0"
    assert found[-1] == f"550 5.7.1 line {ANSWER_LINES - 1}"
    assert list(answer_lines(Answer("mx", 550, "", lines[:ANSWER_LINES])))[-1] == f"550 line {ANSWER_LINES - 1}"


def test_an_answer_without_words() -> None:
    """Has its code, and a comment in place of a text; where nothing was said there is none."""
    assert list(answer_lines(Answer("mx", 450))) == ["450 (no text)"]
    assert list(answer_lines(Answer("mx", 450, "", ("", " ", "x")))) == ["450-(no text)", "450-(no text)", "450 x"]
    assert list(answer_lines(Answer("mx"))) == []
    assert list(answer_lines(Answer("mx", 99, "", ("x",)))) == ["099 x"]


def test_an_answer_line_at_the_cap_and_one_past() -> None:
    """What is cut says so."""
    fits = "x" * (ANSWER_LETTERS - 4)

    assert list(answer_lines(Answer("mx", 550, "", (fits,)))) == [f"550 {fits}"]
    assert list(answer_lines(Answer("mx", 550, "", (f"{fits}x",)))) == [f"550 {fits[:-3]}..."]


def test_what_was_not_said_by_a_server() -> None:
    """Is called ours; a reason of nothing is none."""
    assert of(Fate(BOB, "failed", Failed("5.4.4", " no\r\nroute ")))["diagnostic-code"] == (
        " x-mailsuite; no\\x0d\\x0aroute"
    )
    assert "diagnostic-code" not in of(Fate(BOB, "failed", Failed("5.4.4", " \r\n")))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("a\tb", "a b"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("a\0b\x7f", "a\\x00b\\x7f"),
        ("ö\u2028\ud800", "\\xf6\\u2028\\ud800"),
        ("", ""),
    ],
)
def test_one_line(text: str, line: str) -> None:
    """Printable ASCII; what is not is shown as what it is."""
    assert one_line(text, 100) == line


def test_one_line_at_the_cap_and_one_past() -> None:
    """The cap counts what is shown."""
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("x" * 11, 10) == "x" * 7 + "..."
    assert one_line("ö" * 3, 10) == "\\xf6\\xf..."
    assert one_line("ö" * 1_000_000, 12) == "\\xf6\\xf6\\..."


@given(st.text(st.characters(exclude_categories=[])), st.integers(3, 60))
def test_one_line_of_anything(text: str, letters: int) -> None:
    """Never longer than allowed, never anything but printable ASCII."""
    line = one_line(text, letters)

    assert len(line) <= letters
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (Address("Bob", "Else.example"), "Bob@Else.example"),
        (Address("two words", "a.example"), '"two words"@a.example'),
        (Address("bob", "bücher.example"), "bob@xn--bcher-kva.example"),
        (Address("jürgen", "a.example"), "j\\xfcrgen@a.example"),
        (Address("Postmaster", ""), "Postmaster"),
        (Address("a\r\nb", "a.example"), '"a\\x0d\\x0ab"@a.example'),
    ],
)
def test_path(address: Address, told: str) -> None:
    """RFC 3464 §2.3.2: exactly as it was in the envelope, but for what no field can hold."""
    assert path(address) == told
    assert len(path(replace(address, local="x" * 10_000))) == VALUE_LETTERS
