"""A snapshot of one Maildir: names, sizes and unique ids, held packed (some 80 octets a message).

Taking it opens no file of ours: the names say all. It blocks, so it is taken in a thread. Nothing is moved from
``new/`` to ``cur/``.
"""

import os
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import overload

from mailsuite.mailbox.content import wire_size
from mailsuite.mailbox.kept_ids import FileKey, KeptIds, plain_id
from mailsuite.mailbox.names import base, is_fit, order, our_size, sizes
from mailsuite.mailbox.scan import PREFIX, TRIES, settled_scan


class Listing:
    """Messages in the order of their delivery; an index never changes its meaning."""

    __slots__ = ("_ends", "_ids", "_names", "sizes")

    def __init__(self, names: Sequence[bytes], sizes: "array[int]", ids: dict[int, str]) -> None:
        self.sizes = sizes
        # Only where the id is not the base name.
        self._ids = ids
        self._names = b"".join(names)
        self._ends = array("Q", _ends(names))

    def __len__(self) -> int:
        return len(self.sizes)

    def path(self, index: int) -> bytes:
        """Return where message *index* lies below the mailbox's folder."""
        return self._names[self._ends[index - 1] if index else 0 : self._ends[index]]

    def unique_id(self, index: int) -> str:
        """Return message *index*'s unique id."""
        special = self._ids.get(index) if self._ids else None
        return base(self.path(index)[PREFIX:]).decode("ascii") if special is None else special

    def followed(self, names: Sequence[bytes]) -> "Listing":
        """Return the same messages as they lie now, in *names*: moved to ``cur/``, or with other flags.

        Returns this very object where nothing has moved. A base name that occurs twice is not followed.
        """
        now: dict[bytes, bytes] = {}
        twice: set[bytes] = set()
        for name in names:
            key = base(name[PREFIX:])
            if key in now:
                twice.add(key)
            now[key] = name
        before = [self.path(index) for index in range(len(self))]
        after = [old if (key := base(old[PREFIX:])) in twice else now.get(key, old) for old in before]
        return self if before == after else Listing(after, self.sizes, self._ids)


class UniqueIds(Sequence[str]):
    """The unique ids of a listing, made when they are asked for."""

    __slots__ = ("_listing",)

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def __len__(self) -> int:
        return len(self._listing)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._listing.unique_id(each) for each in range(*index.indices(len(self)))]
        return self._listing.unique_id(range(len(self))[index])


def take_listing(path: str) -> Listing:
    """List the mailbox at *path*; one whose folders were never made is empty. Blocks. Raises `OSError`."""
    root = os.fsencode(path)
    for _ in range(TRIES):
        listing, gone = _list(root, settled_scan(root))
        if not gone:
            break
    return listing


def _list(root: bytes, names: list[bytes]) -> tuple[Listing, bool]:
    """Return the listing of *names*, and whether some had vanished before they could be measured."""
    names.sort(key=_sort_key)
    kept = KeptIds(root)
    listed: list[bytes] = []
    octets = array("Q")
    ids: dict[int, str] = {}
    gone = False
    for name, unique_id in _identified(root, names, kept):
        size = _size(root, name)
        if size is None:
            gone = True
            continue
        if unique_id is not None:
            ids[len(listed)] = unique_id
        listed.append(name)
        octets.append(size)
    kept.save()
    return Listing(listed, octets, ids), gone


def _identified(root: bytes, names: list[bytes], kept: KeptIds) -> Iterator[tuple[bytes, str | None]]:
    """Yield each of *names*, which are sorted, with its unique id where that is not the base name."""
    for key, group in groupby(names, key=_base):
        same = list(group)
        if len(same) == 1 and key not in kept:
            yield same[0], None if is_fit(key) else plain_id(key)
            continue
        # A message that moved under the scan was seen twice: it is one file, and the later place is the true one.
        found = dict(_files(root, same))
        yield from zip(found.values(), kept.assign(key, list(found)), strict=True)


def _files(root: bytes, names: Sequence[bytes]) -> Iterator[tuple[FileKey, bytes]]:
    for name in names:
        try:
            status = os.lstat(root + b"/" + name)
        except FileNotFoundError:
            continue
        yield FileKey(status.st_ino, max(status.st_mtime_ns, 0)), name


def _size(root: bytes, name: bytes) -> int | None:
    """Return what *name* has on the wire; ``None`` where it is gone."""
    ours = our_size(name[PREFIX:])
    if ours is not None:
        return ours
    said = sizes(name[PREFIX:])
    try:
        return wire_size(root + b"/" + name, said.disk, said.wire)
    except FileNotFoundError:
        return None
    except OSError:
        # It is listed, so that numbers and ids are true, and refused when it is asked for.
        return said.wire or said.disk or 0


def _ends(names: Sequence[bytes]) -> Iterator[int]:
    end = 0
    for name in names:
        end += len(name)
        yield end


def _base(name: bytes) -> bytes:
    return base(name[PREFIX:])


def _sort_key(name: bytes) -> bytes:
    return order(base(name[PREFIX:]))
