"""The cut of TOP, against the plainest way to write it."""

from hypothesis import given
from hypothesis import strategies as st

from mailsuite.pop3.capabilities.top import Beginning

LINES = st.lists(st.sampled_from([b"", b"a", b".", b"Header: x", b"\r", b"longer line of text"]), max_size=12)


def plain_top(message: bytes, lines: int) -> bytes:
    """Header, blank line and *lines* lines, the simple way."""
    rows = message.split(b"\r\n")[:-1]
    header = rows.index(b"") + 1 if b"" in rows else len(rows)
    return b"".join(row + b"\r\n" for row in rows[: header + lines])


@given(LINES, st.integers(0, 8), st.lists(st.integers(1, 9), min_size=1))
def test_beginning_is_what_the_plain_way_gives(rows: list[bytes], lines: int, cuts: list[int]) -> None:
    """However the message comes in pieces, exactly its beginning is let through, and the end of it is noticed."""
    message = b"".join(row + b"\r\n" for row in rows)
    expected = plain_top(message, lines)
    beginning = Beginning(lines)
    given_out, start, step = b"", 0, 0
    while start < len(message):
        size = cuts[step % len(cuts)]
        piece, complete = beginning.take(message[start : start + size])
        given_out += piece
        start += size
        step += 1
        if complete:
            break

    assert given_out == expected


def test_huge_line_count_costs_nothing() -> None:
    """A number of lines beyond all messages lets everything through without a walk along the lines."""
    data = b"\r\n" + b"x\r\n" * 20_000

    assert Beginning(9_223_372_036_854_775_807).take(data) == (data, False)
