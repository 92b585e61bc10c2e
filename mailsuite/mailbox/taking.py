"""Takes a snapshot of a Maildir: which messages there are, in which order, of what size, under which unique id.

No file of ours is opened or looked at: the names say all. It blocks, so it is done in a thread, and in pieces, so that
the reactor has its turn in between. Nothing is moved from ``new/`` to ``cur/``.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from mailsuite.mailbox.content import wire_size
from mailsuite.mailbox.imported_ids import ImportedIds
from mailsuite.mailbox.kept_ids import FileKey, KeptIds
from mailsuite.mailbox.listing import Listing, Messages, place
from mailsuite.mailbox.measured import Measured
from mailsuite.mailbox.names import base, order, our_size, sizes
from mailsuite.mailbox.ordering import PIECE, in_order
from mailsuite.mailbox.scan import PREFIX, TRIES, settled_scan

# Names of ours, joined by slashes: folder, base name, the rest, the size in it. No octet of the base name sorts before
# the comma behind it, so whole names sort as their base names do.
_OURS = re.compile(
    rb"(n|c)(?:ew|ur)/([1-9]\d{9}\.M\d{6}P[0-9A-Za-z]*Q[0-9a-f]+)(,S=(\d{1,15}),W=\4(?::[^/]*)?)/"
)
_IS_OURS = re.compile(rb"(?:new|cur)/[1-9]\d{9}\.M\d{6}P[0-9A-Za-z]*Q[0-9a-f]+,S=(\d{1,15}),W=\1(?::[^/]*)?/")


def take_listing(path: str) -> tuple[Listing, tuple[int, ...]]:
    """List the mailbox at *path*; one whose folders were never made is empty. Blocks. Raises `OSError`.

    The folders' times go with it (`folder_times`); there are none where the mailbox never rested.
    """
    root = os.fsencode(path)
    for _ in range(TRIES):
        names, times = settled_scan(root)
        listing, gone = _list(root, names)
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

    def is_special(self, base: bytes) -> bool:
        """Say whether there is more to an id than the base name."""
        return base in self.kept or base in self.imported

    def save(self) -> None:
        """Keep what was learned."""
        self.kept.save()
        self.measured.save()


def _list(root: bytes, names: list[bytes]) -> tuple[Listing, bool]:
    """Return the listing of *names*, and whether some had vanished before they could be measured."""
    known = _Known(root)
    messages = Messages()
    gone = False
    for piece in _pieces(names):
        if not _add_ours(messages, piece, known):
            gone = _add_any(messages, piece, known) or gone
    known.save()
    messages.settle()
    return Listing(messages), gone


def _pieces(names: list[bytes]) -> Iterator[list[bytes]]:
    """Yield *names* in their order; names with the same base are in one piece."""
    held: list[bytes] = []
    for piece in in_order(names, _key(names)):
        piece[:0] = held
        last = _base(piece[-1])
        cut = len(piece) - 1
        while cut and _base(piece[cut - 1]) == last:
            cut -= 1
        held = piece[cut:]
        if cut:
            yield piece[:cut]
    if held:
        yield held


def _key(names: list[bytes]) -> Callable[[bytes], bytes]:
    """Return what to sort *names* by: names of ours alone need no look into each."""
    for start in range(0, len(names), PIECE):
        some = names[start : start + PIECE]
        if len(_IS_OURS.findall(_joined(some))) < len(some):
            return _sort_key
    return _name


def _add_ours(messages: Messages, names: Sequence[bytes], known: _Known) -> bool:
    """Add *names* if all are ours and none needs more than its name; otherwise return ``False``."""
    found = _OURS.findall(_joined(names))
    if len(found) < len(names):
        return False
    folders, bases, rests, octets = zip(*found, strict=True)
    if len(set(bases)) < len(bases) or any(map(known.is_special, bases)):
        return False
    messages.extend(list(map(bytes.__add__, folders, rests)), bases, list(map(int, octets)))
    return True


def _add_any(messages: Messages, names: Sequence[bytes], known: _Known) -> bool:
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
        places.append(place(name, unique_id))
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
            status = os.lstat(root + b"/" + name)
        except FileNotFoundError:
            continue
        yield FileKey(status.st_ino, max(status.st_mtime_ns, 0)), name


def _size(name: bytes, known: _Known) -> int | None:
    """Return what *name* has on the wire; ``None`` where it is gone."""
    ours = our_size(name[PREFIX:])
    if ours is not None:
        return ours
    said = sizes(name[PREFIX:])
    path = known.root + b"/" + name
    try:
        status = os.lstat(path)
        octets = known.measured.find(_base(name), status)
        if octets is None:
            octets = wire_size(path, said.disk, said.wire)
            known.measured.add(_base(name), status, octets)
        return octets
    except FileNotFoundError:
        return None
    except OSError:
        # It is listed, so that numbers and ids are true, and refused when it is asked for.
        return said.wire or said.disk or 0


def _joined(names: Sequence[bytes]) -> bytes:
    return b"/".join(names) + b"/"


def _name(name: bytes) -> bytes:
    return name[PREFIX:]


def _base(name: bytes) -> bytes:
    return base(name[PREFIX:])


def _sort_key(name: bytes) -> bytes:
    return order(base(name[PREFIX:]))
