"""Two ways to the disk: `syncfs` for whole file systems, or `fsync` of each file and folder."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from mailsuite.durable import fsync_path
from mailsuite.mailbox.maildir import Receipt

# Where syncfs waits for the journal's commit, which carries names too (statfs(2), f_type).
_SYNCFS_TYPES = {0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs"}
# Since this Linux syncfs reports what could not be written (syncfs(2)).
_SYNCFS_LINUX = (5, 8)
_FSYNC_THREADS = 4


class SyncFS:
    """One `syncfs` for each file system that was touched, on descriptors held open from the start.

    A descriptor reports the errors since it was opened, so *root*'s is opened here and another file system's when
    it is first met, and kept.
    """

    def __init__(self, root: str) -> None:
        self._syncfs = _syncfs()
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._volumes = {os.fstat(fd).st_dev: fd}
        self._strange = FSync()

    def sync(self, receipts: Sequence[Receipt]) -> None:
        """See `Sync.sync`."""
        strange: list[Receipt] = []
        devices: set[int] = set()
        for receipt in receipts:
            for device in receipt.devices:
                if device in self._volumes:
                    devices.add(device)
                else:
                    # Its content may have failed before there was a descriptor to be told.
                    strange.append(receipt)
                    self._meet(device, receipt)
        for device in devices:
            self._syncfs(self._volumes[device])
        if strange:
            self._strange.sync(strange)

    def close(self) -> None:
        """See `Sync.close`."""
        for fd in self._volumes.values():
            os.close(fd)
        self._volumes.clear()
        self._strange.close()

    def _meet(self, device: int, receipt: Receipt) -> None:
        """Open a descriptor for the next time on a file system seen for the first time, where syncfs is good."""
        for folder in receipt.folders:
            if device not in self._volumes and os.stat(folder).st_dev == device and syncfs_is_good(folder):
                self._volumes[device] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class FSync:
    """Every file, every folder with a new name in it; a few at a time."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def sync(self, receipts: Sequence[Receipt]) -> None:
        """See `Sync.sync`."""
        paths = {path for receipt in receipts for path in (*receipt.names, *receipt.folders)}
        if len(paths) < _FSYNC_THREADS:
            for path in paths:
                _fsync_or_follow(path)
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_FSYNC_THREADS, "fsync")
        for _ in self._threads.map(_fsync_or_follow, paths):
            pass

    def close(self) -> None:
        """See `Sync.close`."""
        if self._threads is not None:
            self._threads.shutdown()


def _fsync_or_follow(path: str) -> None:
    """Sync one file or folder; a message that a mail program has meanwhile moved to ``cur/`` is synced there.

    One that is nowhere has been read and removed, which is well.
    """
    if fsync_path(path):
        return
    new, name = os.path.split(path)
    cur = f"{os.path.dirname(new)}/cur"
    try:
        moved = [found for found in os.listdir(cur) if found == name or found.startswith(f"{name}:")]
    except FileNotFoundError:
        return
    for found in moved:
        fsync_path(f"{cur}/{found}")
        fsync_path(cur)


def choose(root: str, wanted: str) -> SyncFS | FSync:
    """Return the way to the disk for *root*: *wanted* is ``auto``, ``syncfs`` or ``fsync``."""
    return SyncFS(root) if _by_syncfs(root, wanted) else FSync()


def sync_folders(root: str, wanted: str, folders: Iterable[str]) -> None:
    """Make *folders*, just made by a command, durable where no later barrier's `syncfs` will. Raises `OSError`."""
    if not _by_syncfs(root, wanted):
        for folder in folders:
            fsync_path(folder)


def sync_volume(path: str) -> None:
    """Have all that lies on the file system of the folder *path* written, as well as it can: no promise hangs on it.

    Raises `OSError`.
    """
    if platform.system() != "Linux":
        os.sync()
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _syncfs()(fd)
    finally:
        os.close(fd)


def _by_syncfs(root: str, wanted: str) -> bool:
    return wanted == "syncfs" or (wanted == "auto" and syncfs_is_good(root))


def syncfs_is_good(path: str) -> bool:
    """Say whether `syncfs` on *path*'s file system keeps the promise of a barrier."""
    return _linux() >= _SYNCFS_LINUX and _filesystem_type(path) in _SYNCFS_TYPES


def _linux() -> tuple[int, ...]:
    if platform.system() != "Linux":
        return (0,)
    parts = platform.release().split("-")[0].split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def _filesystem_type(path: str) -> int:
    """Return statfs(2)'s f_type, the first long of its structure; Python has no call for it."""
    buffer = (ctypes.c_long * 64)()
    if _library().statfs(os.fsencode(path), ctypes.byref(buffer)) != 0:
        return 0
    return int(buffer[0])


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _syncfs() -> Callable[[int], None]:
    library = _library()

    def syncfs(fd: int) -> None:
        if library.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "syncfs")

    return syncfs
