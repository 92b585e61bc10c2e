"""What a process leaves to one that it starts: bound sockets, the site's lock, keys that only root could read.

It lies in memory of the kernel's, in a file that has no name, whose descriptor the environment tells.
"""

import os
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TypeAlias

import msgspec

from mailsuite.config import Settings

VARIABLE = "MAILSUITE_INHERITED"


class Socket(msgspec.Struct, frozen=True):
    """A listening socket: the descriptor *fd* of the *endpoint* (as it is written) of the listener *name*."""

    name: str
    endpoint: str
    fd: int


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody inherits; *certificates* is `CertificateWatch.told`, *lock* a descriptor (`RunMark.lock`)."""

    sockets: Sequence[Socket]
    certificates: Mapping[str, Sequence[bytes]]
    lock: int

    @property
    def shared(self) -> list[int]:
        """The descriptors of the sockets."""
        return [each.fd for each in self.sockets]


class ToWorker(Common, frozen=True, kw_only=True, tag="worker"):
    """What the worker *number* has of the process *parent*, with which it talks on *channel*."""

    number: int
    parent: int
    channel: int
    # Not from the file, which may have been changed since the parent has read it.
    settings: Settings

    @property
    def descriptors(self) -> list[int]:
        """All descriptors in it."""
        return [self.channel, self.lock, *self.shared]


class ToParent(Common, frozen=True, kw_only=True, tag="parent"):
    """What a parent leaves to the program that takes its place: also its *workers* and those *going*, number by pid.

    *folders* are those of the state and of the mail that *lock* is for, *log* the two ends of what workers log into,
    *pidfile* is what twistd has written at first, *configuration* what is to be taken up: the text of the file. With
    *rehearsal* it is only to see whether it could take the place, and no lock is left.
    """

    folders: tuple[str, str]
    log: tuple[int, int]
    workers: Mapping[int, int]
    going: Mapping[int, int]
    pidfile: str
    configuration: str
    rehearsal: bool = False

    @property
    def descriptors(self) -> list[int]:
        """All descriptors in it."""
        return [*self.log, *self.shared] if self.rehearsal else [self.lock, *self.log, *self.shared]


Inheritance: TypeAlias = ToWorker | ToParent


def leave(inheritance: Inheritance, environment: MutableMapping[str, str]) -> int:
    """Put *inheritance* where `take` finds it by *environment*; return the descriptor of what has to stay open.

    A program that is executed in our place inherits that and all descriptors in it.
    """
    fd = _unnamed()
    _write(fd, msgspec.msgpack.encode(inheritance))
    os.lseek(fd, 0, os.SEEK_SET)
    for each in (fd, *inheritance.descriptors):
        os.set_inheritable(each, True)
    environment[VARIABLE] = str(fd)
    return fd


def take(environment: MutableMapping[str, str]) -> Inheritance | None:
    """Return what this process inherits, once; ``None`` where it was not started by one of ours."""
    fd = environment.pop(VARIABLE, None)
    if fd is None:
        return None
    with os.fdopen(int(fd), "rb") as file:
        inheritance: Inheritance = msgspec.msgpack.decode(file.read(), type=Inheritance)
    for each in inheritance.descriptors:
        os.set_inheritable(each, False)
    return inheritance


def _write(fd: int, octets: bytes) -> None:
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(octets)


def _unnamed() -> int:
    """Return a file in memory, where this system has such, or else one that no folder shows."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mailsuite")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
