"""Which files lie in a Maildir's ``new/`` and ``cur/`` (https://cr.yp.to/proto/maildir.html), and since when.

``tmp/``, subfolders, names with a leading dot and whatever is not a regular file are left out.
"""

import os

# Names are given with their folder: "new/NAME", "cur/NAME".
FOLDERS = (b"new", b"cur")
PREFIX = 4
# A folder that keeps changing under the scan is taken as it is after so many looks.
TRIES = 3


def scan(root: bytes) -> list[bytes]:
    """Return the names of the messages in the mailbox *root*, in no order. Blocks. Raises `OSError`."""
    names: list[bytes] = []
    for folder in FOLDERS:
        prefix = folder + b"/"
        try:
            entries = os.scandir(root + b"/" + folder)
        except FileNotFoundError:
            continue
        with entries:
            names += [
                prefix + entry.name
                for entry in entries
                if not entry.name.startswith(b".") and entry.is_file(follow_symlinks=False)
            ]
    return names


def folder_times(root: bytes) -> tuple[int, ...]:
    """Return when names in the mailbox *root* changed last, one time for each folder. Raises `OSError`."""
    times = []
    for folder in FOLDERS:
        try:
            times.append(os.stat(root + b"/" + folder).st_mtime_ns)
        except FileNotFoundError:
            times.append(0)
    return tuple(times)


def settled_scan(root: bytes) -> tuple[list[bytes], tuple[int, ...]]:
    """Scan until nothing was moved meanwhile: a name that moves under a scan may be missed by it. Blocks.

    Return the names, and the folders' times that they go with; no times where the folders never rested. Raises
    `OSError`.
    """
    for _ in range(TRIES):
        before = folder_times(root)
        names = scan(root)
        if folder_times(root) == before:
            return names, before
    return names, ()
