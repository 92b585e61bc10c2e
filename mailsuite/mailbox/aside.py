"""Gives files in a mailbox another name, and never one that another file has: two damaged messages stay two."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count

from mailsuite.mailbox.layout import DAMAGED


def set_aside(box: str, path: str) -> str:
    """Move the file *path* into ``damaged/`` of the mailbox *box*; return where it is. Blocks. Raises `OSError`."""
    folder = f"{box}/{DAMAGED}"
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    place = os.fsencode(f"{folder}/{os.path.basename(path)}")
    return os.fsdecode(rename_free(os.fsencode(path), numbered(place)))


def numbered(beginning: bytes, rest: bytes = b"") -> Iterator[bytes]:
    """Yield *beginning* and *rest*, and then the same with a number between them, from 2 on."""
    yield beginning + rest
    for number in count(2):
        yield b"%b-%d%b" % (beginning, number, rest)


def rename_free(path: bytes, names: Iterable[bytes]) -> bytes:
    """Rename *path* to the first of *names* that no file has, and return that. Blocks. Raises `OSError`."""
    for name in names:
        try:
            os.link(path, name, follow_symlinks=False)
        except FileExistsError:
            continue
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError:
            # A file system without links.
            if os.path.lexists(name):
                continue
            os.rename(path, name)
        else:
            os.unlink(path)
        return name
    raise FileExistsError(os.fsdecode(path))
