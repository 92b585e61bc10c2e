"""The texts of MTA-STS: TXT records and policies, good, bad and hostile."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.mta_sts_policy import (
    MAX_AGE,
    PATTERNS,
    POLICY_OCTETS,
    Policy,
    PolicyError,
    is_domain,
    parse_policy,
    policy_id,
)

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
PARSED = Policy("enforce", ("mail.example.com", "*.example.net"), 604_800)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(b"\r\n", b"\n"),
        GOOD.rstrip(),
        GOOD + b"\r\n \t\r\n",
        GOOD.replace(b": ", b":"),
        GOOD.replace(b": ", b":\t  "),
        GOOD.replace(b"\r\n", b" \t\r\n"),
        GOOD.replace(b"mail", b"MAIL"),
        GOOD + b"x_new-field.2: what ever: \xc3\xbc\r\n",
        GOOD + b"version: STSv2\r\nmode: none\r\nmax_age: 1\r\n",
        b"max_age: 604800\nmx: mail.example.com\nmode: enforce\nmx: *.example.net\nversion: STSv1\n",
    ],
)
def test_what_is_good(text: bytes) -> None:
    """RFC 8461 §3.2: line ends, white space, order, unknown and repeated fields, case of names."""
    assert parse_policy(text) == PARSED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "version"),
        (GOOD.replace(b"STSv1", b"STSv2"), "version"),
        (GOOD.replace(b"STSv1", b"stsv1"), "version"),
        (GOOD.replace(b"version: STSv1\r\n", b""), "version"),
        (GOOD.replace(b"version", b"Version"), "version"),
        (GOOD.replace(b"enforce", b"Enforce"), "mode"),
        (GOOD.replace(b"mode: enforce\r\n", b""), "mode"),
        (GOOD.replace(b"604800", b"-1"), "max_age"),
        (GOOD.replace(b"604800", b"1e3"), "max_age"),
        (GOOD.replace(b"604800", b"12345678901"), "max_age"),
        (GOOD.replace(b"604800", "٣".encode()), "max_age"),
        (GOOD.replace(b"max_age: 604800\r\n", b""), "max_age"),
        (GOOD.replace(b"mx:", b"xm:"), "names no mx"),
        (GOOD.replace(b"*.example.net", b"*.*.net"), "mx fields"),
        (GOOD.replace(b"*.example.net", b"*"), "mx fields"),
        (GOOD.replace(b"*.example.net", b"*example.net"), "mx fields"),
        (GOOD.replace(b"*.example.net", b".example.net"), "mx fields"),
        (GOOD.replace(b"*.example.net", b"a..net"), "mx fields"),
        (GOOD.replace(b"*.example.net", "bücher.example".encode()), "mx fields"),
        (GOOD.replace(b"*.example.net", b"[192.0.2.1]"), "mx fields"),
        (GOOD.replace(b"*.example.net", b"a." * 127 + b"net"), "mx fields"),
        (GOOD + b"<html>", "line 6"),
        (GOOD + b"mx:\r\n", "line 6"),
        (GOOD + b"mx : a.example\r\n", "line 6"),
        (GOOD + b" mx: a.example\r\n", "line 6"),
        (GOOD + b"note: a\x00b\r\n", "line 6"),
        (GOOD + b"n" * 33 + b": a\r\n", "line 6"),
        (GOOD.replace(b"\r\n", b"\r"), "line 1"),
        (GOOD + b"note: \xff\r\n", "UTF-8"),
    ],
)
def test_what_is_not(text: bytes, reason: str) -> None:
    """It is refused as a whole, in our words."""
    with pytest.raises(PolicyError, match=reason):
        parse_policy(text)


def test_mode_none_needs_no_mx() -> None:
    """RFC 8461 §3.2."""
    assert parse_policy(b"version: STSv1\nmode: none\nmax_age: 0\n") == Policy("none", (), 0)


def test_max_age_is_at_most_a_year() -> None:
    """RFC 8461 §3.2; what is longer is cut."""
    for age, held in ((MAX_AGE, MAX_AGE), (MAX_AGE + 1, MAX_AGE), (9_999_999_999, MAX_AGE), (0, 0)):
        assert parse_policy(GOOD.replace(b"604800", str(age).encode())).max_age == held


def test_the_limit_of_octets() -> None:
    """RFC 8461 §3.3."""
    text = GOOD + b"note: "
    assert parse_policy(text + b"x" * (POLICY_OCTETS - len(text))) == PARSED

    with pytest.raises(PolicyError, match="octets"):
        parse_policy(text + b"x" * (POLICY_OCTETS - len(text) + 1))


def test_the_limit_of_patterns() -> None:
    """So many, and no more."""
    assert len(parse_policy(GOOD + b"mx: a.example\n" * (PATTERNS - 2)).mx) == PATTERNS

    with pytest.raises(PolicyError, match="mx fields"):
        parse_policy(GOOD + b"mx: a.example\n" * (PATTERNS - 1))


@pytest.mark.parametrize("line", [b"note:" + b" " * 65_000 + b"\x01", b"v" * 65_000, b"mx: " + b"a." * 30_000 + b"*"])
def test_long_lines_take_no_time(line: bytes) -> None:
    """No text makes the parser go over it again and again."""
    began = time.process_time()

    with pytest.raises(PolicyError):
        parse_policy(GOOD + line)

    assert time.process_time() - began < 0.2


@given(st.binary(max_size=300))
def test_any_octets(text: bytes) -> None:
    """They are a policy or refused, and nothing else happens."""
    try:
        parse_policy(text)
    except PolicyError:
        pass


LINES = st.sampled_from(
    [*GOOD.splitlines(True), b"\n", b"mode: testing\n", b"mode: none\n", b"max_age: 1\n", b"mx: a\n", b"mx: *.b.c\r\n"]
)


@given(st.lists(LINES | st.binary(max_size=20), max_size=12))
def test_lines_in_any_order(lines: list[bytes]) -> None:
    """What is taken for a policy has all that a policy needs."""
    try:
        policy = parse_policy(b"".join(lines))
    except PolicyError:
        return
    assert policy.mode == "none" or policy.mx
    assert 0 <= policy.max_age <= MAX_AGE


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mail.example.com", True),
        ("example.com", False),
        ("x.mail.example.com", False),
        ("a.example.net", True),
        ("xn--bcher-kva.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        (".example.net", False),
        ("", False),
        ("*.example.net", True),
    ],
)
def test_hosts(host: str, allowed: bool) -> None:
    """RFC 8461 §4.1: a wildcard is one whole label, the left-most."""
    assert PARSED.allows(host) is allowed


@pytest.mark.parametrize(
    "record",
    [
        "v=STSv1; id=20160831085700Z;",
        "v=STSv1; id=20160831085700Z",
        "v=STSv1;id=20160831085700Z;",
        "v=STSv1\t;\t id=20160831085700Z ; ",
        "v=STSv1; x.y-z_1=!:/; id=20160831085700Z",
        "v=STSv1; id=20160831085700Z; id=other",
    ],
)
def test_the_record(record: str) -> None:
    """RFC 8461 §3.1: white space, other fields, a closing semicolon or none; other TXT records do not matter."""
    assert policy_id([record]) == "20160831085700Z"
    assert policy_id(["v=spf1 -all", record, "v=STSv11; id=2", "V=STSV1; id=2"]) == "20160831085700Z"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [""],
        ["v=STSv1"],
        ["v=STSv1;"],
        ["v=STSv1; id="],
        ["v=STSv1; id"],
        ["v=STSv1; id=2016-08-31"],
        ["v=STSv1; id=" + "1" * 33],
        ["v=STSv1; id=1; ; x=y"],
        ["v=STSv1; id=1; x"],
        ["v=STSv1; id=1; x=ü"],
        ["v=STSv1; id=1; x=a=b"],
        ["v=STSv1; id=1; x=a b"],
        ["v=STSv1; id=-; id=1"],
        ["v=STSv1; ID=1"],
        [" v=STSv1; id=1"],
        ["v=STSv2; id=1"],
        ["v=STSv1; id=1", "v=STSv1; id=1"],
    ],
)
def test_no_record(records: list[str]) -> None:
    """RFC 8461 §3.1: not exactly one, or not in the right form: no policy is announced."""
    assert policy_id(records) == ""


@given(st.lists(st.text(max_size=40) | st.text("v=STSv1; id\t", max_size=40).map("v=STSv1;".__add__), max_size=3))
def test_any_records(records: list[str]) -> None:
    """An id is one, or empty."""
    found = policy_id(records)

    assert len(found) <= 32
    assert found == "" or (found.isascii() and found.isalnum())


def test_policy_domains() -> None:
    """What is asked for in DNS and put into a URL is a name and nothing else."""
    for name in ("b.example", "example", "xn--bcher-kva.example", "a_b.example", "a" * 63 + ".example"):
        assert is_domain(name)
    for name in ("", ".", "b..example", "b.example.", "[192.0.2.1]", "a/b.example", "a@b", "bücher.example"):
        assert not is_domain(name)
    for name in ("B.example", "-a.example", "b.example\n", "a" * 64 + ".example", "a." * 120 + "example"):
        assert not is_domain(name)
    assert is_domain("a." * 118 + "examples")
    assert not is_domain("a." * 118 + "example12")
