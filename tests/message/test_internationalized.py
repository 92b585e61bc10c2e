"""Which messages have header fields that only SMTPUTF8 may carry (RFC 6531 §3.2, RFC 6532)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.message.downgrade import NESTING, PARTS
from mailsuite.message.internationalized import is_internationalized

MIXED = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
ENCLOSED = "Content-Type: message/rfc822\r\n\r\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("Subject: x\r\n\r\nx\r\n", False),
        ("Subject: ё\r\n\r\nx\r\n", True),
        ("Subject: x\r\n ё\r\n\r\nx\r\n", True),
        ("Subject: x\r\n\r\nё\r\n", False),
        (f"{MIXED}ё\r\n--b\r\nX: y\r\n\r\nё\r\n--b--\r\nё\r\n", False),
        (f"{MIXED}--b\r\nX: ё\r\n\r\ny\r\n--b--\r\n", True),
        (f"{MIXED}--b\r\n\r\ny\r\n--b\r\n{ENCLOSED}Subject: ё\r\n\r\ny\r\n--b--\r\n", True),
        (f"{MIXED}--b\r\n\r\ny\r\n--b\r\n{ENCLOSED}Subject: y\r\n\r\nё\r\n--b--\r\n", False),
        (MIXED.replace("mixed", "digest") + "--b\r\n\r\nSubject: ё\r\n\r\ny\r\n--b--\r\n", True),
        (ENCLOSED + "Subject: ё\r\n\r\ny\r\n", True),
        # RFC 6532 §3.7: it has such fields, and no encoding to hide them.
        (ENCLOSED.replace("rfc822", "global") + "Subject: ё\r\n\r\ny\r\n", True),
        (ENCLOSED.replace("rfc822", "global-headers") + "Subject: ё\r\n\r\n", False),
        ("Content-Transfer-Encoding: base64\r\n" + ENCLOSED + "Subject: ё\r\n\r\n", False),
        # A body is optional (RFC 5322 §3.5).
        ("Subject: ё\r\n", True),
        # Nobody can say where the part begins.
        (MIXED.replace("b\r\n", "b; boundary=c\r\n") + "--b\r\nX: ё\r\n\r\ny\r\n--b--\r\n", False),
        ("", False),
    ],
)
def test_fields_at_any_level(content: str, found: bool) -> None:
    """A body is no header, whatever it holds."""
    assert is_internationalized(content.encode()) is found


def test_lesson_14_there_is_an_end_to_it() -> None:
    """Nesting and parts are looked at up to a limit, and what is beyond is a body."""
    leaf = "Subject: ё\r\n\r\ny\r\n"
    assert is_internationalized((ENCLOSED * (NESTING - 1) + leaf).encode())
    assert not is_internationalized((ENCLOSED * NESTING + leaf).encode())
    part = "--b\r\n\r\nё\r\n"
    last = "--b\r\nX: ё\r\n\r\ny\r\n--b--\r\n"
    assert is_internationalized((MIXED + part * (PARTS - 2) + last).encode())
    assert not is_internationalized((MIXED + part * (PARTS - 1) + last).encode())


@given(st.lists(st.sampled_from(["ё", "\r\n", "--b", "--", MIXED, ENCLOSED, "X: ", ":", "x"]), max_size=20))
def test_anything_can_be_looked_at(pieces: list[str]) -> None:
    """ASCII has no such field, and nothing raises."""
    content = "".join(pieces).encode()

    assert not (is_internationalized(content) and content.isascii())
