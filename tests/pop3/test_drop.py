"""Numbers, marks and totals of a snapshot."""

import pytest

from mailsuite.pop3.drop import Drop, number
from mailsuite.pop3.responses import BAD_NUMBER, MARKED_ALREADY, NO_SUCH_MESSAGE


@pytest.mark.parametrize("word", [b"", b"+1", b"-1", b" 1", b"1 ", b"1_0", b"\xd9\xa1", b"1e3", b"1" * 41])
def test_what_is_no_number(word: bytes) -> None:
    """Signs, spaces, other digits and absurd lengths are refused."""
    assert number(word) is None


def test_longest_number() -> None:
    """RFC 1939 §3: arguments may be 40 characters long."""
    assert number(b"9" * 40) == 10**40 - 1
    assert number(b"1".rjust(40, b"0")) == 1


def test_find() -> None:
    """Numbers count from 1, and only to the last message."""
    drop = Drop([10, 20], ["a", "b"])

    assert [drop.find(word) for word in (b"0", b"1", b"2", b"3", b"x")] == [
        NO_SUCH_MESSAGE,
        0,
        1,
        NO_SUCH_MESSAGE,
        BAD_NUMBER,
    ]


def test_marks_and_totals() -> None:
    """A marked message is in no total and in no listing; its number goes to nobody else."""
    drop = Drop([10, 20, 30], ["a", "b", "c"])
    drop.mark(1)

    assert (drop.count, drop.octets, drop.marked()) == (2, 40, [1])
    assert drop.find(b"2") is MARKED_ALREADY
    assert drop.find(b"3") == 2
    assert b"".join(drop.rows(drop.id_rows)) == b"1 a\r\n3 c\r\n"

    drop.unmark_all()

    assert (drop.count, drop.octets, drop.marked()) == (3, 60, [])


def test_sizes_are_shared() -> None:
    """A session copies nothing of what the respondent holds."""
    sizes, unique_ids = [1, 2], ["a", "b"]
    drop = Drop(sizes, unique_ids)

    assert drop.sizes is sizes
    assert drop.unique_ids is unique_ids
