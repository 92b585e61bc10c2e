"""Brings messages of other mailboxes into a Maildir, safely beside a running server, and none of them twice.

What was brought is kept in a journal in the mailbox, so that what its owner deletes meanwhile does not come again. A
batch is made durable before its messages have names, and the names before the journal tells of them: after a crash at
any moment the next run goes on, and nothing that is not whole was ever seen.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zlib import crc32

from mailsuite.durable import fsync_path, read_file
from mailsuite.mailbox.barrier import Sync
from mailsuite.mailbox.draft import create, write_all
from mailsuite.mailbox.foreign import Foreign
from mailsuite.mailbox.imported_ids import ImportedIds
from mailsuite.mailbox.layout import MOST_OCTETS, make_folders
from mailsuite.mailbox.maildir import Receipt
from mailsuite.mailbox.maildirsize import forget, size_of
from mailsuite.mailbox.names import base, is_fit
from mailsuite.mailbox.scan import PREFIX, scan

JOURNAL = b"mailsuite-brought"
_FORMAT = b"mailsuite brought 1"
# So many messages, or so many octets of them, share two syncs.
BATCH_MESSAGES = 256
BATCH_OCTETS = 1 << 26


class NoRoom(Exception):
    """There would be less free space than has to stay free."""


@dataclass(frozen=True, slots=True)
class Batch:
    """So many messages are here, durably; *gone* are those that their owner has moved or removed there meanwhile.

    *unread* are those that could not be read, and why; the next run tries them again.
    """

    brought: int
    gone: int
    unread: Sequence[tuple[Foreign, OSError]] = ()


class Bringing:
    """Into the mailbox, or the Maildir++ folder, *path*, for one command at a time. *sync* is the way to its disk,
    *floor* the octets that stay free there. Everything blocks, and raises `OSError`."""

    def __init__(self, path: str, sync: Sync, floor: int) -> None:
        self._path = path
        self._root = os.fsencode(path)
        self._sync = sync
        self._floor = floor
        self._journal = Journal(self._root)
        self._here = {base(name[PREFIX:]): name for name in scan(self._root)}

    def waiting(self, found: Iterable[Foreign]) -> list[Foreign]:
        """Return those of *found* that were not brought yet. Raises `OSError`.

        Of two with one base name, one size and one date the second is the same message, seen while it was moved; any
        other, here or there, is another message, and gets a base name of its own.
        """
        seen: dict[bytes, tuple[int, int]] = {}
        left: list[Foreign] = []
        for each in found:
            look = each.size, each.modified
            before = seen.get(each.base)
            if before == look:
                continue
            if before is not None:
                each = replace(_renamed(each, before[0] == each.size), unique_id=None)
            seen[each.base] = look
            if self._is_anothers(each):
                each = _renamed(each)
            if not (self._journal.tells(each) or self._journal.tells(_renamed(each))):
                left.append(each)
        return left

    def _is_anothers(self, each: Foreign) -> bool:
        """Say whether its base name is that of another message, which was brought before, or came in another way."""
        if each.base in self._journal.sizes:
            return not self._journal.tells(each)
        return each.base in self._here and not self._is_here(each)

    def _is_here(self, each: Foreign) -> bool:
        try:
            octets = size_of(self._root + b"/" + self._here[each.base])
        except FileNotFoundError:
            # Its flags have changed at this moment.
            return True
        if octets == each.size:
            return True
        try:
            return octets == len(each.read())
        except OSError:
            return False

    def keep_ids(self, messages: Sequence[Foreign]) -> list[Foreign]:
        """Keep the unique ids of *messages*, which are to be brought then; return those whose ids are unfit or another
        message's: they get ids of ours."""
        imported = ImportedIds(self._root)
        owners = {unique_id: key for key, unique_id in imported.ids.items()}
        ids: dict[bytes, bytes] = {}
        refused: list[Foreign] = []
        for each in messages:
            if each.unique_id is None or each.unique_id == imported.unique_id(each.base):
                continue
            if is_fit(each.unique_id) and owners.setdefault(each.unique_id, each.base) == each.base:
                ids[each.base] = each.unique_id
            else:
                refused.append(each)
        if ids:
            self._make()
            imported.add(ids)
        return refused

    def bring(self, messages: Sequence[Foreign]) -> Iterator[Batch]:
        """Bring *messages*, some at a time; what was yielded is durable. Raises `NoRoom`."""
        for batch in _batches(messages):
            yield self._bring(batch)

    def _bring(self, batch: Sequence[Foreign]) -> Batch:
        self._make()
        receipt = Receipt(folders=[f"{self._path}/{name}" for name in ("tmp", "new", "cur")])
        receipt.devices.add(os.stat(self._path).st_dev)
        self._refuse_full(sum(each.size for each in batch))
        # What an earlier run has named and not told the journal of has its content, but perhaps not its date.
        places = {each.base: self._here[each.base] for each in batch if each.base in self._here}
        written: dict[bytes, bytes] = {}
        gone = 0
        unread: list[tuple[Foreign, OSError]] = []
        try:
            for each in batch:
                if each.base in places:
                    # A power cut may have done half of a rename: then it has both names.
                    with suppress(FileNotFoundError):
                        os.unlink(self._tmp(places[each.base][PREFIX:]))
                    continue
                try:
                    content = each.read()
                except FileNotFoundError:
                    gone += 1
                except OSError as error:
                    unread.append((each, error))
                else:
                    written[each.base] = name = each.name(content)
                    self._write(name, content)
            receipt.names = [os.fsdecode(self._tmp(name)) for name in written.values()]
            self._sync.sync([receipt])
            for each in batch:
                if each.base in written:
                    name = written.pop(each.base)
                    places[each.base] = (b"cur/" if each.old else b"new/") + name
                    os.rename(self._tmp(name), self._root + b"/" + places[each.base])
        finally:
            for name in written.values():
                with suppress(OSError):
                    os.unlink(self._tmp(name))
        for each in batch:
            if each.base in places:
                # Not before it has its name: in tmp/ a file as old as this is swept away. It may be read and gone.
                with suppress(FileNotFoundError):
                    os.utime(self._root + b"/" + places[each.base], ns=(each.modified, each.modified))
        receipt.names = [os.fsdecode(self._root + b"/" + place) for place in places.values()]
        self._sync.sync([receipt])
        forget(self._path)
        self._journal.add({each.base: each.size for each in batch if each.base in places})
        return Batch(len(places), gone, unread)

    def _make(self) -> None:
        for folder in make_folders(self._path):
            fsync_path(folder)

    def _tmp(self, name: bytes) -> bytes:
        return self._root + b"/tmp/" + name.partition(b":")[0]

    def _write(self, name: bytes, content: bytes) -> None:
        path = os.fsdecode(self._tmp(name))
        with suppress(FileNotFoundError):
            # Of a run that was killed.
            os.unlink(path)
        fd = create(path)
        try:
            if content:
                write_all(fd, [content])
        finally:
            os.close(fd)

    def _refuse_full(self, octets: int) -> None:
        volume = os.statvfs(self._path)
        if volume.f_bavail * volume.f_frsize - octets < self._floor:
            raise NoRoom(f"{self._path}: less than {self._floor} octets ([store] free_floor) would stay free")


class Journal:
    """The base names of all that was brought into the mailbox *root*, and the *sizes* they had where they came from;
    ``None`` where that was not written down."""

    def __init__(self, root: bytes) -> None:
        self._path = root + b"/" + JOURNAL
        first, _, rows = read_file(self._path, MOST_OCTETS).partition(b"\n")
        self._begun = first == _FORMAT
        self.sizes = dict(_told(rows)) if self._begun else {}

    def tells(self, each: Foreign) -> bool:
        """Say whether *each* was brought."""
        return each.base in self.sizes and self.sizes[each.base] in (None, each.size)

    def add(self, sizes: Mapping[bytes, int]) -> None:
        """Remember base names with their *sizes*, durably. Raises `OSError`."""
        texts = [b"%b %d" % (quote_from_bytes(key).encode(), size) for key, size in sizes.items()]
        # A row that was cut off by a crash ends where the next one begins.
        rows = b"".join(b"\n%08x %b" % (crc32(text), text) for text in texts) + b"\n"
        how = os.O_APPEND if self._begun else os.O_TRUNC
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(rows if self._begun else _FORMAT + rows)
            file.flush()
            os.fsync(fd)
        self._begun = True
        self.sizes.update(sizes)


def _told(rows: bytes) -> Iterator[tuple[bytes, int | None]]:
    for row in rows.split(b"\n"):
        check, space, text = row.partition(b" ")
        if space and check == b"%08x" % crc32(text):
            key, _, size = text.partition(b" ")
            yield unquote_to_bytes(key), int(size) if size else None


def _renamed(each: Foreign, dated: bool = False) -> Foreign:
    """Return *each* with a base name that has its size in it, or its date, too."""
    key = b"%b-%d" % (each.base, each.size)
    return replace(each, base=b"%b-%d" % (key, each.modified) if dated else key)


def _batches(messages: Sequence[Foreign]) -> Iterator[list[Foreign]]:
    batch: list[Foreign] = []
    octets = 0
    for each in messages:
        if batch and (len(batch) == BATCH_MESSAGES or octets + each.size > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(each)
        octets += each.size
    if batch:
        yield batch
