"""Mailboxes elsewhere, a Maildir or an mbox, as messages that can be brought here (`mailsuite.mailbox.bringing`)."""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from mailsuite.mailbox.compressed import MESSAGE_OCTETS, plain
from mailsuite.mailbox.imported_ids import FILE_NAME as OUR_LIST
from mailsuite.mailbox.imported_ids import ImportedIds
from mailsuite.mailbox.layout import FOLDERS, folders_of
from mailsuite.mailbox.mbox import letter, places
from mailsuite.mailbox.names import base, hashed, sized
from mailsuite.mailbox.scan import PREFIX, scan
from mailsuite.mailbox.uidl_sources import BadSource, courier, dovecot, header_id

DOVECOT_LIST = b"dovecot-uidlist"
COURIER_LIST = b"courierpop3dsizelist"
# The letters that mean the same everywhere: passed, replied, seen, trashed, draft, flagged.
_FLAGS = b"DFPRST"
# Of each message so much is searched for its header.
_HEADER_OCTETS = 65_536
# With a base name of at most so many octets, sizes and flags have room in a name of 255; of a longer one the beginning
# is kept.
_BASE_OCTETS = 180
_BEGINNING_OCTETS = 100
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Foreign:
    """A message elsewhere: the *base* name that it is to have, and the *fields* that it has in its name there.

    *flags* are letters of Maildir; one that is not *old* goes into ``new/``. *modified*: when it came, in
    nanoseconds. *read* returns its octets; it raises `OSError`.
    """

    base: bytes
    fields: bytes
    size: int
    flags: bytes
    old: bool
    modified: int
    unique_id: bytes | None
    read: Callable[[], bytes]

    def name(self, content: bytes) -> bytes:
        """Return the name of the file with *content*, which is what `read` has returned: with its true sizes."""
        named = sized(self.base + self.fields, content)
        return b"%b:2,%b" % (named, self.flags) if self.old else named


@dataclass(frozen=True, slots=True)
class _File:
    """Reads the file *name*, with its folder before it, of the Maildir *root*."""

    root: bytes
    name: bytes

    def __call__(self) -> bytes:
        """Return the octets of the message."""
        fd = os.open(self.root + b"/" + self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return plain(file.read())


@dataclass(frozen=True, slots=True)
class _Place:
    """Reads *length* octets at *start* of the mbox *path*."""

    path: bytes
    start: int
    length: int

    def __call__(self) -> bytes:
        """Return the octets of the message."""
        with open(self.path, "rb") as file:
            file.seek(self.start)
            found = letter(file.read(self.length))
        assert found is not None
        return found.content


def maildir_messages(root: bytes, form: str, header: bool = False) -> Iterator[Foreign]:
    """Yield the messages of the Maildir *root*, without those of its folders; *form* is a ``pop3_uidl_format``.

    With *header* a message that is in no list of unique ids has the one that its header tells (``X-UIDL``).

    Raises `BadSource` for a list of unique ids that cannot be followed, `OSError`.
    """
    ids = _listed_ids(root, form)
    # Of a million messages there are no million copies of a few.
    known_flags: dict[bytes, bytes] = {}
    for name in sorted(scan(root), key=lambda each: each[PREFIX:]):
        path = root + b"/" + name
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            # It was moved at this moment: another run brings it.
            continue
        key = base(name[PREFIX:])
        fields = name[PREFIX + len(key) :].partition(b":")[0]
        info = name.partition(b":2,")[2]
        unique_id = ids.get(key) or (_header_id(path) if header else None)
        flags = known_flags.get(info)
        if flags is None:
            flags = known_flags[info] = bytes(sorted(each for each in set(info) if each in _FLAGS))
        old = not name.startswith(b"new/") or bool(flags)
        yield Foreign(
            _short(key), fields, status.st_size, flags, old, status.st_mtime_ns, unique_id, _File(root, name)
        )  # fmt: skip


def folders_there(root: str) -> dict[str, str]:
    """Return the Maildir++ folders of the Maildir *root*, by their paths, with their names (``.Sent``).

    Raises `OSError`.
    """
    return {path: os.path.basename(path) for path in folders_of(root) if os.path.isdir(f"{path}/cur")}


def nested_folders(root: str) -> dict[str, str]:
    """Return the Maildirs that lie in the Maildir *root* and in each other, as by Dovecot's ``LAYOUT=fs``, by their
    paths, and what each is called in a Maildir++ (``.Work.Done``). Raises `OSError`."""
    return dict(_nested(root, ""))


def _nested(folder: str, place: str) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        inner = sorted((each for each in entries if each.is_dir(follow_symlinks=False)), key=lambda each: each.name)
    for each in inner:
        if each.name in FOLDERS or each.name.startswith("."):
            continue
        # A dot parts names here, and is a letter like any other there.
        name = f"{place}.{each.name.replace('.', '_')}"
        if os.path.isdir(f"{each.path}/cur"):
            yield each.path, name
        with suppress(PermissionError):
            yield from _nested(each.path, name)


def mbox_messages(path: bytes) -> Iterator[Foreign]:
    """Yield the messages of the mbox *path*, each with a name that is always the same for the same message.

    Raises `BadSource` where it is no mbox, or a message in it has more than `MESSAGE_OCTETS`; `OSError`.
    """
    seen = Counter[bytes]()
    with open(path, "rb") as index, open(path, "rb") as file:
        for place in places(index):
            if place.length > MESSAGE_OCTETS:
                raise BadSource(f"the message at octet {place.start} has more than {MESSAGE_OCTETS} octets")
            file.seek(place.start)
            found = letter(file.read(place.length))
            if found is None:
                continue
            digest = hashlib.sha256(found.content).hexdigest()
            key = b"%d.M%06dPi%b" % (place.seconds, int(digest[-8:], 16) % 1_000_000, digest[:15].encode())
            seen[key] += 1
            yield Foreign(
                b"%bQ%x" % (key, seen[key]), b"", len(found.content), found.flags, found.old, place.seconds * _SECOND,
                found.unique_id, _Place(path, place.start, place.length),
            )  # fmt: skip


def _listed_ids(root: bytes, form: str) -> Mapping[bytes, bytes]:
    """Return the unique ids that lists in the Maildir tell, by base name: what we have kept before what others did."""
    found: dict[bytes, bytes] = {}
    for name, read in ((COURIER_LIST, courier), (DOVECOT_LIST, lambda lines: dovecot(lines, form))):
        try:
            with open(root + b"/" + name, "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise BadSource("it is no regular file")
                found.update((base(key), unique_id) for key, unique_id in read(iter(file)))
        except FileNotFoundError:
            continue
        except BadSource as error:
            raise BadSource(f"{os.fsdecode(root + b'/' + name)}: {error}") from error
    if os.path.exists(root + b"/" + OUR_LIST):
        found.update(ImportedIds(root).ids)
    return found


def _header_id(path: bytes) -> bytes | None:
    """Return the id in the header of the message; none where it cannot be read, which is told when it is brought."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            return header_id(plain(file.read(_HEADER_OCTETS), whole=False))
    except OSError:
        return None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _short(key: bytes) -> bytes:
    """Return the base name that a message gets whose name was *key*."""
    if len(key) <= _BASE_OCTETS:
        return key
    return key[:_BEGINNING_OCTETS] + b"-" + hashed(key).encode()
