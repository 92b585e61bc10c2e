"""Makes a copy of Maildirs what they are now, at the cost of what has changed: for backups, and for exports.

A message never changes, so it may be linked to where the copy lies on the same file system. One that has moved to
``cur/``, or has other flags, is renamed in the copy. What else lies in a mailbox is small and is copied when it has
changed. The mailbox may be in use.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass

from mailsuite.durable import DRAFT
from mailsuite.mailbox.layout import FOLDERS
from mailsuite.mailbox.maildirsize import FILE
from mailsuite.mailbox.names import base
from mailsuite.mailbox.scan import PREFIX, TRIES, scan

# A file is copied under this name first, so that under its own it is whole.
_PART = b".part"


@dataclass(slots=True)
class Mirrored:
    """So many files came into the copy, have another name in it, or were removed there."""

    new: int = 0
    renamed: int = 0
    removed: int = 0


class Mirror:
    """Copies mailboxes; with *link* by links where that can be had, with *keep* what is gone stays in the copy.

    Nothing is removed before `drop_gone`: so a complete copy loses nothing by one that is begun and not ended.

    With *doubt* a message in the copy counts only if it has the size and the time of its original: one that was copied
    shortly before the power went may be cut off.

    Everything blocks, and raises `OSError`. Nothing is durable before the caller syncs.
    """

    def __init__(self, link: bool, keep: bool, doubt: bool = False) -> None:
        self._link = link
        self._keep = keep
        self._doubt = doubt
        self._gone: list[bytes] = []
        self.done = Mirrored()

    def mailbox(self, source: bytes, target: bytes) -> None:
        """Let *target* be what *source* is, with its Maildir++ folders and whatever else lies there."""
        os.makedirs(target, 0o700, exist_ok=True)
        for name in FOLDERS:
            with suppress(FileExistsError):
                os.mkdir(target + b"/" + name.encode(), 0o700)
        self._messages(source, target)
        there = set[bytes]()
        for entry in _entries(source):
            path = target + b"/" + entry.name
            # A sum that is of another moment than the messages would be wrong; it is made anew where it is missing.
            if entry.name in (*map(str.encode, FOLDERS), FILE.encode()):
                continue
            there.add(entry.name)
            if entry.is_dir(follow_symlinks=False):
                folder = os.path.isdir(entry.path + b"/cur")
                (self.mailbox if folder else self.files)(entry.path, path)
            elif entry.is_file(follow_symlinks=False):
                self._file(entry.path, path)
        self._drop(target, there | {name.encode() for name in FOLDERS})

    def files(self, source: bytes, target: bytes) -> None:
        """Let the folder *target* have what lies in the folder *source* and below it."""
        os.makedirs(target, 0o700, exist_ok=True)
        there = set[bytes]()
        for entry in _entries(source):
            there.add(entry.name)
            if entry.is_dir(follow_symlinks=False):
                self.files(entry.path, target + b"/" + entry.name)
            elif entry.is_file(follow_symlinks=False):
                self._file(entry.path, target + b"/" + entry.name)
        self._drop(target, there)

    def file(self, source: bytes, target: bytes) -> None:
        """Copy one file, unless it is the same there, or gone."""
        self._file(source, target)

    def linked_files(self, source: bytes, target: bytes) -> None:
        """Let the folder *target* have the files of the folder *source*, which never change."""
        for name in os.listdir(source):
            if not os.path.lexists(target + b"/" + name):
                with suppress(FileNotFoundError):
                    self._place(source + b"/" + name, target + b"/" + name)

    def drop_others(self, target: bytes, names: set[bytes]) -> None:
        """Count as gone whatever in the folder *target* has none of *names*, unless what is gone is kept."""
        self._drop(target, names)

    def drop_gone(self) -> None:
        """Remove from the copy what was gone when it was looked at."""
        for path in self._gone:
            with suppress(FileNotFoundError):
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
                self.done.removed += 1
        self._gone.clear()

    def _messages(self, source: bytes, target: bytes) -> None:
        for _ in range(TRIES):
            copied = {base(name[PREFIX:]): name for name in scan(target)}
            missed = False
            now = scan(source)
            for name in now:
                missed = not self._message(source, target, name, copied) or missed
            if not missed:
                break
        if not self._keep:
            # A name that moved under the scan may be missed by it: what is gone is looked for once more.
            self._drop_messages(target, {*now, *scan(source)})

    def _drop_messages(self, target: bytes, current: set[bytes]) -> None:
        """Count as gone what has none of the *current* names; not the only copy of one that has just moved."""
        copied = set(scan(target))
        mirrored = {base(name[PREFIX:]) for name in current & copied}
        missing = {base(name[PREFIX:]) for name in current} - mirrored
        for name in copied - current:
            if base(name[PREFIX:]) not in missing:
                self._gone.append(target + b"/" + name)

    def _message(self, source: bytes, target: bytes, name: bytes, copied: dict[bytes, bytes]) -> bool:
        """Let the copy have the message *name*; say whether it was still there."""
        old = copied.get(base(name[PREFIX:]))
        if old == name and not (self._doubt and self._differs(source + b"/" + name, target + b"/" + name)):
            return True
        if old is not None and old != name and _is_one(source + b"/" + name, target + b"/" + old):
            os.rename(target + b"/" + old, target + b"/" + name)
            self.done.renamed += 1
        else:
            try:
                self._place(source + b"/" + name, target + b"/" + name)
            except FileNotFoundError:
                return False
        copied[base(name[PREFIX:])] = name
        return True

    @staticmethod
    def _differs(one: bytes, other: bytes) -> bool:
        # (What is gone is no reason to copy.)
        with suppress(FileNotFoundError):
            return not _is_one(one, other)
        return False

    def _place(self, source: bytes, target: bytes) -> None:
        if self._link:
            try:
                os.link(source, target, follow_symlinks=False)
            except FileExistsError:
                return
            except FileNotFoundError:
                raise
            except OSError:
                # Another file system, too many links, or links not allowed.
                self._link = False
            else:
                self.done.new += 1
                return
        self._copy(source, target)

    def _file(self, source: bytes, target: bytes) -> None:
        with suppress(FileNotFoundError):
            if not _is_one(source, target):
                self._copy(source, target)

    def _copy(self, source: bytes, target: bytes) -> None:
        draft = os.path.dirname(target) + b"/" + _PART
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as original, open(draft, "wb", opener=_private) as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
            status = os.fstat(original.fileno())
        os.utime(draft, ns=(status.st_mtime_ns, status.st_mtime_ns))
        os.rename(draft, target)
        self.done.new += 1

    def _drop(self, target: bytes, names: set[bytes]) -> None:
        if self._keep:
            return
        self._gone += [entry.path for entry in _entries(target) if entry.name not in names]


def _is_one(one: bytes, other: bytes) -> bool:
    """Say whether the two files are the same, or were, by size and time. Raises `FileNotFoundError` for the first."""
    first = os.lstat(one)
    try:
        second = os.lstat(other)
    except FileNotFoundError:
        return False
    return (first.st_size, first.st_mtime_ns) == (second.st_size, second.st_mtime_ns)


def _entries(folder: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(os.fsencode(DRAFT))]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
