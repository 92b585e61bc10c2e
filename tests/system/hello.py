"""A client's first words in TLS, with versions and cipher suites that no library speaks any more, and the answer."""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.system.site import HOSTNAME
from tests.system.wire import Wire

# As they stand on the wire.
VERSIONS = {"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303, "TLS 1.3": 0x0304}

# The suites of TLS 1.2 that we take, for an ECDSA and for an RSA certificate, and those of TLS 1.3.
STRONG: dict[str, Sequence[int]] = {
    "ECDHE-ECDSA": (0xC02B, 0xC02C, 0xCCA9),
    "ECDHE-RSA": (0xC02F, 0xC030, 0xCCA8),
    "TLS 1.3": (0x1301, 0x1302, 0x1303),
}
# What nobody should use with TLS 1.2 any more, or should never have used (RFC 9325 §4.1).
WEAK: dict[str, Sequence[int]] = {
    "NULL": (0x0001, 0x0002, 0x003B, 0xC006, 0xC010, 0xC015),
    "anonymous": (0x0018, 0x001B, 0x0034, 0x003A, 0x006C, 0x00A6, 0x00A7, 0xC018, 0xC019),
    "EXPORT": (0x0003, 0x0006, 0x0008, 0x000B, 0x000E, 0x0011, 0x0014, 0x0017, 0x0019),
    "RC4": (0x0004, 0x0005, 0xC007, 0xC011),
    "DES": (0x0009, 0x000C, 0x000F, 0x0012, 0x0015),
    "3DES": (0x000A, 0x000D, 0x0010, 0x0013, 0x0016, 0xC008, 0xC012),
    "IDEA, SEED, CAMELLIA": (0x0007, 0x0096, 0x009A, 0x0041, 0x0084, 0x0045, 0x0088, 0xC076, 0xC077),
    "CBC with SHA-1": (0x002F, 0x0035, 0x0033, 0x0039, 0xC009, 0xC00A, 0xC013, 0xC014),
    "CBC with SHA-2": (0x003C, 0x003D, 0x0067, 0x006B, 0xC023, 0xC024, 0xC027, 0xC028),
    "no forward secrecy": (0x009C, 0x009D, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1),
    "finite-field DH": (0x009E, 0x009F, 0xCCAA, 0xC09E, 0xC09F),
}

# Alerts (RFC 8446 §6).
HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
_ALERT, _HANDSHAKE = 21, 22
_GROUPS = (0x001D, 0x0017, 0x0018)
# With SHA-1 too, as an old client would offer.
_SIGNATURES = (0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0203, 0x0201)
_RENEGOTIATION_INFO = 0xFF01
_SUPPORTED_VERSIONS = 43

Word: TypeAlias = Literal["B", "H"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the server has chosen; *extensions* by number."""

    version: int
    suite: int
    compression: int
    extensions: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Refused:
    """The alert with which the server refused."""

    alert: int


def say(
    wire: Wire, version: str, suites: Sequence[int], compressions: Sequence[int] = (0,)
) -> Accepted | Refused:
    """Offer *version*, and no newer or older, with *suites*; return what the server answers."""
    wire.send(_client_hello(VERSIONS[version], suites, compressions))
    kind, body = _record(wire)
    if kind == _ALERT:
        # Level and description.
        return Refused(body[1])
    assert (kind, body[0]) == (_HANDSHAKE, 2), body[:20]
    return _server_hello(body[4:])


def _client_hello(version: int, suites: Sequence[int], compressions: Sequence[int]) -> bytes:
    newest = version == VERSIONS["TLS 1.3"]
    extensions = _extension(0, _vector("H", b"\0" + _vector("H", HOSTNAME.encode())))
    extensions += _extension(10, _vector("H", _words(_GROUPS)))
    extensions += _extension(11, _vector("B", b"\0"))
    extensions += _extension(13, _vector("H", _words(_SIGNATURES)))
    extensions += _extension(_RENEGOTIATION_INFO, b"\0")
    if newest:
        extensions += _extension(_SUPPORTED_VERSIONS, _vector("B", _words((version,))))
        # A made-up X25519 share: the answer to it is not looked into.
        extensions += _extension(51, _vector("H", _words((0x001D,)) + _vector("H", os.urandom(32))))
    hello = struct.pack(">H", min(version, VERSIONS["TLS 1.2"])) + os.urandom(32) + _vector("B", os.urandom(32))
    hello += _vector("H", _words(suites)) + _vector("B", bytes(compressions)) + _vector("H", extensions)
    handshake = b"\x01" + struct.pack(">I", len(hello))[1:] + hello
    return struct.pack(">BH", _HANDSHAKE, VERSIONS["TLS 1.0"]) + _vector("H", handshake)


def _server_hello(body: bytes) -> Accepted:
    """Read a ServerHello (RFC 5246 §7.4.1.3, RFC 8446 §4.1.3)."""
    version = int.from_bytes(body[:2])
    at = 35 + body[34]
    suite, compression = struct.unpack_from(">HB", body, at)
    extensions: dict[int, bytes] = {}
    at += 5
    while at < len(body):
        number, length = struct.unpack_from(">HH", body, at)
        extensions[number] = body[at + 4 : at + 4 + length]
        at += 4 + length
    if _SUPPORTED_VERSIONS in extensions:
        version = int.from_bytes(extensions[_SUPPORTED_VERSIONS])
    return Accepted(version, suite, compression, extensions)


def _record(wire: Wire) -> tuple[int, bytes]:
    """Return the kind and the content of the next record, which a small ServerHello or an alert fills."""
    head = _exactly(wire, 5)
    kind, _, length = struct.unpack(">BHH", head)
    body = _exactly(wire, length)
    return kind, body[: 4 + int.from_bytes(body[1:4])] if kind == _HANDSHAKE else body


def _exactly(wire: Wire, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = wire.socket.recv(count - len(found))
        if not more:
            raise EOFError("closed without an alert")
        found += more
    return found


def _words(numbers: Sequence[int]) -> bytes:
    return struct.pack(f">{len(numbers)}H", *numbers)


def _vector(length: Word, content: bytes) -> bytes:
    return struct.pack(f">{length}", len(content)) + content


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack(">H", number) + _vector("H", content)
