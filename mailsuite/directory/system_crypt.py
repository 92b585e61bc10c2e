"""crypt(3) of this system, for what no library knows: yescrypt, which Debian and others have in ``/etc/shadow``."""

import ctypes
import hmac
import re

# yescrypt, its variant with GOST hashes, and scrypt as crypt(3) writes it (crypt(5)).
_FORM = re.compile(r"\$(?:y|gy|7)\$[./A-Za-z0-9$]{10,380}")
# At least what any crypt(3) needs of room: libxcrypt 32 KiB, older ones four times that.
_DATA_OCTETS = 262_144


def _load() -> ctypes.CDLL | None:
    for name in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            library = ctypes.CDLL(name)
            library.crypt_r.restype = ctypes.c_char_p
            library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
        except (OSError, AttributeError):
            continue
        # One that does not know yescrypt is of no use.
        if _crypt(library, b"x", b"$y$j75$saltsalt") is not None:
            return library
    return None


def _crypt(library: ctypes.CDLL, password: bytes, stored: bytes) -> bytes | None:
    data = ctypes.create_string_buffer(_DATA_OCTETS)
    made = library.crypt_r(password, stored, data)
    # Trouble is no answer, or one that begins with an asterisk and is no hash of anything.
    return None if made is None or made.startswith(b"*") else bytes(made)


_library = _load()


def is_known(stored: str) -> bool:
    """Say whether *stored* is a hash for `fits`, on a system that has what it takes."""
    return _library is not None and _FORM.fullmatch(stored) is not None


def fits(password: bytes, stored: str) -> bool:
    """Say whether *password*, which has no NUL, is that of *stored*, of which `is_known` says yes.

    Takes time, in which other threads run.
    """
    assert _library is not None
    wanted = stored.encode()
    made = _crypt(_library, password, wanted)
    return made is not None and hmac.compare_digest(made, wanted)
