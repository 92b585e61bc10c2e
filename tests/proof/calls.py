"""The system calls of a server that matter: what changes its files, makes that durable, or tells somebody.

What they are called here says where they happen and never with which names, so that two lives that do the same have
the same calls: ``rename mailbox tmp``, the third.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tests.proof.ptrace import Stop

O_CREAT, O_TRUNC = os.O_CREAT, os.O_TRUNC
WRITES = ("write", "pwrite64")
SYNCS = ("fsync", "fdatasync", "syncfs")
SENDS = ("sendto",)
# Where the name of a thing is made, changed or removed: at which argument its path is, with the folder before it.
_NAMED = {
    "open": ((None, 0),), "openat": ((0, 1),), "mkdir": ((None, 0),), "mkdirat": ((0, 1),), "rmdir": ((None, 0),),
    "unlink": ((None, 0),), "unlinkat": ((0, 1),), "rename": ((None, 0), (None, 1)), "link": ((None, 0), (None, 1)),
    "renameat": ((0, 1), (2, 3)), "renameat2": ((0, 1), (2, 3)), "linkat": ((0, 1), (2, 3)), "truncate": ((None, 0),),
}  # fmt: skip
_FOLDED = {
    "openat": "open", "mkdirat": "mkdir", "unlinkat": "unlink", "renameat": "rename", "renameat2": "rename",
    "linkat": "link",
}  # fmt: skip
# What is not durable by any promise, or is made anew at each start.
_UNWATCHED = re.compile(r"(mail\.log|locks(/.*)?|.*-shm)$")
_AT_FDCWD = 0xFFFFFF9C
# The mailbox that is read, in which messages are removed.
READ = "carol"
Area = Literal["intake", "mailbox", "queue", "POP3", "start and stop"]


@dataclass(slots=True)
class Call:
    """One call, from its beginning to its end on the clock that counts all beginnings and ends.

    *path* is below the site; *target* is the second one of a rename or link. *file* is the number of the inode that
    was written to, opened or synced. *data* is what was written or said, *size* what a file was cut to.
    """

    name: str
    place: str
    path: str = ""
    target: str = ""
    file: int = 0
    data: bytes = b""
    offset: int = 0
    size: int = -1
    flags: int = 0
    began: int = 0
    ended: int = 0
    failed: bool = False
    at: float = 0.0

    @property
    def label(self) -> str:
        """What it is called in all lives."""
        return f"{self.name} {self.place}"

    @property
    def area(self) -> Area:
        """What it is a part of."""
        return area(self.place)


def area(place: str) -> Area:
    """Return what calls at *place* are a part of."""
    if place.startswith(("mailbox", "mail root")):
        return "mailbox"
    if place.startswith(("queue", "next hop")):
        return "queue"
    if place.startswith(("read mailbox", "POP3")):
        return "POP3"
    return "intake" if place.startswith(("incoming", "SMTP")) else "start and stop"


def read_call(stop: Stop, root: str) -> Call | None:
    """Return the call that begins, where it matters to the site in *root*."""
    name = _FOLDED.get(stop.name, stop.name)
    if stop.name in _NAMED:
        return _named(stop, name, root)
    if stop.name in SENDS:
        # What is written to a pipe or to a log is no reply.
        data = stop.octets(stop.arguments[1], min(stop.arguments[2], 4096))
        return Call("send", listener(data), data=data)
    path = _descriptor(stop, stop.arguments[0], root)
    if path is None:
        return None
    call = Call(name, place(path), path, file=_inode(stop, stop.arguments[0]))
    match name:
        case "write":
            call.data = stop.octets(stop.arguments[1], stop.arguments[2])
            call.offset = _position(stop)
        case "pwrite64":
            call.data = stop.octets(stop.arguments[1], stop.arguments[2])
            call.offset = stop.arguments[3]
        case "ftruncate":
            call.size = stop.arguments[1]
        case "fsync" | "fdatasync" | "syncfs" | "fallocate":
            pass
        case _:
            raise AssertionError(f"{name} is not understood yet")
    return call


def finish(call: Call, stop: Stop) -> None:
    """Note what came of it."""
    call.failed = stop.result < 0
    if call.failed:
        return
    if call.name == "open":
        call.file = _inode(stop, stop.result)
    elif call.name in WRITES:
        call.data = call.data[: stop.result]


def _named(stop: Stop, name: str, root: str) -> Call | None:
    paths = [_path(stop, folder, at, root) for folder, at in _NAMED[stop.name]]
    if paths[0] is None or paths[-1] is None:
        return None
    call = Call(name, place(paths[0]), paths[0], paths[1] or "" if len(paths) > 1 else "")
    if name == "open":
        call.flags = stop.arguments[2 if stop.name == "openat" else 1]
        if not call.flags & (O_CREAT | O_TRUNC):
            return None
    elif name == "truncate":
        call.size = stop.arguments[1]
    return call


def _path(stop: Stop, folder: int | None, at: int, root: str) -> str | None:
    path = stop.text(stop.arguments[at])
    if not path.startswith("/"):
        here = None if folder is None else stop.arguments[folder] & 0xFFFFFFFF
        base = f"/proc/{stop.pid}/cwd" if here in (None, _AT_FDCWD) else f"/proc/{stop.pid}/fd/{here}"
        path = f"{os.readlink(base)}/{path}"
    return _below(path, root)


def _descriptor(stop: Stop, fd: int, root: str) -> str | None:
    try:
        return _below(os.readlink(f"/proc/{stop.pid}/fd/{fd}"), root)
    except OSError:
        return None


def _below(path: str, root: str) -> str | None:
    if path == root:
        return ""
    if not path.startswith(f"{root}/"):
        return None
    below = path[len(root) + 1 :]
    return None if _UNWATCHED.match(below) else below


def _inode(stop: Stop, fd: int) -> int:
    return os.stat(f"/proc/{stop.pid}/fd/{fd}").st_ino


def _position(stop: Stop) -> int:
    with open(f"/proc/{stop.pid}/fdinfo/{stop.arguments[0]}", "rb") as info:
        position, flags = (row.split()[1] for row in (info.readline(), info.readline()))
    if int(flags, 8) & os.O_APPEND:
        return os.stat(f"/proc/{stop.pid}/fd/{stop.arguments[0]}").st_size
    return int(position)


_PLACES = (
    (re.compile(r"mail/\.incoming"), "incoming"),
    (re.compile(r"mail/[^/]+/[^/]+/(maildirsize|mailsuite-quota-)"), "mailbox sum"),
    (re.compile(r"mail/[^/]+/(?:[^/]+/)+mailsuite-"), "mailbox list"),
    (re.compile(rf"mail/[^/]+/{READ}"), "read mailbox"),
    (re.compile(r"mail/[^/]+/[^/]+/(\.[^/]+/)?tmp"), "mailbox tmp"),
    (re.compile(r"mail/[^/]+/[^/]+/(\.[^/]+/)?(new|cur)"), "mailbox new"),
    (re.compile(r"mail/[^/]+/"), "mailbox folder"),
    (re.compile(r"mail"), "mail root"),
    (re.compile(r"queue/content"), "queue content"),
    (re.compile(r"queue/queue\.sqlite-wal"), "queue log"),
    (re.compile(r"queue/queue\.sqlite"), "queue file"),
    (re.compile(r"queue"), "queue folder"),
    (re.compile(r"running"), "run mark"),
    (re.compile(r"accounts"), "accounts"),
)


def place(path: str) -> str:
    """Return what kind of place *path* of a site is."""
    return next((name for pattern, name in _PLACES if pattern.match(path)), "site's folder")


_REPLY = re.compile(rb"(\d{3})[ -]")


def listener(data: bytes) -> str:
    """Return who is told *data*, and of what kind that is."""
    reply = _REPLY.match(data)
    if reply is not None:
        return f"SMTP {reply[1].decode()}"
    if data.startswith((b"+OK", b"-ERR")):
        return f"POP3 {data.split()[0].decode()}"
    verb = data.split(b" ")[0].strip()
    return f"next hop {verb.decode()}" if verb in (b"EHLO", b"MAIL", b"DATA", b"RCPT", b"QUIT") else "next hop content"


_PROMISE = re.compile(rb"^250 [^\r\n]*\[([^]]+)\]\r\n|^\+OK Goodbye", re.MULTILINE)


def is_promise(call: Call) -> bool:
    """Say whether *call* tells a peer that a message is kept, or that messages are gone."""
    return call.name == "send" and bool(_PROMISE.search(call.data))


def promised(calls: Iterable[Call]) -> set[str]:
    """Return our ids of the messages that *calls* promise to keep."""
    sent = b"".join(call.data for call in calls if call.name == "send" and call.place == "SMTP 250")
    return {identity.decode() for identity in _PROMISE.findall(sent) if identity}


def numbered(calls: list[Call]) -> Iterator[tuple[str, int, Call]]:
    """Yield each call with its label and which one of them it is, from 1."""
    counts: dict[str, int] = {}
    for call in calls:
        number = counts[call.label] = counts.get(call.label, 0) + 1
        yield call.label, number, call
