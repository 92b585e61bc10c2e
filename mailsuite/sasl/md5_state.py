"""MD5 (RFC 1321) from one block to the next, which Python's own does not show: for HMAC keys that are kept half done.

RFC 2195 §2 has it so: a server that keeps these states of the hash does not keep the password.
"""

import math
import struct
from itertools import chain

BLOCK_OCTETS = 64
_MASK = 0xFFFFFFFF
_START = struct.pack("<4I", 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
# RFC 1321 §3.4: how far each step rotates, its constant, and the word of the block that it takes.
_TURNS = tuple(
    chain.from_iterable(turns * 4 for turns in ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)))
)
_SINES = tuple(int(abs(math.sin(step + 1)) * 2**32) & _MASK for step in range(64))
_WORDS = (
    *range(16),
    *((5 * step + 1) % 16 for step in range(16)),
    *((3 * step + 5) % 16 for step in range(16)),
    *(7 * step % 16 for step in range(16)),
)


def first_state(block: bytes) -> bytes:
    """Return the state after one *block* of `BLOCK_OCTETS`, in 16 octets."""
    return _next(_START, block)


def digest_from(state: bytes, text: bytes) -> bytes:
    """Return the digest of one block, of which *state* is what is left, and *text* behind it."""
    octets = BLOCK_OCTETS + len(text)
    padded = text + b"\x80" + bytes((55 - octets) % BLOCK_OCTETS) + struct.pack("<Q", octets * 8 & 0xFFFFFFFFFFFFFFFF)
    for start in range(0, len(padded), BLOCK_OCTETS):
        state = _next(state, padded[start : start + BLOCK_OCTETS])
    return state


def _next(state: bytes, block: bytes) -> bytes:
    before = struct.unpack("<4I", state)
    words = struct.unpack("<16I", block)
    a, b, c, d = before
    for step in range(64):
        if step < 16:
            mixed = b & c | ~b & d
        elif step < 32:
            mixed = d & b | ~d & c
        elif step < 48:
            mixed = b ^ c ^ d
        else:
            mixed = c ^ (b | ~d & _MASK)
        total = (a + mixed + _SINES[step] + words[_WORDS[step]]) & _MASK
        turn = _TURNS[step]
        a, b, c, d = d, (b + (total << turn | total >> 32 - turn)) & _MASK, b, c
    return struct.pack("<4I", *(x + y & _MASK for x, y in zip(before, (a, b, c, d), strict=True)))
