"""Maildrops are locked for one session at a time, in all processes of a site (RFC 1939 §4).

A lock is the kernel's: on one octet of a file, held by an open file description, so that it ends with its process
however that ends. The octets are chosen by a hash of the mailbox; nothing is written, and no file is left for each
mailbox. What this process holds it knows itself: its own description does not shut it out.
"""

import fcntl
import os
import struct
from hashlib import blake2b

# The kernel looks through all locks on a file at every lock: some thousand sessions want more than one.
FILES = 64
# Where a system has no such locks, sessions of this process alone shut each other out.
_SET: int | None = getattr(fcntl, "F_OFD_SETLK", None)


def hold_between_processes() -> bool:
    """Say whether this system has locks that shut out other processes, too."""
    return _SET is not None


class Locks:
    """Locks by name, on files in *folder*."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[int, int] = {}
        # How often a lock is held, and 0 where it is held alone.
        self._held: dict[str, int] = {}

    def acquire(self, name: str, shared: bool = False) -> bool:
        """Take the lock *name*, alone or *shared*; ``False`` when somebody else's is in the way. Raises `OSError`."""
        held = self._held.get(name)
        if held is not None and not (shared and held):
            return False
        if held is None:
            try:
                self._set(name, fcntl.F_RDLCK if shared else fcntl.F_WRLCK)
            except (BlockingIOError, PermissionError):
                return False
        self._held[name] = (held or 0) + 1 if shared else 0
        return True

    def release(self, name: str) -> None:
        """Give the lock *name* back, if this process has it."""
        held = self._held.pop(name, None)
        if held is not None and held > 1:
            self._held[name] = held - 1
        elif held is not None:
            self._set(name, fcntl.F_UNLCK)

    def close(self) -> None:
        """Give all back."""
        while self._files:
            os.close(self._files.popitem()[1])
        self._held.clear()

    def _set(self, name: str, kind: int) -> None:
        if _SET is None:
            return
        digest = blake2b(os.fsencode(name), digest_size=8).digest()
        place = int.from_bytes(digest, "big")
        # struct flock of Linux: kind, whence, start, length, process.
        lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, place // FILES, 1, 0)
        fcntl.fcntl(self._file(place % FILES), _SET, lock)

    def _file(self, number: int) -> int:
        fd = self._files.get(number)
        if fd is None:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            path = f"{self._folder}/{number:02x}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._files[number] = fd
        return fd
