"""What a disk may hold after a power cut: worked out from all that a server did to its files, and what it synced.

A name or an octet that a sync has covered is there. What came later may be there or not, by one of two rules:

- ``ordered``: names change in the order in which they were changed, as in the journal of ext4, xfs and btrfs, up to
  some moment between the last sync and the cut. Octets come when they come: a file may be there without any of them.
- ``loose``: each name by itself is as it was at some moment since its folder was last synced, so that a rename may
  have happened by half, or have lost both names. That is what POSIX promises, and no more.

In both a file that grew may end at any page, since its size grows with what was written (ext4 with ordered data, xfs,
btrfs). What was written into a file of SQLite's may be there or not sector by sector, in any order.
"""

import hashlib
import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from tests.proof.calls import O_CREAT, O_TRUNC, SYNCS, WRITES, Call

Rule: TypeAlias = Literal["ordered", "loose"]
# How much of what was not synced is there.
Share: TypeAlias = Literal["nothing", "everything", "some"]
# Of names, also: what was made is there and nothing is gone, or the other way round.
Names: TypeAlias = Literal["nothing", "everything", "some", "made", "gone"]
_PAGE, _SECTOR = 4096, 512
# What a name leads to: the number of a file, `FOLDER`, or nothing.
FOLDER = 0
Target: TypeAlias = int | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a power cut treats what was not synced."""

    rule: Rule
    names: Names
    data: Share

    def __str__(self) -> str:
        return f"{self.rule}, of names {self.names}, of data {self.data}"


MANNERS = (
    Manner("ordered", "nothing", "nothing"),
    Manner("ordered", "everything", "nothing"),
    Manner("ordered", "everything", "everything"),
    Manner("ordered", "everything", "some"),
    Manner("ordered", "some", "some"),
    Manner("loose", "made", "nothing"),
    Manner("loose", "gone", "everything"),
    Manner("loose", "some", "everything"),
    Manner("loose", "some", "some"),
)
# Those of which least is left.
LEAST = (Manner("ordered", "nothing", "nothing"), Manner("loose", "gone", "everything"))


@dataclass(frozen=True, slots=True)
class _Change:
    """Octets that were written into a file, or a new size; at a moment."""

    ended: int
    offset: int
    data: bytes
    size: int = -1


@dataclass(slots=True)
class _File:
    start: bytes = b""
    changes: list[_Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sync:
    """What a sync that ended covers: all before it *began*, of one file, of one folder, or of everything."""

    began: int
    ended: int
    file: int | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """What is found after a cut: names with their targets, and the content of files."""

    names: dict[str, int]
    contents: dict[int, bytes]

    def digest(self) -> str:
        """Return what stands for it."""
        whole = hashlib.sha256()
        for path in sorted(self.names):
            target = self.names[path]
            content = b"" if target == FOLDER else self.contents[target]
            whole.update(f"{path}\0{target}\0{len(content)}\0".encode() + content)
        return whole.hexdigest()

    def write(self, root: Path, time: float) -> None:
        """Make it so in the empty folder *root*. What lies in folders that are not there is not there either.

        All of it is as old as if it had been changed last at *time*, in POSIX seconds.
        """
        made: dict[int, str] = {}
        for path in sorted(self.names):
            target, place = self.names[path], f"{root}/{path}"
            if not os.path.isdir(os.path.dirname(place)):
                continue
            if target == FOLDER:
                os.mkdir(place, 0o700)
            elif target in made:
                os.link(made[target], place)
            else:
                Path(place).write_bytes(self.contents[target])
                made[target] = place
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                os.utime(f"{folder}/{name}", (time, time))


class Disk:
    """The files of one life. *root* is as it is before the life begins; `replay` says what was done then."""

    def __init__(self, root: Path) -> None:
        self._names: dict[str, list[tuple[int, Target]]] = {}
        self._files: dict[int, _File] = {}
        self._by_inode: dict[int, int] = {}
        self._syncs: list[_Sync] = []
        for folder, folders, files in os.walk(root):
            for name in folders:
                self._names[_below(root, folder, name)] = [(0, FOLDER)]
            for name in files:
                path = Path(folder, name)
                self._names[_below(root, folder, name)] = [(0, self._new(path.stat().st_ino, path.read_bytes()))]

    def replay(self, calls: Iterable[Call]) -> None:
        """Note all that was done."""
        for call in sorted(calls, key=lambda call: call.ended):
            if not call.failed:
                self._note(call)

    def _note(self, call: Call) -> None:
        if call.name in SYNCS:
            self._syncs.append(self._sync(call))
        elif call.name in WRITES:
            self._change(call.file, _Change(call.ended, call.offset, call.data))
        elif call.name == "ftruncate":
            self._change(call.file, _Change(call.ended, 0, b"", call.size))
        elif call.name == "open":
            self._opened(call)
        elif call.name in ("rename", "link"):
            target = self._now(call.path)
            assert target is not None, call
            self._name(call.target, call.ended, target)
            if call.name == "rename":
                self._name(call.path, call.ended, None)
        elif call.name in ("unlink", "rmdir"):
            self._name(call.path, call.ended, None)
        elif call.name == "mkdir":
            self._name(call.path, call.ended, FOLDER)
        elif call.name != "send":
            raise AssertionError(f"nobody knows what {call.name} does to a disk")

    def _opened(self, call: Call) -> None:
        there = self._now(call.path)
        if there is None:
            assert call.flags & O_CREAT, call
            self._name(call.path, call.ended, self._new(call.file, b""))
        elif call.flags & O_TRUNC:
            self._change(call.file, _Change(call.ended, 0, b"", 0))

    def _sync(self, call: Call) -> _Sync:
        if call.name == "syncfs":
            return _Sync(call.began, call.ended)
        if not call.path or self._now(call.path) == FOLDER:
            return _Sync(call.began, call.ended, folder=call.path)
        return _Sync(call.began, call.ended, file=self._by_inode[call.file])

    def _new(self, inode: int, content: bytes) -> int:
        number = len(self._files) + 1
        self._files[number] = _File(content)
        self._by_inode[inode] = number
        return number

    def _change(self, inode: int, change: _Change) -> None:
        self._files[self._by_inode[inode]].changes.append(change)

    def _name(self, path: str, at: int, target: Target) -> None:
        self._names.setdefault(path, [(0, None)]).append((at, target))

    def _now(self, path: str) -> Target:
        return self._names.get(path, [(0, None)])[-1][1]

    # Cuts

    def cut(self, at: int, manner: Manner, dice: random.Random) -> Image:
        """Return what a power cut at the moment *at* may leave behind."""
        syncs = [sync for sync in self._syncs if sync.ended <= at]
        names = (self._ordered if manner.rule == "ordered" else self._loose)(at, manner.names, syncs, dice)
        contents = {
            number: self._content(number, path, at, manner.data, syncs, dice)
            for path, number in names.items()
            if number != FOLDER
        }
        return Image(names, contents)

    def _ordered(self, at: int, names: Names, syncs: Sequence[_Sync], dice: random.Random) -> dict[str, int]:
        least = max((self._reach(sync) for sync in syncs), default=0)
        moment = {"nothing": least, "everything": at}.get(names, dice.randint(least, at))
        found = {path: _version(versions, moment) for path, versions in self._names.items()}
        return {path: target for path, target in found.items() if target is not None}

    def _reach(self, sync: _Sync) -> int:
        """Return the last moment of which every name is kept by *sync*, if names are kept in order."""
        if sync.file is None and sync.folder is None:
            return sync.began
        return max(
            (
                moment
                for path, versions in self._names.items()
                for moment, target in versions
                if moment < sync.began
                and (target == sync.file if sync.folder is None else os.path.dirname(path) == sync.folder)
            ),
            default=0,
        )

    def _loose(self, at: int, names: Names, syncs: Sequence[_Sync], dice: random.Random) -> dict[str, int]:
        found: dict[str, int] = {}
        for path, versions in self._names.items():
            kept = max((sync.began for sync in syncs if _covers_name(sync, path)), default=0)
            sure = [target for moment, target in versions if moment < kept or moment == 0][-1]
            open_ = [target for moment, target in versions if kept <= moment <= at and moment]
            target = _pick([sure, *open_], names, dice)
            if target is not None:
                found[path] = target
        return found

    def _content(
        self, number: int, path: str, at: int, share: Share, syncs: Sequence[_Sync], dice: random.Random
    ) -> bytes:
        file = self._files[number]
        kept = max((sync.began for sync in syncs if sync.folder is None and sync.file in (None, number)), default=0)
        content = bytearray(file.start)
        doubtful: list[_Change] = []
        for change in file.changes:
            if change.ended < kept:
                _apply(content, change)
            elif change.ended <= at:
                doubtful.append(change)
        if share == "some":
            pieces = _sectors(doubtful, dice) if "sqlite" in path else _beginning(doubtful, dice)
            doubtful = list(pieces)
        if share != "nothing":
            for change in doubtful:
                _apply(content, change)
        return bytes(content)


def _below(root: Path, folder: str, name: str) -> str:
    return os.path.relpath(f"{folder}/{name}", root)


def _version(versions: Sequence[tuple[int, Target]], moment: int) -> Target:
    return [target for at, target in versions if at <= moment][-1]


def _covers_name(sync: _Sync, path: str) -> bool:
    return (sync.file is None and sync.folder is None) or sync.folder == os.path.dirname(path)


def _pick(versions: Sequence[Target], names: Names, dice: random.Random) -> Target:
    """Return one of *versions*, the first of which is durable."""
    made = [target for target in versions if target is not None]
    match names:
        case "nothing":
            return versions[0]
        case "everything":
            return versions[-1]
        case "made":
            return made[-1] if made else None
        case "gone":
            return None if None in versions else versions[0]
        case "some":
            return dice.choice(versions)


def _apply(content: bytearray, change: _Change) -> None:
    if change.size >= 0:
        content[change.size :] = b"\0" * max(0, change.size - len(content))
        return
    content.extend(b"\0" * (change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data


def _beginning(changes: Sequence[_Change], dice: random.Random) -> Iterable[_Change]:
    """Yield what comes first of *changes*, up to the end of a page."""
    count = dice.randint(0, len(changes))
    yield from changes[:count]
    if count < len(changes) and changes[count].size < 0:
        last = changes[count]
        pages = dice.randint(0, (last.offset + len(last.data)) // _PAGE) * _PAGE
        if pages > last.offset:
            yield _Change(last.ended, last.offset, last.data[: pages - last.offset])


def _sectors(changes: Sequence[_Change], dice: random.Random) -> Iterable[_Change]:
    """Yield any sectors of *changes*."""
    likely = dice.random()
    for change in changes:
        if change.size >= 0:
            if dice.random() < likely:
                yield change
            continue
        whole = dice.random()
        for at in range(0, len(change.data), _SECTOR):
            # Most of the time all of a write is there or none of it.
            if (whole if dice.random() < 0.8 else dice.random()) < likely:
                yield _Change(change.ended, change.offset + at, change.data[at : at + _SECTOR])
