"""Small files that are there whole or not at all, also after a crash. Everything here waits for the disk.

Paths are `str`, or `bytes` as the system has them.
"""

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

# How the name of a file begins that has not its own yet.
DRAFT = ".draft-"


def replace_file(path: str | bytes, data: bytes, mode: int = 0o600) -> None:
    """Let *data* be the file at *path*, durably: whoever reads finds the old one or the new one. Raises `OSError`."""
    with drafted(path, [data], mode) as draft:
        os.rename(draft, path)


def make_file(path: str | bytes, data: bytes) -> None:
    """Let *data* be the file at *path*, durably, for the owner's eyes only. Raises `OSError`.

    Where another process was quicker, what it wrote stays, and counts.
    """
    with drafted(path, [data]) as draft, suppress(FileExistsError):
        os.link(draft, path)


@contextmanager
def drafted(path: str | bytes, pieces: Iterable[bytes], mode: int = 0o600) -> Iterator[str]:
    """Yield the path of a file beside *path* that is on disk with *pieces* in it, for the caller to name it.

    The name is durable when the block was left. A draft whose process was killed stays, as a hidden file. Raises
    `OSError`.
    """
    folder = os.path.dirname(os.path.abspath(os.fsdecode(path)))
    handle, draft = tempfile.mkstemp(dir=folder, prefix=DRAFT)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.writelines(pieces)
            file.flush()
            os.fsync(handle)
        yield draft
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)
    sync_folder(folder)


def fsync_path(path: str) -> bool:
    """Sync one file or folder; ``False`` where it is gone. A link is not followed. Raises `OSError`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return True


def read_file(path: str | bytes, limit: int) -> bytes:
    """Return the file at *path*, empty where there is none, or none of at most *limit* octets that can be read."""
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return b""
            data = file.read(limit + 1)
    except OSError:
        return b""
    return data if len(data) <= limit else b""


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def sync_folder(folder: str) -> None:
    """Sync a folder of the site's own, which may be reached by a link. Raises `OSError`."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
