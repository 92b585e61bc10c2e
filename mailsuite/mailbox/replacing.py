"""Small files that are replaced as a whole: at every moment there is the old one or the new one."""

import os

from mailsuite.mailbox.sync import fsync_path


def replace_file(path: bytes, data: bytes) -> None:
    """Let *data* be the file at *path*, durably. Raises `OSError`."""
    written = path + b".tmp"
    fd = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    os.rename(written, path)
    fsync_path(os.fsdecode(os.path.dirname(path)))


def read_file(path: bytes, limit: int) -> bytes:
    """Return the file at *path*, empty where there is none, or none of at most *limit* octets that can be read."""
    try:
        with open(path, "rb", opener=_open) as file:
            data = file.read(limit + 1)
    except OSError:
        return b""
    return data if len(data) <= limit else b""


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
