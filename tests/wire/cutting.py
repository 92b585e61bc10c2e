"""Ways to cut octets into segments, as networks do."""

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

# What mail protocols trip over, and a little else.
TRICKY = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"\r\n.", b"\0", b"a", b"bc", b"\xff", b"\r\n.\r"]),
    max_size=40,
).map(b"".join)
# Lines of a body that any client may send.
BODIES = st.lists(
    st.sampled_from([b"", b".", b"..", b"text", b".text", b"\t.", b"x" * 30]).map(lambda line: line + b"\r\n"),
    max_size=20,
).map(b"".join)
CUTS = st.lists(st.integers(1, 7), max_size=30)


def cut(data: bytes, lengths: Sequence[int]) -> Iterator[bytes]:
    """Yield *data* in pieces of *lengths*, and the rest in one."""
    start = 0
    for length in lengths:
        if start >= len(data):
            return
        yield data[start : start + length]
        start += length
    if start < len(data):
        yield data[start:]


def octets(data: bytes) -> Iterator[bytes]:
    """Yield *data* octet by octet."""
    return cut(data, [1] * len(data))
