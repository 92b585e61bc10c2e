"""The file ``maildirsize`` of a Maildir++: its quota, and how much lies in it, kept by all programs that deliver.

https://www.courier-mta.org/imap/README.maildirquota.html: the first line is the quota (``1000000S,1000C``), each other
one octets and messages that were added, or with a minus sign removed; their sum is what is there. Whoever adds or
removes appends a line. The file is made anew from what lies there when it has 5120 octets, and when it says that the
mailbox is full and has been added to, or is 15 minutes old: so what other programs have not told is noticed.

All functions block, for a scan of a large mailbox long.
"""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mailsuite.mailbox.draft import write_all
from mailsuite.mailbox.layout import folders_of
from mailsuite.mailbox.names import sizes
from mailsuite.mailbox.scan import FOLDERS, folder_times
from mailsuite.meaning import NO_QUOTA, Quota

FILE = "maildirsize"
# From this size on the file is made anew.
OCTETS = 5120
# And where it says that the mailbox is full, at this age, in seconds.
STALE_SECONDS = 900
# How often a mailbox is counted that changes meanwhile; a message or two are missed then until the next time.
TRIES = 3
TRASH = ".Trash"
# Whatever has that name in a mailbox: nothing that lets wait, and no link, is opened.
_FILE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LIMIT = re.compile(rb"(\d{1,19})([SC])")
_LINE = re.compile(rb"\s*(-?\d{1,19})\s+(-?\d{1,19})\s*")

# Time, size and number of the file: what tells whether it is the one that was read.
Identity: TypeAlias = tuple[int, int, int]


class Usage(NamedTuple):
    """How much lies in a mailbox."""

    octets: int = 0
    messages: int = 0

    def plus(self, octets: int, messages: int) -> "Usage":
        """Return what it is with so much more."""
        return Usage(self.octets + octets, self.messages + messages)


@dataclass(frozen=True, slots=True)
class Read:
    """What the file said: the *quota* in its first line, the *usage* in all *lines* of changes."""

    quota: Quota
    usage: Usage
    lines: int
    identity: Identity

    @property
    def modified(self) -> float:
        """When the file was written to (POSIX seconds)."""
        return self.identity[0] / 1e9


def parse(octets: bytes) -> tuple[Quota, Usage, int] | None:
    """Return quota, usage and the number of changes of a whole file; ``None`` where it is none that can be trusted.

    A sum below 0 cannot be; nor is a last line known that is still being written.
    """
    if not octets.endswith(b"\n"):
        return None
    first, *rest = octets[:-1].split(b"\n")
    limits = {kind: int(number) for number, kind in _LIMIT.findall(first)}
    changes = [_LINE.fullmatch(line) for line in rest]
    if None in changes:
        return None
    usage = Usage(sum(int(each[1]) for each in changes if each), sum(int(each[2]) for each in changes if each))
    if min(usage) < 0:
        return None
    return Quota(limits.get(b"S", 0), limits.get(b"C", 0)), usage, len(changes)


def first_line(quota: Quota) -> bytes:
    """Return the line that says *quota*; without one, that there is no limit."""
    octets = b"%dS" % (quota.octets or 0)
    return octets + (b",%dC\n" % quota.messages if quota.messages else b"\n")


def line(octets: int, messages: int) -> bytes:
    """Return the line of a change, of 14 octets where that is enough, as others pad it."""
    return b"%s\n" % (b"%d %d" % (octets, messages)).ljust(13)


def identity(status: os.stat_result) -> Identity:
    """Return by what a file is told from what it was before."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def look(path: str) -> Identity | None:
    """Return the identity of the mailbox's file; ``None`` where there is none."""
    try:
        return identity(os.stat(f"{path}/{FILE}"))
    except OSError:
        return None


def read(path: str) -> Read | None:
    """Return what the file of the mailbox *path* says; ``None``: it has to be made anew. Raises `OSError`.

    So has one that we may not read: another user's, which we could not add to either.
    """
    try:
        fd = os.open(f"{path}/{FILE}", os.O_RDONLY | _FILE)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise
    try:
        status = os.fstat(fd)
        octets = os.read(fd, OCTETS) if stat.S_ISREG(status.st_mode) else b""
    finally:
        os.close(fd)
    found = parse(octets) if status.st_size == len(octets) < OCTETS else None
    return None if found is None else Read(*found, identity(status))


def record(path: str, octets: int, messages: int) -> tuple[Identity, Identity] | None:
    """Append a change to the file of the mailbox *path*; return its identity before and after.

    ``None``: there is no file, and so nothing that could be wrong; or it could not be written, and was removed, so
    that it is made anew.
    """
    file = f"{path}/{FILE}"
    # Most mailboxes have none, and to raise an exception takes longer than to ask.
    if not os.access(file, os.F_OK, follow_symlinks=False):
        return None
    try:
        fd = os.open(file, os.O_WRONLY | os.O_APPEND | _FILE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        with suppress(OSError):
            os.unlink(file)
        return None
    try:
        before = identity(os.fstat(fd))
        # One write: lines of two programs do not mix (O_APPEND).
        write_all(fd, [line(octets, messages)])
        return before, identity(os.fstat(fd))
    except OSError:
        with suppress(OSError):
            os.unlink(file)
        return None
    finally:
        os.close(fd)


def forget(path: str) -> None:
    """Have the mailbox that *path* is, or is a folder of, counted anew: much has changed in it. Raises `OSError`."""
    with suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(f"{_parted(path)[0]}/{FILE}")


class Ledger:
    """Counts mailboxes, and records what was removed from them.

    *trash*: what lies in the folder Trash counts, too, and what is flagged as deleted (T). The specification does not
    count these; all programs that use a mailbox must be set up alike.
    """

    def __init__(self, trash: bool = False) -> None:
        self._trash = trash

    def removed(self, path: str, messages: Iterable[tuple[bytes, int]]) -> None:
        """Record that *messages* (name of the file, octets) are gone from *path*, a mailbox or a folder in one."""
        root, folder = _parted(path)
        gone = [octets for name, octets in messages if self._counts(folder, name)]
        if gone:
            record(root, -sum(gone), -len(gone))

    def count(self, path: str, quota: Quota) -> Usage:
        """Count what lies in the mailbox *path*, and make its file anew, with *quota* in it. Raises `OSError`.

        Where there is no mailbox yet there is nothing in it, and no file is made.
        """
        for _ in range(TRIES):
            parts = self._parts(path)
            before = [folder_times(os.fsencode(part)) for part in parts]
            usage = self._sum(parts)
            if not os.path.isdir(f"{path}/tmp"):
                break
            _replace(path, first_line(quota) + line(*usage))
            if [folder_times(os.fsencode(part)) for part in parts] == before:
                break
        return usage

    def usage(self, path: str, quota: Quota) -> Usage:
        """As `count`; where no file can be made, on a full disk say, what lies there is known all the same.

        Raises `OSError` where the mailbox cannot be read.
        """
        try:
            return self.count(path, quota)
        except OSError:
            return self._sum(self._parts(path))

    def drift(self, path: str) -> Usage | None:
        """Return what lies in the mailbox *path* where its file says something else; ``None`` also where there is no
        file, or the mailbox changes just now. Changes nothing. Raises `OSError`."""
        parts = self._parts(path)
        before, times = read(path), [folder_times(os.fsencode(part)) for part in parts]
        if before is None:
            return None
        usage = self._sum(parts)
        rests = look(path) == before.identity and [folder_times(os.fsencode(part)) for part in parts] == times
        return usage if rests and usage != before.usage else None

    def _parts(self, path: str) -> list[str]:
        return [path, *(each for each in folders_of(path) if self._trash or os.path.basename(each) != TRASH)]

    def _sum(self, parts: Iterable[str]) -> Usage:
        usage = Usage()
        for part in parts:
            for name, octets in _messages(part):
                if self._counts("", name):
                    usage = usage.plus(octets, 1)
        return usage

    def total(self, folder: str) -> Usage:
        """Return what all mailboxes in *folder*, a domain's, hold together. Raises `OSError`."""
        usage = Usage()
        try:
            entries = os.scandir(folder)
        except FileNotFoundError:
            return usage
        with entries:
            boxes = [each.path for each in entries if each.is_dir(follow_symlinks=False)]
        for box in boxes:
            found = read(box)
            usage = usage.plus(*(self.usage(box, NO_QUOTA) if found is None else found.usage))
        return usage

    def _counts(self, folder: str, name: bytes) -> bool:
        return self._trash or (folder != TRASH and b"T" not in name.partition(b":2,")[2])


def _parted(path: str) -> tuple[str, str]:
    """Return the mailbox that *path* is or is in, and the name of the folder; empty for the mailbox itself."""
    root, _, folder = path.rpartition("/")
    return (root, folder) if folder.startswith(".") else (path, "")


def size_of(path: bytes) -> int:
    """Return the octets of the message file *path* on the disk, by its name where that says it. Raises `OSError`."""
    said = sizes(os.path.basename(path)).disk
    return os.stat(path).st_size if said is None else said


def _messages(part: str) -> Iterator[tuple[bytes, int]]:
    """Yield name and octets of each message in the Maildir *part*."""
    for folder in FOLDERS:
        try:
            entries = os.scandir(os.fsencode(part) + b"/" + folder)
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                if entry.name.startswith(b".") or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(FileNotFoundError):
                    yield entry.name, size_of(entry.path)


def _replace(path: str, octets: bytes) -> None:
    token = f"{FILE}.{os.getpid()}.{os.urandom(6).hex()}"
    draft = f"{path}/tmp/{token}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, [octets])
        if os.path.isdir(f"{path}/{FILE}") and not os.path.islink(f"{path}/{FILE}"):
            # Whatever somebody keeps in a folder of that name, it is no sum, and cannot be written over.
            os.rename(f"{path}/{FILE}", f"{path}/{token}")
        os.rename(draft, f"{path}/{FILE}")
    except OSError:
        os.unlink(draft)
        raise
    finally:
        os.close(fd)
