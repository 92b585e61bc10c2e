"""Takes a snapshot of a Maildir: which messages there are, in which order, of what size, under which unique id.

No file of ours is opened or looked at: the names say all. It blocks, so it is done in a thread, and in pieces, so that
the reactor has its turn in between. Nothing is moved from ``new/`` to ``cur/``.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import eq

from mailsuite.mailbox.content import wire_size
from mailsuite.mailbox.imported_ids import ImportedIds
from mailsuite.mailbox.kept_ids import FileKey, KeptIds
from mailsuite.mailbox.listing import Listing, Messages, place
from mailsuite.mailbox.measured import Measured
from mailsuite.mailbox.names import OPEN, base, order, sizes
from mailsuite.mailbox.ordering import in_order
from mailsuite.mailbox.scan import TRIES, settled_scan

# Names have the letter of their folder at their end here, so that they can be sorted as they are.
_FOLDERS = {b"n": b"new/", b"c": b"cur/"}
# Such a name of ours, and a slash: base name, place, the size in that. No octet of a base name sorts before the comma
# behind it, so whole names sort as base names do.
_OURS = re.compile(rb"([1-9]\d{9}\.M\d{6}P[0-9A-Za-z]*Q[0-9a-f]+o?)(,S=(\d{1,15}),W=\3(?::[^/]*)?[nc])/")
_OPEN = OPEN.encode() + b","


def take_listing(path: str) -> tuple[Listing, tuple[int, ...]]:
    """List the mailbox at *path*; one whose folders were never made is empty. Blocks. Raises `OSError`.

    The folders' times go with it (`folder_times`); there are none where the mailbox never rested.
    """
    root = os.fsencode(path)
    for _ in range(TRIES):
        found, times = settled_scan(root)
        listing, gone = _list(root, found)
        if not gone:
            return listing, times
    return listing, ()


class _Known:
    """What is kept of the mailbox *root* beside its messages: ids, and sizes of foreign files."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.kept = KeptIds(root)
        self.imported = ImportedIds(root)
        self.measured = Measured(root)

        # Base names of which some are not the ids of their messages.
        self.special = self.kept.bases | self.imported.bases

    def save(self) -> None:
        """Keep what was learned."""
        self.kept.save()
        self.measured.save()


def _list(root: bytes, found: Sequence[Sequence[bytes]]) -> tuple[Listing, bool]:
    """Return the listing of what was *found*, and whether some had vanished before they could be measured."""
    known = _Known(root)
    new, cur = found
    names = [name + b"n" for name in new] + [name + b"c" for name in cur]
    messages, gone = _ours_alone(names, known), False
    if messages is None:
        messages, gone = _any(names, known)
    known.save()
    messages.settle()
    return Listing(messages), gone


def _ours_alone(names: Sequence[bytes], known: _Known) -> Messages | None:
    """Return the messages of a mailbox where all are ours and none needs more than its name; ``None`` of any other."""
    messages = Messages()
    last = b""
    for piece in in_order(names):
        if _base(piece[0]) == last or not _add_ours(messages, piece, known):
            return None
        last = _base(piece[-1])
    return messages


def _any(names: Sequence[bytes], known: _Known) -> tuple[Messages, bool]:
    """Return the messages of any mailbox, and whether some of *names* had vanished."""
    messages = Messages()
    gone = False
    for piece in in_order(names, _sort_key):
        if not _add_ours(messages, piece, known):
            gone = _add(messages, piece, known) or gone
    return messages, gone


def _add_ours(messages: Messages, names: Sequence[bytes], known: _Known) -> bool:
    """Add *names* if all are ours and none needs more than its name; otherwise return ``False``.

    All of them are looked at by each operation: one of Python's for each name costs more than the kernel's part.
    """
    joined = b"/".join(names) + b"/"
    # What lies between names of ours, then the three parts of each, and so on: no object holds the parts of one.
    parts = _OURS.split(joined)
    if any(parts[::4]):
        return False
    bases, places, said = parts[1::4], parts[2::4], parts[3::4]
    if any(map(eq, bases, bases[1:])) or not known.special.isdisjoint(bases):
        return False
    octets = list(map(int, said))
    if _OPEN in joined:
        octets = [size + 2 if base.endswith(_OPEN[:-1]) else size for base, size in zip(bases, octets, strict=True)]
    messages.extend(places, bases, octets)
    return True


def _add(messages: Messages, names: Sequence[bytes], known: _Known) -> bool:
    """Add *names*; return whether some had vanished before they could be measured."""
    places: list[bytes] = []
    ids: list[bytes] = []
    octets: list[int] = []
    gone = False
    for name, unique_id in _identified(names, known):
        size = _size(name, known)
        if size is None:
            gone = True
            continue
        places.append(place(_path(name), unique_id))
        ids.append(unique_id)
        octets.append(size)
    messages.extend(places, ids, octets)
    return gone


def _identified(names: Sequence[bytes], known: _Known) -> Iterator[tuple[bytes, bytes]]:
    """Yield each of *names*, which are sorted, with its unique id."""
    for key, group in groupby(names, key=_base):
        same = list(group)
        unique_id = known.imported.unique_id(key)
        if len(same) == 1 and key not in known.kept:
            yield same[0], unique_id
            continue
        # A message that moved under the scan was seen twice: it is one file, and the later place is the true one.
        found = dict(_files(known.root, same))
        given = known.kept.assign(key, unique_id.decode("ascii"), list(found))
        for name, each in zip(found.values(), given, strict=True):
            yield name, each.encode("ascii")


def _files(root: bytes, names: Sequence[bytes]) -> Iterator[tuple[FileKey, bytes]]:
    for name in names:
        try:
            status = os.lstat(root + b"/" + _path(name))
        except FileNotFoundError:
            continue
        yield FileKey(status.st_ino, max(status.st_mtime_ns, 0)), name


def _size(name: bytes, known: _Known) -> int | None:
    """Return what *name* has on the wire; ``None`` where it is gone."""
    said = sizes(name[:-1])
    if said.ours:
        return said.wire
    path = known.root + b"/" + _path(name)
    key = _base(name)
    try:
        status = os.lstat(path)
        octets = known.measured.find(key, status)
        if octets is None:
            octets = wire_size(path, said.disk, said.wire)
            known.measured.add(key, status, octets)
        return octets
    except FileNotFoundError:
        return None
    except OSError:
        # It is listed, so that numbers and ids are true, and refused when it is asked for.
        return said.wire or said.disk or 0


def _path(name: bytes) -> bytes:
    return _FOLDERS[name[-1:]] + name[:-1]


def _base(name: bytes) -> bytes:
    return base(name[:-1])


def _sort_key(name: bytes) -> bytes:
    return order(base(name[:-1]))
