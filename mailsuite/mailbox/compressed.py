"""Messages that another server keeps compressed, as Dovecot does where its plugin ``zlib`` is used (``zlib_save``).

No message begins as such a file does: a name of a header field has no such octets (RFC 5322 §2.2).
"""

import bz2
import lzma
import zlib

# A message has at most so many octets.
MESSAGE_OCTETS = 1 << 28
_GZIP = b"\x1f\x8b"
_BZIP2 = b"BZh"
_XZ = b"\xfd7zXZ\x00"
_UNKNOWN = {b"\x28\xb5\x2f\xfd": "zstd", b"Dovecot-LZ4\r\n": "lz4"}


class Unreadable(OSError):
    """It is compressed in a way that is not known here, or is damaged."""


def plain(octets: bytes, whole: bool = True) -> bytes:
    """Return *octets*, of a file, as they were before they were compressed, if they were.

    Without *whole*, *octets* may be the beginning of a file, and as much is returned as can be said. Raises
    `Unreadable`.
    """
    for magic, name in _UNKNOWN.items():
        if octets.startswith(magic):
            raise Unreadable(0, f"it is compressed by {name}, which cannot be read here: let doveadm sync make a"
                             " Maildir that is not")  # fmt: skip
    reader = _reader(octets)
    if reader is None:
        return octets
    try:
        content = reader.decompress(octets, MESSAGE_OCTETS + 1)
    except (zlib.error, OSError, lzma.LZMAError, EOFError) as error:
        raise Unreadable(0, f"it is compressed, and damaged: {error}") from error
    if len(content) > MESSAGE_OCTETS:
        raise Unreadable(0, f"it has more than {MESSAGE_OCTETS} octets")
    if whole and not reader.eof:
        raise Unreadable(0, "it is compressed, and cut off")
    return bytes(content)


def _reader(octets: bytes) -> "zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor | None":
    if octets.startswith(_GZIP):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if octets.startswith(_BZIP2):
        return bz2.BZ2Decompressor()
    if octets.startswith(_XZ):
        return lzma.LZMADecompressor()
    return None
