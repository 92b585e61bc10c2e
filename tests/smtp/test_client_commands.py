"""MAIL and RCPT as the client writes them: never more than one line, never a parameter that was not offered."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.outcome import Answer
from mailsuite.smtp import grammar
from mailsuite.smtp.client_commands import (
    ENVID_LETTERS,
    ORIGINAL_LETTERS,
    mail_line,
    path_octets,
    rcpt_line,
    xtext,
)
from mailsuite.smtp.client_events import Capabilities, Transaction, TransactionRecipient

ALL = Capabilities({"SIZE": "", "8BITMIME": "", "DSN": "", "SMTPUTF8": ""})
B = Address("b", "b.example")


@given(st.text(max_size=30))
def test_xtext_round_trip(text: str) -> None:
    """Our own decoder gives back what was encoded."""
    expected = text.encode("utf-8", "replace").decode("utf-8")

    assert grammar.xtext(xtext(text).decode("ascii")) == expected


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_lesson_9_nothing_that_we_were_given_leaves_its_place(
    local: str, domain: str, text: str, notify: str, ret: str
) -> None:
    """Whatever address, ENVID, ORCPT and the like hold, one line of printable ASCII comes out, or a refusal."""
    address = Address(local, domain)
    recipient = TransactionRecipient(address, notify, "rfc822;" + text)
    lines = [
        mail_line(Transaction(address, (recipient,), 1, True, ret, text), ALL),
        rcpt_line(recipient, ALL),
        rcpt_line(TransactionRecipient(B, notify, text), ALL),
    ]
    for line in lines:
        if not isinstance(line, Answer):
            assert line.endswith(b"\r\n")
            command = line[:-2].decode("ascii")
            assert command.isprintable()
            found = grammar.split_path(command[5:], "FROM" if command.startswith("MAIL") else "TO")
            assert found is not None
            keywords = [keyword for keyword, _ in grammar.parameters(found[1])]
            assert set(keywords) <= {"SIZE", "BODY", "RET", "ENVID", "NOTIFY", "ORCPT"}
            assert len(set(keywords)) == len(keywords)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.sampled_from(["rfc822", "UTF-8"]))
@example("", '"', "", "rfc822")
def test_lesson_9_nor_in_utf8(local: str, domain: str, text: str, kind: str) -> None:
    """With SMTPUTF8 one printable line comes out, or a refusal, and its parameters are our own."""
    address = Address(local, domain)
    recipient = TransactionRecipient(address, "NEVER", f"{kind};{text}")
    lines = [
        mail_line(Transaction(address, (recipient,), 1, True, "FULL", text), ALL, utf8=True),
        rcpt_line(recipient, ALL, utf8=True),
        rcpt_line(TransactionRecipient(B, "", f"{kind};{text}"), ALL, utf8=True),
    ]
    for line in lines:
        if not isinstance(line, Answer):
            assert line.endswith(b"\r\n")
            command = line[:-2].decode("utf-8")
            assert "\r" not in command and "\n" not in command and "\0" not in command
            found = grammar.split_path(command[5:], "FROM" if command.startswith("MAIL") else "TO")
            assert found is not None
            keywords = [keyword for keyword, _ in grammar.parameters(found[1], utf8=True)]
            assert set(keywords) <= {"SIZE", "BODY", "RET", "ENVID", "SMTPUTF8", "NOTIFY", "ORCPT"}
            assert len(set(keywords)) == len(keywords)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20))
def test_a_path_is_read_as_it_was_meant(local: str) -> None:
    """Our own grammar finds the same address in it."""
    path = path_octets(Address(local, "b.example"))

    assert isinstance(path, bytes)
    assert grammar.mailbox(path.decode(), 256, 64, 255) == Address(local, "b.example")


def test_what_is_not_offered_is_not_sent() -> None:
    """No extension, no parameter."""
    transaction = Transaction(None, (), 10, True, "FULL", "q1")

    assert mail_line(transaction, Capabilities({})) == b"MAIL FROM:<>\r\n"
    assert mail_line(transaction, ALL) == b"MAIL FROM:<> SIZE=10 BODY=8BITMIME RET=FULL ENVID=q1\r\n"
    assert rcpt_line(TransactionRecipient(B, "NEVER", "rfc822;x"), Capabilities({})) == b"RCPT TO:<b@b.example>\r\n"


def test_sizes_that_are_not_known_are_not_sent() -> None:
    """RFC 1870 §6: SIZE=0 would say that the message is empty."""
    assert mail_line(Transaction(None, ()), ALL) == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    ("notify", "valid"),
    [
        ("NEVER", True),
        ("SUCCESS,FAILURE,DELAY", True),
        ("NEVER,DELAY", False),
        ("SUCCESS,", False),
        ("failure", False),
        ("", False),
    ],
)
def test_notify(notify: str, valid: bool) -> None:
    """RFC 3461 §4.1: what is no list of it is not sent."""
    line = rcpt_line(TransactionRecipient(B, notify), ALL)

    assert line == b"RCPT TO:<b@b.example>" + (b" NOTIFY=" + notify.encode() if valid else b"") + b"\r\n"


def test_lengths_of_rfc_3461() -> None:
    """An ENVID of 100 characters and an ORCPT of 500 are sent; one more, and it is left out."""
    for envid, sent in (("e" * ENVID_LETTERS, True), ("e" * (ENVID_LETTERS + 1), False)):
        line = mail_line(Transaction(None, (), envid=envid), ALL)
        assert isinstance(line, bytes) and (b"ENVID=" in line) is sent
    for length, sent in ((ORIGINAL_LETTERS, True), (ORIGINAL_LETTERS + 1, False)):
        line = rcpt_line(TransactionRecipient(B, original="rfc822;" + "o" * (length - 7)), ALL)
        assert isinstance(line, bytes) and (b"ORCPT=" in line) is sent


@pytest.mark.parametrize("original", ["x", ";x", "rfc822;", "rfc 822;x", "rf=c;x", "rfc822\r\n;x"])
def test_an_original_without_its_form_is_left_out(original: str) -> None:
    """RFC 3461 §4.2: an address type, a semicolon, an address."""
    assert rcpt_line(TransactionRecipient(B, original=original), ALL) == b"RCPT TO:<b@b.example>\r\n"


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("0", 0), ("1000", 1000), ("x", 0), ("-5", 0), ("9" * 20, int("9" * 20)), ("9" * 21, 0)],
)
def test_size_offers(text: str, size: int) -> None:
    """RFC 1870 §4: up to 20 digits, or nothing."""
    assert Capabilities({"SIZE": text}).size == size
    assert Capabilities({}).size == 0
