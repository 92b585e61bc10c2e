"""Trace fields (RFC 5321 §4.4, RFC 3848): exact, and safe whatever the peer called itself (lessons 9 and 21)."""

from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.message.headers import fields
from mailsuite.message.trace import (
    Hop,
    came_from,
    date,
    delivered_to,
    forwarded_by,
    forwarded_from,
    hops,
    protocol_keyword,
    received,
    return_path,
    without_return_path,
)

NOW = 1_767_225_600.9


def hop(helo: str = "client.example", peer: str = "192.0.2.1", tls: str = "") -> Hop:
    """Return a hop to mail.example.org."""
    return Hop(helo, Peer(peer, 1025), "mail.example.org", "ESMTPS" if tls else "ESMTP", tls, "k7f-1")


def test_received() -> None:
    """All clauses of RFC 5321 §4.4, in order."""
    assert received(hop(tls="TLSv1.3 TLS_AES_256_GCM_SHA384"), Address("bob", "b.example"), NOW) == (
        b"Received: from client.example ([192.0.2.1])\r\n"
        b"\tby mail.example.org with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id k7f-1\r\n"
        b"\tfor <bob@b.example>; Thu, 01 Jan 2026 00:00:00 +0000\r\n"
    )


def test_received_for_many() -> None:
    """Where there is more than one recipient none is named: blind ones stay blind (RFC 5321 §7.2)."""
    assert b"for" not in received(hop(), None, NOW)


@pytest.mark.parametrize(
    ("peer", "literal"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
        ("unix", "[unix]"),
    ],
)
def test_the_peer_is_an_address_literal(peer: str, literal: str) -> None:
    """RFC 5321 §4.1.3, §4.4: what the connection says, next to what the peer says."""
    assert f"from client.example ({literal})".encode() in received(hop(peer=peer), None, NOW)


@pytest.mark.parametrize(
    "helo",
    [
        "a(b", "a)b", "a\\", "a;b", "a<b>", "[1.2.3.4", "my_host", "-a", "a.", '"', "[a b]", "a..b", "a.-b", "[foo]",
        "[a.b:c]", "[1.2.3.999]", "[IPv6:1:2]", "[IPv6:192.0.2.1]", "[2001:db8::1]", "[]", "[IPv6:]",
    ],
)  # fmt: skip
def test_lesson_9_a_strange_name_is_left_out(helo: str) -> None:
    """A name with specials could end a comment or the field; then only the address is said."""
    assert received(hop(helo), None, NOW).startswith(b"Received: from [192.0.2.1] ([192.0.2.1])\r\n\tby ")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60), st.text(max_size=20))
def test_lesson_9_trace_fields_are_one_field_each(helo: str, local: str) -> None:
    """Whatever HELO and the paths hold that the grammar lets through, our fields are two fields and have no defect."""
    text = local if local.isascii() and local.isprintable() else "x"
    header = return_path(Address(text, "a.example")) + received(hop(helo), Address(text, "b.example"), NOW)
    names = [name for name, _, _ in fields(header)]
    message = message_from_bytes(header + b"\r\n", policy=policy.SMTP)

    assert names == [b"return-path", b"received"]
    assert message.defects == []
    assert message["Received"].endswith("+0000")


def test_dates() -> None:
    """RFC 5322 §3.3: a date that others read as the same moment."""
    assert date(1_767_225_600) == "Thu, 01 Jan 2026 00:00:00 +0000"
    assert parsedate_to_datetime(date(1_800_000_000)).timestamp() == 1_800_000_000


@pytest.mark.parametrize(
    ("protocol", "encrypted", "authenticated", "keyword"),
    [
        ("SMTP", False, False, "SMTP"),
        ("ESMTP", False, False, "ESMTP"),
        ("ESMTP", True, False, "ESMTPS"),
        ("ESMTP", False, True, "ESMTPA"),
        ("ESMTP", True, True, "ESMTPSA"),
        ("LMTP", False, False, "LMTP"),
        ("LMTP", True, False, "LMTPS"),
        ("LMTP", False, True, "LMTPA"),
        ("LMTP", True, True, "LMTPSA"),
    ],
)
def test_protocol_keywords(protocol: str, encrypted: bool, authenticated: bool, keyword: str) -> None:
    """RFC 3848."""
    assert protocol_keyword(protocol, encrypted, authenticated) == keyword


@pytest.mark.parametrize(
    ("protocol", "encrypted", "authenticated", "keyword"),
    [
        ("ESMTP", False, False, "UTF8SMTP"),
        ("ESMTP", True, False, "UTF8SMTPS"),
        ("ESMTP", False, True, "UTF8SMTPA"),
        ("ESMTP", True, True, "UTF8SMTPSA"),
        ("LMTP", False, False, "UTF8LMTP"),
        ("LMTP", True, True, "UTF8LMTPSA"),
    ],
)
def test_protocol_keywords_with_smtputf8(protocol: str, encrypted: bool, authenticated: bool, keyword: str) -> None:
    """RFC 6531 §4.3."""
    assert protocol_keyword(protocol, encrypted, authenticated, utf8=True) == keyword


def test_return_path() -> None:
    """RFC 5321 §4.4: the reverse-path, quoted where it must be; the null path is empty brackets."""
    assert return_path(Address("a b", "a.example")) == b'Return-Path: <"a b"@a.example>\r\n'
    assert return_path(None) == b"Return-Path: <>\r\n"


def test_older_return_paths_are_removed() -> None:
    """RFC 5321 §4.4: there is one Return-Path, ours; folded ones go whole."""
    header = b"Return-Path: <a@b>\r\nSubject: return-path\r\nRETURN-path:\r\n <x@y>\r\nTo: z\r\n"

    assert without_return_path(header) == b"Subject: return-path\r\nTo: z\r\n"


def test_lesson_21_hops_are_counted() -> None:
    """RFC 5321 §6.3: Received fields in any case, the first line with them, and no other mention."""
    header = (
        b"Received: a\r\nX-Received: b\r\nRECEIVED: c\r\n\tReceived: folded\r\nSubject: received:\r\nreceived:\r\n"
    )

    assert hops(header) == 3
    assert hops(b"") == 0
    assert hops(b"Received : x\r\nX-Received: y\r\nRECEIVED\t: z\r\n received: folded\r\n") == 2


@pytest.mark.parametrize(
    ("helo", "told"),
    [
        ("client.example", "client.example ([192.0.2.1])"),
        ("[192.0.2.7]", "[192.0.2.7] ([192.0.2.1])"),
        ("a-1.b.example", "a-1.b.example ([192.0.2.1])"),
        ("[IPv6:2001:db8::7]", "[IPv6:2001:db8::7] ([192.0.2.1])"),
        ("[ipv6:::ffff:192.0.2.7]", "[ipv6:::ffff:192.0.2.7] ([192.0.2.1])"),
        ("a(b", "[192.0.2.1] ([192.0.2.1])"),
        ("", "[192.0.2.1] ([192.0.2.1])"),
    ],
)
def test_who_a_message_came_from(helo: str, told: str) -> None:
    """RFC 3464 §2.2.4: the name of HELO, and the address as a comment; a name that is none is left out."""
    assert came_from(helo, Peer("192.0.2.1")) == told


@pytest.mark.parametrize(
    "address",
    [
        Address("Sales", "B.example"),
        Address("two words", "b.example"),
        Address('quo"ted\\', "b.example"),
        Address('"', "b.example"),
        Address("a@b", "b.example"),
        Address("", "b.example"),
        Address("Postmaster", ""),
    ],
)
def test_lesson_21_a_forwarded_copy_says_from_where(address: Address) -> None:
    """Whatever the address, its Delivered-To is known again, and the address is read back as it was."""
    added = delivered_to(address)

    assert forwarded_by(added) == address
    assert forwarded_from(b"Subject: x\r\n" + added) == {address.key}


def test_a_copy_that_is_not_forwarded() -> None:
    """Comes from nowhere."""
    assert forwarded_by(b"") is None
    assert forwarded_by(b"X-Other: Delivered-To: a@b.example\r\n") is None
    assert forwarded_from(b"Subject: x\r\n") == frozenset()


def test_lesson_21_all_that_it_came_through() -> None:
    """Every Delivered-To counts, however it is written; what has none of an address does no harm."""
    header = b"delivered-TO:\r\n <A@B.example>\r\nX: y\r\nDelivered-To: c@d.example\r\nDelivered-To: \xff\r\n"

    assert {("a", "b.example"), ("c", "d.example")} < forwarded_from(header)
