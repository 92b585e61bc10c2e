"""Which files lie in a Maildir's ``new/`` and ``cur/`` (https://cr.yp.to/proto/maildir.html), and since when.

``tmp/``, subfolders, names with a leading dot and whatever is not a regular file are left out.
"""

import os

FOLDERS = (b"new", b"cur")
# Octets of a folder's name, and of the slash behind it.
PREFIX = 4
# A folder that keeps changing under the scan is taken as it is after so many looks.
TRIES = 3


def scan(root: bytes) -> list[bytes]:
    """Return the messages in the mailbox *root*, as ``new/NAME`` and ``cur/NAME``, in no order.

    Blocks. Raises `OSError`.
    """
    return [folder + b"/" + name for folder, names in zip(FOLDERS, look(root), strict=True) for name in names]


def look(root: bytes) -> list[list[bytes]]:
    """Return the names of the messages in each of `FOLDERS`, in no order. Blocks. Raises `OSError`."""
    found: list[list[bytes]] = []
    for folder in FOLDERS:
        try:
            entries = os.scandir(root + b"/" + folder)
        except FileNotFoundError:
            found.append([])
            continue
        with entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        # One look at all of them: there are hardly ever such names.
        hidden = b"/." in b"/" + b"/".join(names)
        found.append([name for name in names if not name.startswith(b".")] if hidden else names)
    return found


def folder_times(root: bytes) -> tuple[int, ...]:
    """Return when names in the mailbox *root* changed last, one time for each folder. Raises `OSError`."""
    times = []
    for folder in FOLDERS:
        try:
            times.append(os.stat(root + b"/" + folder).st_mtime_ns)
        except FileNotFoundError:
            times.append(0)
    return tuple(times)


def settled_scan(root: bytes) -> tuple[list[list[bytes]], tuple[int, ...]]:
    """Scan until nothing was moved meanwhile: a name that moves under a scan may be missed by it. Blocks.

    Return the names in each of `FOLDERS`, and the folders' times that they go with; no times where the folders never
    rested. Raises `OSError`.
    """
    for _ in range(TRIES):
        before = folder_times(root)
        found = look(root)
        if folder_times(root) == before:
            return found, before
    return found, ()
