"""TLS-Required (RFC 8689 §3) and MT-Priority (RFC 6758 §4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.message.asked_fields import priority_of, tls_is_optional, with_priority


@pytest.mark.parametrize(
    ("header", "optional"),
    [
        (b"TLS-Required: No\r\n", True),
        (b"tls-required:no\r\n", True),
        (b"Subject: x\r\nTLS-Required:\r\n No\r\n", True),
        (b"TLS-Required: Yes\r\n", False),
        (b"TLS-Required: No, please\r\n", False),
        (b"TLS-Required:\r\n", False),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", False),
        (b"X-TLS-Required: No\r\n", False),
        (b"Subject: TLS-Required: No\r\n", False),
        (b"", False),
    ],
)
def test_tls_required(header: bytes, optional: bool) -> None:
    """One field with the one value that there is; of two, neither counts."""
    assert tls_is_optional(header) is optional


@pytest.mark.parametrize(
    ("header", "priority"),
    [
        (b"MT-Priority: -3\r\n", -3),
        (b"MT-Priority: 4 (ultra)\r\n", 4),
        (b"mt-priority:(a) (b)\r\n 0\r\n", 0),
        (b"MT-Priority: 10\r\n", None),
        (b"MT-Priority: -0\r\n", None),
        (b"MT-Priority: urgent\r\n", None),
        (b"MT-Priority: (4\r\n", None),
        (b"MT-Priority: 4\r\nMT-Priority: 4\r\n", None),
        (b"Priority: 4\r\n", None),
        (b"", None),
    ],
)
def test_mt_priority(header: bytes, priority: int | None) -> None:
    """A single field that can be read; no other field says it."""
    assert priority_of(header) == priority


@given(st.binary(max_size=60), st.integers(-9, 9))
def test_it_says_what_it_was_told_to_say(rest: bytes, priority: int) -> None:
    """Whatever was there; all other fields stay as they are."""
    header = b"MT-Priority: 9\r\nSubject: " + rest.replace(b"\r", b"").replace(b"\n", b"") + b"\r\nMT-Priority: x\r\n"
    changed = with_priority(header, priority)

    assert priority_of(changed) == priority
    assert changed.replace(f"MT-Priority: {priority}\r\n".encode(), b"", 1) == header.replace(
        b"MT-Priority: 9\r\n", b""
    ).replace(b"MT-Priority: x\r\n", b"")


def test_what_says_it_is_left_alone() -> None:
    """A signature over it stays good (RFC 6758 §7.1)."""
    header = b"Subject: x\r\nMT-Priority: 3 (high)\r\n"

    assert with_priority(header, 3) == header
