"""Headers of the PROXY protocol (HAProxy's doc/proxy-protocol.txt §2.1, §2.2), whole and octet by octet."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.proxy import HEADER_OCTETS, ITSELF, BadHeader, Client, HeaderReader

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
IPV4 = bytes([192, 0, 2, 1, 198, 51, 100, 1]) + struct.pack("!HH", 56324, 25)
IPV6 = bytes.fromhex("20010db8000000000000000000000001" * 2) + struct.pack("!HH", 1, 65535)
MAPPED = bytes.fromhex("00000000000000000000ffffc0000201" * 2) + struct.pack("!HH", 7, 25)


def binary(command: int, family: int, block: bytes = b"", octets: int | None = None) -> bytes:
    """Return a binary header."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if octets is None else octets) + block


def fed(header: bytes) -> Client | None:
    """Feed *header* octet by octet: it is whole at its last octet, and not before."""
    reader = HeaderReader()
    found = [reader.receive(header[index : index + 1]) for index in range(len(header))]
    assert found[:-1] == [None] * (len(header) - 1)
    assert reader.rest == b""
    return found[-1]


WHOLE = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n", Client("192.0.2.1", 56324)),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Client("255.255.255.255", 65535)),
    (b"PROXY TCP6 2001:DB8::1 2001:db8::2 0 25\r\n", Client("2001:db8::1", 0)),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n", Client("192.0.2.1", 1)),
    (b"PROXY UNKNOWN\r\n", ITSELF),
    (b"PROXY UNKNOWN whatever \xff\n it says\r\n", ITSELF),
    (b"PROXY UNKNOWN " + b"x" * (107 - 16) + b"\r\n", ITSELF),
    (binary(0x21, 0x11, IPV4), Client("192.0.2.1", 56324)),
    (binary(0x21, 0x21, IPV6), Client("2001:db8::1", 1)),
    (binary(0x21, 0x21, MAPPED), Client("192.0.2.1", 7)),
    (binary(0x21, 0x31, b"/run/x".ljust(216, b"\0")), Client("unix")),
    # Type-length-value behind the addresses is skipped, at the limit as well, and whatever it is.
    (binary(0x21, 0x11, IPV4 + b"\x20\x00\x05\x01\x00\x00\x00\x00"), Client("192.0.2.1", 56324)),
    (binary(0x21, 0x11, IPV4 + b"\xff\xff\xff"), Client("192.0.2.1", 56324)),
    (binary(0x21, 0x11, IPV4.ljust(HEADER_OCTETS - 16, b"\x04")), Client("192.0.2.1", 56324)),
    # LOCAL: the family is ignored, and the octets are skipped.
    (binary(0x20, 0x00), ITSELF),
    (binary(0x20, 0x11, IPV4), ITSELF),
    (binary(0x20, 0xFF, b"xyz"), ITSELF),
    # Unspecified, or datagrams.
    (binary(0x21, 0x00, b"xyz"), ITSELF),
    (binary(0x21, 0x01), ITSELF),
    (binary(0x21, 0x10), ITSELF),
    (binary(0x21, 0x12, IPV4), ITSELF),
]


@pytest.mark.parametrize(("header", "client"), WHOLE, ids=lambda value: repr(value)[:40])
def test_what_a_header_says(header: bytes, client: Client) -> None:
    """And what comes behind it is the client's, be it another header."""
    reader = HeaderReader()

    assert reader.receive(header + header) == client
    assert reader.rest == header
    assert fed(header) == client


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.example\r\n",
        b"\r\nQUIT\r\n",
        b"\r\n\r\n\x00\r\nQUIT\r",
        b"\x16\x03\x01\x02\x00\x01",
        b"proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        b"PROXYTCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 +2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 2 65536\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
        b"PROXY TCP6 2001:db8:::1 ::1 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 \xb2\r\n",
        binary(0x11, 0x11, IPV4),
        binary(0x31, 0x11, IPV4),
        binary(0x22, 0x11, IPV4),
        binary(0x21, 0x41, IPV4),
        binary(0x21, 0x13, IPV4),
        binary(0x21, 0x11, IPV4[:-1]),
        binary(0x21, 0x21, IPV6[:-1]),
        binary(0x21, 0x31, b"x" * 215),
    ],
)
def test_what_is_no_header(header: bytes) -> None:
    """It is never taken for one, and never for the client's own."""
    for pieces in ([header], [header[index : index + 1] for index in range(len(header))]):
        reader = HeaderReader()
        with pytest.raises(BadHeader, match=r"^sent "):
            for piece in pieces:
                assert reader.receive(piece) is None


def test_lengths_one_past_the_limit() -> None:
    """A line is refused without its end, a binary header by its length alone: nothing grows."""
    for line in (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", b"PROXY UNKNOWN " + b"x" * 93):
        with pytest.raises(BadHeader, match="too long"):
            HeaderReader().receive(line)
    assert HeaderReader().receive(b"PROXY UNKNOWN " + b"x" * 92) is None
    with pytest.raises(BadHeader, match="too long"):
        HeaderReader().receive(binary(0x21, 0x11, octets=HEADER_OCTETS - 15))


def test_what_is_none_is_refused_at_its_first_octet() -> None:
    """A client that waits for our greeting would wait for long."""
    for octet in (b"E", b"\x16", b"\n"):
        with pytest.raises(BadHeader, match="sent no PROXY header"):
            HeaderReader().receive(octet)


@given(
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00"]), st.binary(max_size=200)
)
def test_any_octets(start: bytes, octets: bytes) -> None:
    """They are a header, or the beginning of one, or refused; however they are cut."""

    def outcome(*pieces: bytes) -> object:
        reader = HeaderReader()
        rest = list(pieces)
        try:
            while rest:
                if (client := reader.receive(rest.pop(0))) is not None:
                    return client, reader.rest + b"".join(rest)
        except BadHeader:
            return BadHeader
        return None

    data = start + octets

    whole = outcome(data)
    assert outcome(*(data[index : index + 1] for index in range(len(data)))) == whole
