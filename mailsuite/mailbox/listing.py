"""A snapshot of one Maildir: names, sizes and unique ids, held packed (some 80 octets a message).

What LIST and UIDL send for a message is kept as it goes onto the wire, and the unique id and the base name are read
from there: a listing of everything is a slice. `mailsuite.mailbox.taking` makes a snapshot from a folder.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, overload

from zope.interface import implementer

from mailsuite.interfaces import IListing
from mailsuite.mailbox.names import base, order
from mailsuite.mailbox.packed import Packed
from mailsuite.mailbox.scan import PREFIX

T = TypeVar("T")
# So many messages are copied at a time, so that other threads have their turn in between.
_PIECE = 1024
# A place is the rest of the name behind the unique id and a letter; with a capital letter it is the whole name.
_FOLDERS = {b"n": b"new/", b"c": b"cur/"}


class Messages:
    """What is known of a mailbox's messages; messages are added at the end alone."""

    __slots__ = ("id_rows", "octets", "places", "size_rows", "sizes")

    def __init__(self) -> None:
        self.places = Packed(b"/")
        self.sizes = array("Q")
        self.size_rows = Packed(b"\r\n")
        self.id_rows = Packed(b"\r\n")
        self.octets = 0

    def extend(self, places: Sequence[bytes], ids: Sequence[bytes], sizes: Sequence[int]) -> None:
        """Add messages, of each its *place* (see `place`), unique id and octets on the wire."""
        first = len(self.sizes) + 1
        self.id_rows.extend([b"%d %b" % row for row in enumerate(ids, first)])
        self.size_rows.extend([b"%d %d" % row for row in enumerate(sizes, first)])
        self.places.extend(places)
        self.sizes.extend(sizes)
        self.octets += sum(sizes)

    def settle(self) -> None:
        """Give memory back that was taken for more messages to come."""
        for packed in (self.places, self.size_rows, self.id_rows):
            packed.settle()

    def memory(self) -> int:
        """Return the octets of memory that this takes."""
        packed = self.places.memory() + self.size_rows.memory() + self.id_rows.memory()
        return packed + self.sizes.__sizeof__()


def place(name: bytes, unique_id: bytes) -> bytes:
    """Return how *name*, which has its folder, is kept beside its unique id."""
    if base(name[PREFIX:]) == unique_id:
        return name[PREFIX + len(unique_id) :] + name[:1]
    return name[PREFIX:] + name[:1].upper()


def _path(kept: bytes, unique_id: bytes) -> bytes:
    """Return the name, with its folder, that `place` has made *kept* of."""
    folder = _FOLDERS.get(kept[-1:])
    if folder is None:
        return _FOLDERS[kept[-1:].lower()] + kept[:-1]
    return folder + unique_id + kept[:-1]


@implementer(IListing)
class Listing:
    """See `IListing`: the first messages of *messages*, in the order of their delivery.

    What is added to *messages* later is not part of it.
    """

    __slots__ = ("_messages", "count", "octets", "sizes")

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self.count = len(messages.sizes)
        self.octets = messages.octets
        self.sizes = Column(self.count, messages.sizes.__getitem__)

    def __len__(self) -> int:
        return self.count

    @property
    def unique_ids(self) -> "Column[str]":
        """See `IListing.unique_ids`."""
        return Column(self.count, self.unique_id)

    def path(self, index: int) -> bytes:
        """Return where message *index* lies below the mailbox's folder."""
        return _path(self._messages.places.text(index), self._id(index))

    def unique_id(self, index: int) -> str:
        """Return message *index*'s unique id."""
        return self._id(index).decode("ascii")

    def size_rows(self, start: int, stop: int) -> bytes:
        """See `IListing.size_rows`."""
        return self._messages.size_rows.run(start, stop)

    def id_rows(self, start: int, stop: int) -> bytes:
        """See `IListing.id_rows`."""
        return self._messages.id_rows.run(start, stop)

    def extended(self, name: bytes, size: int) -> "Listing | None":
        """Return this listing with one message more, which comes last; ``None`` where it would not.

        Its unique id is its base name. Listings that were made before are as they were.
        """
        messages = self._messages
        if self.count < len(messages.sizes):
            return None
        unique_id = base(name[PREFIX:])
        if self.count and order(self._base(self.count - 1)) >= order(unique_id):
            return None
        messages.extend([place(name, unique_id)], [unique_id], [size])
        return Listing(messages)

    def without(self, indexes: Iterable[int]) -> "Listing":
        """Return a listing of the other messages, numbered anew."""
        left = Messages()
        dropped = set(indexes)
        for start, ids, places in self._pieces():
            some = [each for each in range(len(ids)) if start + each not in dropped]
            sizes = [self._messages.sizes[start + each] for each in some]
            left.extend([places[each] for each in some], [ids[each] for each in some], sizes)
        left.settle()
        return Listing(left)

    def followed(self, names: Sequence[bytes]) -> "Listing":
        """Return the same messages as they lie now, in *names*: moved to ``cur/``, or with other flags.

        Returns this very object where nothing has moved. A base name that occurs twice, there or here, is not
        followed: it could lead to the wrong file.
        """
        now: dict[bytes, bytes] = {}
        twice: set[bytes] = set()
        for name in names:
            key = base(name[PREFIX:])
            if key in now:
                twice.add(key)
            now[key] = name

        def place_now(index: int, old: bytes) -> bytes:
            key = base(old[PREFIX:])
            new = now.get(key, old)
            return old if new == old or key in twice or self.is_twice(index) else new

        moved = Messages()
        changed = False
        for start, ids, places in self._pieces():
            before = list(map(_path, places, ids))
            after = list(map(place_now, range(start, start + len(ids)), before))
            changed = changed or before != after
            moved.extend(list(map(place, after, ids)), ids, self._messages.sizes[start : start + len(ids)])
        return Listing(moved) if changed else self

    def is_twice(self, index: int) -> bool:
        """Say whether another message has the same base name as message *index*; it lies beside it then."""
        key = self._base(index)
        return (index > 0 and self._base(index - 1) == key) or (
            index + 1 < self.count and self._base(index + 1) == key
        )

    def memory(self) -> int:
        """Return the octets of memory that this takes."""
        return self._messages.memory()

    def _pieces(self) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
        """Yield the unique ids and places of some messages at a time, and the index of the first of them."""
        for start in range(0, self.count, _PIECE):
            stop = min(start + _PIECE, self.count)
            rows = self._messages.id_rows.run(start, stop).split(b"\r\n")
            yield start, [row.partition(b" ")[2] for row in rows[:-1]], self._places(start, stop)

    def _places(self, start: int, stop: int) -> list[bytes]:
        return self._messages.places.run(start, stop).split(b"/")[:-1]

    def _base(self, index: int) -> bytes:
        return base(self.path(index)[PREFIX:])

    def _id(self, index: int) -> bytes:
        return self._messages.id_rows.text(index).partition(b" ")[2]


class Column(Sequence[T]):
    """One value for each of *count* messages, looked up when it is asked for."""

    __slots__ = ("_indexes", "_value")

    def __init__(self, count: int, value: Callable[[int], T]) -> None:
        self._indexes = range(count)
        self._value = value

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return list(map(self._value, self._indexes[index]))
        return self._value(self._indexes[index])
