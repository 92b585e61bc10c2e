"""Files that are read again when they change, and what was read from them last."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

from mailsuite.certificates import PairError

T = TypeVar("T")
_Stamp = tuple[int, ...] | None


class Watched(Generic[T]):
    """What *read* makes of *files*. It raises `PairError` where they are of no use, and the last `value` stays."""

    def __init__(self, files: tuple[str, ...], read: Callable[[], T]) -> None:
        self.files = files
        self.value: T | None = None
        self._read = read
        self._tried: tuple[_Stamp, ...] = ()
        self._failed: tuple[_Stamp, ...] | None = None

    def take_up(self) -> T:
        """Read the files now. Raises `PairError`."""
        self.note()
        self.value, self._failed = self._read(), None
        return self.value

    def note(self) -> None:
        """Take the files for read as they are now."""
        self._tried = self._stamps()

    def look(self) -> bool:
        """Read the files if one has changed; say whether there is a new value.

        Renewal replaces one file after the other, and the moment between is not worth a complaint: `PairError` is
        raised once, when files that are of no use have stopped changing.
        """
        now = self._stamps()
        if now == self._tried:
            if self._failed != now:
                return False
            self._failed = None
            self.take_up()
            return True
        try:
            self.take_up()
        except PairError:
            self._failed = now
            return False
        return True

    def _stamps(self) -> tuple[_Stamp, ...]:
        return tuple(_stamp(path) for path in self.files)


def _stamp(path: str) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    # Who was kept out may read it after a change of group, mode or list of rights alone. (The mode itself, since times
    # are no finer than a tick of the kernel's clock.)
    return status.st_mtime_ns, status.st_ino, status.st_size, status.st_mode, status.st_ctime_ns
