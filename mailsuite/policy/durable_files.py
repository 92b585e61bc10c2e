"""Small files that are there whole or not at all, also after a crash. Everything here waits for the disk."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def replace_file(path: str, data: bytes, mode: int = 0o600) -> None:
    """Put *data* durably into *path*: whoever reads it finds the old file or the new one. Raises `OSError`."""
    with _draft(path, data, mode) as draft:
        os.replace(draft, path)


def make_file(path: str, data: bytes) -> None:
    """Put *data* durably into *path*, for the owner's eyes only. Raises `OSError`.

    Where another process was quicker, what it wrote stays, and counts.
    """
    with _draft(path, data, 0o600) as draft, suppress(FileExistsError):
        os.link(draft, path)


@contextmanager
def _draft(path: str, data: bytes, mode: int) -> Iterator[str]:
    folder = os.path.dirname(os.path.abspath(path))
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".draft-")
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(data)
            file.flush()
            os.fsync(handle)
        yield draft
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
