"""Looks at a Maildir for what is not as it should be, damaged files, wrong sizes, leftovers; and mends what it can.

Everything blocks. The mailbox may be in use: what goes away under the look is none of its findings.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from mailsuite.durable import fsync_path
from mailsuite.mailbox import imported_ids
from mailsuite.mailbox.aside import numbered, rename_free, set_aside
from mailsuite.mailbox.content import wire_size
from mailsuite.mailbox.layout import FOLDERS, folders_of, make_folders
from mailsuite.mailbox.names import base, sized, sizes
from mailsuite.mailbox.recovery import STALE_SECONDS

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Of *kind* (a word for programs) at *path*: *text* says what. *repair* mends it, where we can."""

    kind: str
    path: str
    text: str
    repair: Callable[[], object] | None = field(default=None, repr=False)


def inspect_mailbox(path: str, now: float, whole: bool) -> Iterator[Finding]:
    """Yield what is wrong in the mailbox *path* and its folders; with *whole* each message is read to its end."""
    for place in (path, *(each for each in folders_of(path) if os.path.isdir(f"{each}/cur"))):
        missing = [name for name in FOLDERS if not os.path.isdir(f"{place}/{name}")]
        if missing:
            yield Finding("missing-folder", place, f"there is no {', '.join(missing)} in it", partial(_make, place))
        for folder in ("new", "cur"):
            yield from _messages(place, folder, whole)
        wrong = imported_ids.damage(os.fsencode(place))
        if wrong:
            path_of_ids = os.path.join(place, os.fsdecode(imported_ids.FILE_NAME))
            yield Finding("unique-ids", path_of_ids, f"{wrong}: clients fetch anew what had its id from there")
        yield from _leftovers(f"{place}/tmp", now)


def _messages(box: str, folder: str, whole: bool) -> Iterator[Finding]:
    for entry in _entries(f"{box}/{folder}"):
        if entry.name.startswith("."):
            continue
        try:
            found = _judge(box, entry, whole)
        except FileNotFoundError:
            continue
        except OSError as error:
            found = Finding("unreadable", entry.path, f"it cannot be read: {error.strerror or error}")
        if found is not None:
            yield found


def _judge(box: str, entry: os.DirEntry[str], whole: bool) -> Finding | None:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return None if stat.S_ISDIR(status.st_mode) else Finding("no-file", entry.path, "it is no regular file")
    said = sizes(os.fsencode(entry.name))
    away = partial(set_aside, box, entry.path)
    if said.disk is not None and said.disk != status.st_size:
        text = f"its name says {said.disk} octets, it has {status.st_size}"
        # Ours never change: it is cut off. Other programs rewrite theirs, and may leave the name.
        mend = away if said.ours or not status.st_size else partial(_rename, entry.path)
        return Finding("wrong-size", entry.path, text, mend)
    if not status.st_size:
        return Finding("empty", entry.path, "it has no octets", away)
    return _read(entry.path, said.wire if not said.ours else None) if whole else None


def _read(path: str, wire: int | None) -> Finding | None:
    if wire is not None:
        measured = wire_size(os.fsencode(path), None, None)
        if measured != wire_size(os.fsencode(path), None, wire):
            text = f"its name says {wire} octets with CRLF, it has {measured}"
            return Finding("wrong-size", path, text, partial(_rename, path))
        return None
    with open(path, "rb", buffering=0) as file:
        while file.read(_CHUNK):
            pass
    return None


def _leftovers(folder: str, now: float) -> Iterator[Finding]:
    for entry in _entries(folder):
        try:
            old = entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < now - STALE_SECONDS
        except FileNotFoundError:
            continue
        if old:
            text = "a delivery has left it unfinished, more than 36 hours ago"
            yield Finding("leftover", entry.path, text, partial(os.unlink, entry.path))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except FileNotFoundError:
        return []


def _make(path: str) -> None:
    for folder in make_folders(path):
        fsync_path(folder)
    # What has the name of a folder and is none stays where it is.
    for name in FOLDERS:
        with os.scandir(f"{path}/{name}"):
            pass


def _rename(path: str) -> None:
    """Let the name say what the file has; where another one has that name, this one gets a base name of its own."""
    with open(path, "rb") as file:
        content = file.read()
    folder, name = os.path.split(os.fsencode(path))
    fields, colon, info = name.partition(b":")
    named = sized(fields, content)
    key = base(named)
    rename_free(os.fsencode(path), numbered(folder + b"/" + key, named[len(key) :] + colon + info))
