"""Replies of an administrator's choice: only what a server may say to RCPT, in one line."""

import pytest

from mailsuite.directory.errors import BadReply
from mailsuite.directory.replies import STATUSES, TEXT_OCTETS, chosen


def test_the_status_goes_with_the_code() -> None:
    """Where none is named; one that is named stands."""
    assert str(chosen(550, "Gone")) == "550 5.1.1 Gone"
    assert str(chosen(450, " Back tomorrow ")) == "450 4.2.1 Back tomorrow"
    assert str(chosen(550, "Moved", "5.1.6")) == "550 5.1.6 Moved"
    assert all(status[0] == str(code)[0] for code, status in STATUSES.items())
    assert len(chosen(550, "x" * TEXT_OCTETS).text) == TEXT_OCTETS


@pytest.mark.parametrize(
    ("code", "text", "status", "why"),
    [
        (250, "Gone", None, "no reply code for a recipient"),
        (421, "Gone", None, "no reply code for a recipient"),
        (550, "Gone", "4.1.1", "begins with 5"),
        (550, "Gone", "5.1", "is no status"),
        (550, "Gone", "5.1.1 x\r\n250", "is no status"),
        (550, "", None, "is no text"),
        (550, "  ", None, "is no text"),
        (550, "Gone\r\n250 OK", None, "is no text"),
        (550, "Fort, für immer", None, "is no text"),
        (550, "x" * (TEXT_OCTETS + 1), None, "at most 400 characters"),
    ],
)
def test_what_is_none(code: int, text: str, status: str | None, why: str) -> None:
    """It says what was expected."""
    with pytest.raises(BadReply, match=why):
        chosen(code, text, status)
