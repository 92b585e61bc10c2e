"""The part of a report that people read: plain words, the peer's own quoted, lines that fit a screen."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.message.report_fields import Fate
from mailsuite.message.report_text import report_text
from mailsuite.outcome import DELIVERED, Answer, Deferred, Delivered, Failed, Outcome
from mailsuite.queued import QueuedMessage

ARRIVED = 1_767_225_600.0
BOB = Address("bob", "else.example")


def text_of(*fates: Fate, kind: str = "failed", hostname: str = "mail.b.example", message_id: str = "k7f-1") -> str:
    """Return the text on *fates*, its lines joined by newlines."""
    message = QueuedMessage(message_id, Address("carol", "a.example"), ARRIVED, ARRIVED + 86_400, 10)
    octets = report_text(hostname, message, kind, fates)
    assert octets.isascii() or any(fate.address.needs_utf8 or (fate.onward or BOB).needs_utf8 for fate in fates)
    assert octets.endswith(b"\r\n")
    text = octets.decode().replace("\r\n", "\n")
    assert "\r" not in text
    return text


def about(fate: Fate, kind: str = "failed") -> list[str]:
    """Return what is said of *fate* alone, each paragraph on a line."""
    text = text_of(fate, kind=kind)
    paragraphs = text.split("\n\n")
    return [line.strip() for line in paragraphs[2].split("\n")]


def said(outcome: Outcome, **keys: Any) -> str:
    """Return what is said of a failure, on one line."""
    return " ".join(about(Fate(BOB, "failed", outcome, **keys))[1:])


def test_a_delay() -> None:
    """Who is not to do anything is told so, and until when it is tried."""
    text = text_of(Fate(BOB, "delayed", Deferred("4.4.1", "nobody answers")), kind="delayed")

    words = " ".join(text.split())
    assert "You need not do anything" in words
    assert "until Fri, 02 Jan 2026 00:00:00 +0000" in words
    assert "\n  <bob@else.example>\n    nobody answers\n\n" in text


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        (Fate(BOB, "delivered", DELIVERED), "It was delivered into the mailbox."),
        (Fate(BOB, "relayed", Delivered(Answer("mx", 250))), "It was passed on to a mail system that sends no such"),
        (Fate(BOB, "expanded", DELIVERED), "It was passed on to all for whom this address stands."),
    ],
)
def test_successes(fate: Fate, words: str) -> None:
    """In words that claim no more than is known."""
    assert about(fate, "success")[1].startswith(words)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("5.1.1", "There is no such mailbox."),
        ("5.1.2", "Mail cannot be sent to this address."),
        ("5.2.2", "The mailbox is full."),
        ("5.2.1", "The mailbox takes no mail at present."),
        ("5.2.3", "The message is too large for this recipient."),
        ("5.3.4", "The message is too large for the recipient's mail system."),
        ("5.3.0", "The recipient's mail system has a problem."),
        ("5.4.4", "The recipient's mail system could not be reached."),
        ("5.4.6", "Mail systems have sent the message round in a circle."),
        ("5.4.7", "It was tried again and again."),
        ("5.5.1", "The mail systems did not understand each other."),
        ("5.6.3", "The message has a form that the recipient's mail system does not take."),
        ("5.7.1", "The recipient's mail system does not want the message."),
    ],
)
def test_advice(status: str, advice: str) -> None:
    """RFC 3463 §3 in plain words: what it means, and what can be done."""
    assert said(Failed(status, "reason")).startswith(f"reason {advice}")


def test_no_advice_where_nobody_knows() -> None:
    """A general code says nothing, so nothing is made up; nor is a delay anything to act upon."""
    assert said(Failed("5.0.0", "reason")) == "reason"
    assert said(Failed("rubbish", "")) == ""
    assert about(Fate(BOB, "delayed", Deferred("4.2.2", "full")), "delayed") == ["<bob@else.example>", "full"]


def test_an_answer_is_quoted_once() -> None:
    """Where the reason tells of it, it is not told again; else it follows, line by line."""
    answer = Answer("mx", 550, "5.7.1", ("go", "away"))
    told = Failed("5.0.0", "mx said: 550 5.7.1 go away", answer)
    untold = Failed("5.0.0", "It was refused", answer)

    assert said(told) == "mx said: 550 5.7.1 go away"
    assert about(Fate(BOB, "failed", untold))[1:] == ["It was refused", "550-5.7.1 go", "550 5.7.1 away"]


def test_a_long_answer_is_quoted_once() -> None:
    """Also where the reason holds no more than its beginning: all of it is in the part for programs."""
    answer = Answer("mx", 550, "5.7.1", ("word " * 39,) * 20)

    assert len(said(Failed("5.0.0", f"mx said: {answer}", answer))) < 1000
    assert said(Failed("5.0.0", "It was refused", answer)).count("word") == 20 * 39


def test_an_alias_and_where_it_leads() -> None:
    """The sender finds the address that they wrote to."""
    fate = Fate(Address("sales", "b.example"), "failed", Failed("5.0.0", "x"), onward=BOB)

    assert about(fate)[:2] == ["<sales@b.example>", "(its mail goes on to <bob@else.example>)"]


def test_names_are_not_broken() -> None:
    """What somebody may want to copy stays on one line, hyphens or not."""
    hostname = "a-long-name-of-a-host-with-hyphens-" + "x" * 15 + ".example"

    assert f"postmaster@{hostname}," in text_of(Fate(BOB, "failed", Failed("5.0.0", "x")), hostname=hostname).split()


@given(
    st.text(st.characters(exclude_categories=[]), max_size=300),
    st.lists(st.text(st.characters(exclude_categories=[]), max_size=300), max_size=30),
)
def test_lesson_25_lines_fit(reason: str, lines: list[str]) -> None:
    """RFC 5322 §2.1.1: 78 characters, but for an address; whatever others said stands indented."""
    outcome = Failed("5.0.0", reason, Answer("mx", 550, "", tuple(lines)))
    text = text_of(Fate(BOB, "failed", outcome))
    quoted = text.split("\n  <bob@else.example>\n")[1].split("\n\nIt arrived here")[0]

    assert max(map(len, text.split("\n"))) <= 78
    assert all(line.startswith("    ") for line in quoted.split("\n"))


def test_a_long_address() -> None:
    """Is not broken: the only line that may be longer than 78, and never than 998."""
    long = Address("x" * 5000, "else.example")
    lines = text_of(Fate(long, "failed", Failed("5.0.0", "x"), onward=long)).split("\n")

    assert [len(line) for line in lines if len(line) > 78] == [904, 926]


def test_lesson_9_our_own_values() -> None:
    """Neither the host's name nor the message's id can begin a line of their own."""
    text = text_of(
        Fate(BOB, "failed", Failed("5.0.0", "x")), hostname="a\r\nb", message_id="\r\n.\r\nFrom: eve@e.example"
    )

    assert not any(line.startswith((".", "From:", "b")) for line in text.split("\n"))
