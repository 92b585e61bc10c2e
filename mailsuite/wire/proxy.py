"""The PROXY protocol, versions 1 and 2: what a proxy says of its client before the client's first octet.

(HAProxy's doc/proxy-protocol.txt, sections 2.1 and 2.2.) Nothing is guessed: whoever is to send a header must.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct

# §2.1: the longest line, with its CRLF.
LINE_OCTETS = 107
# Of a binary header with all that follows its addresses. Senders keep below 536 octets (§2); certificates need more.
HEADER_OCTETS = 4096

_LINE = b"PROXY "
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
# Signature, version and command, family and protocol, length of the rest.
_FIXED = Struct("!12sBBH")
_IPV4 = Struct("!4s4sHH")
_IPV6 = Struct("!16s16sHH")
_UNIX_OCTETS = 216

_PORT = r"(0|[1-9][0-9]{0,4})"
_PROXIED = re.compile(rf"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) {_PORT} {_PORT}")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: .*)?", re.DOTALL)


class BadHeader(ValueError):
    """What came is no PROXY header; the text says why, in words of ours."""


@dataclass(frozen=True, slots=True)
class Client:
    """For whom a proxy speaks: *host* is the text of an IP address, or ``unix``. Empty: for itself."""

    host: str = ""
    port: int = 0


ITSELF = Client()


class HeaderReader:
    """Takes octets until a header is whole. *rest* is then what came behind it."""

    __slots__ = ("_data", "rest")

    def __init__(self) -> None:
        self._data = b""
        self.rest = b""

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return bool(self._data)

    def receive(self, data: bytes) -> Client | None:
        """Take *data*; return the client once the header is whole. Raises `BadHeader` as soon as it can be none."""
        self._data += data
        if _agree(self._data, _LINE):
            return self._line()
        if _agree(self._data, _SIGNATURE):
            return self._binary()
        raise BadHeader("sent no PROXY header")

    def _line(self) -> Client | None:
        line, end, self.rest = self._data.partition(b"\r\n")
        if len(line) + len(end) > LINE_OCTETS or (not end and len(line) >= LINE_OCTETS):
            raise BadHeader("sent a PROXY line that is too long")
        if not end:
            return None
        return ITSELF if _UNKNOWN.fullmatch(line) else _of_line(line)

    def _binary(self) -> Client | None:
        if len(self._data) < _FIXED.size:
            return None
        _, command, family, octets = _FIXED.unpack_from(self._data)
        size = _FIXED.size + octets
        if command >> 4 != 2 or command & 15 > 1:
            raise BadHeader("sent a PROXY header of an unknown version or command")
        if size > HEADER_OCTETS:
            raise BadHeader("sent a PROXY header that is too long")
        if len(self._data) < size:
            return None
        self.rest = self._data[size:]
        # LOCAL: the family is ignored. What follows the addresses (§2.2, type-length-value) is skipped.
        return _of_binary(family, self._data[_FIXED.size : size]) if command & 15 else ITSELF


def _agree(data: bytes, start: bytes) -> bool:
    return data.startswith(start) or start.startswith(data)


def _of_line(line: bytes) -> Client:
    found = _PROXIED.fullmatch(line.decode("latin-1"))
    if found is None:
        raise BadHeader("sent a PROXY line of the wrong form")
    kind = IPv4Address if found[1] == "4" else IPv6Address
    try:
        source, _ = kind(found[2]), kind(found[3])
    except ValueError:
        raise BadHeader("sent a PROXY line with a wrong address") from None
    port, our_port = int(found[4]), int(found[5])
    if max(port, our_port) > 65_535:
        raise BadHeader("sent a PROXY line with a wrong port")
    return _client(source, port)


def _of_binary(family: int, block: bytes) -> Client:
    if family >> 4 > 3 or family & 15 > 2:
        raise BadHeader("sent a PROXY header of an unknown family or protocol")
    if family & 15 != 1 or family >> 4 == 0:
        # §2.2: unspecified, or datagrams, which come by no connection: the real addresses hold.
        return ITSELF
    if family >> 4 == 3:
        _whole(block, _UNIX_OCTETS)
        return Client("unix")
    form = _IPV4 if family >> 4 == 1 else _IPV6
    _whole(block, form.size)
    source, _, port, _ = form.unpack_from(block)
    return _client(ip_address(source), port)


def _whole(block: bytes, size: int) -> None:
    if len(block) < size:
        raise BadHeader("sent a PROXY header that is too short for its addresses")


def _client(source: IPv4Address | IPv6Address, port: int) -> Client:
    mapped = source.ipv4_mapped if isinstance(source, IPv6Address) else None
    return Client(str(mapped or source), port)
