"""Linux's ptrace(2) and seccomp(2), as far as they are needed to stop a process at some of its system calls.

The system calls that were not asked for run at full speed: a filter in the kernel lets them pass. For x86-64: how a
call is kept from happening is a matter of its registers.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# asm/unistd_64.h
NUMBERS = {
    "write": 1, "open": 2, "pwrite64": 18, "writev": 20, "sendto": 44, "sendmsg": 46, "fsync": 74, "fdatasync": 75,
    "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "link": 86, "unlink": 87, "openat": 257,
    "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265, "fallocate": 285, "pwritev": 296, "syncfs": 306,
    "renameat2": 316,
}  # fmt: skip
NAMES = {number: name for name, number in NUMBERS.items()}
SUPPORTED = platform.system() == "Linux" and platform.machine() == "x86_64"
WHY_NOT = "system calls are watched on Linux on x86-64 alone"

_TRACEME, _CONT, _POKEUSER, _SYSCALL, _SETOPTIONS, _GET_SYSCALL_INFO = 0, 7, 6, 24, 0x4200, 0x420E
# Syscall stops tell themselves from signals; new threads are watched too; nobody outlives who watches.
_OPTIONS = 0x1 | 0x8 | 0x10 | 0x80 | 0x100000
_EVENT_CLONE, _EVENT_EXEC, _EVENT_SECCOMP = 3, 4, 7
_WALL = 0x40000000
_EXITED, _SECCOMP_STOP = 2, 3
# asm/ptrace.h: where a register lies in what PTRACE_POKEUSER writes to.
_RAX, _RDX, _ORIG_RAX = 80, 96, 120
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_AUDIT_ARCH_X86_64 = 0xC000003E
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, tid: int, address: int = 0, data: int = 0) -> int:
    result = int(_libc.ptrace(request, tid, address, data))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"ptrace request {request}")
    return result


def be_watched(names: Iterable[str] = NUMBERS) -> None:
    """To be called by the process that is to be watched, while it has one thread: its parent goes on with `follow`."""
    _ptrace(_TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    _stop_at([NUMBERS[name] for name in names])


def _stop_at(numbers: list[int]) -> None:
    """Have the kernel stop this process, and all threads it will have, at these system calls."""
    lines = [(0x20, 0, 0, 4), (0x15, 0, len(numbers) + 1, _AUDIT_ARCH_X86_64), (0x20, 0, 0, 0)]
    for at, number in enumerate(numbers):
        lines.append((0x15, len(numbers) - at, 0, number))
    lines += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _TRACE)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    holder = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(program)))
    for option, first, second in ((_NO_NEW_PRIVS, 1, 0), (_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(holder))):
        if _libc.prctl(option, first, ctypes.c_void_p(second), 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "prctl")


@dataclass(slots=True)
class Stop:
    """A thread that has come to a system call, and waits for what is to become of it."""

    pid: int
    tid: int
    name: str
    arguments: tuple[int, ...]
    memory: int = field(repr=False)
    # Once it is over; a negative errno where it failed.
    result: int = 0

    def octets(self, address: int, size: int) -> bytes:
        """Return what lies in the memory of the process."""
        return os.pread(self.memory, size, address) if size else b""

    def text(self, address: int) -> str:
        """Return the path that lies there."""
        found = b""
        while b"\0" not in found:
            # Not beyond the page: the next one may not be there.
            at = address + len(found)
            found += os.pread(self.memory, 4096 - at % 4096, at)
        return os.fsdecode(found.partition(b"\0")[0])

    def shorten(self, count: int) -> None:
        """Let a write write no more than *count* octets."""
        _ptrace(_POKEUSER, self.tid, _RDX, count)

    def refuse(self) -> None:
        """Keep the call from happening; `answer` says what comes of it then."""
        _ptrace(_POKEUSER, self.tid, _ORIG_RAX, -1)

    def answer(self, number: int) -> None:
        """Let a call that is over return this errno."""
        _ptrace(_POKEUSER, self.tid, _RAX, -number)
        self.result = -number

    def kill(self) -> None:
        """End the whole process at this point (SIGKILL)."""
        os.kill(self.pid, signal.SIGKILL)


# At the beginning of a call: whether its end is of interest too. At its end: nothing that matters.
Watcher = Callable[[Stop, bool], bool]


def follow(pid: int, watch: Watcher) -> int:
    """Go with the child *pid*, which calls `be_watched`, up to its end; return its status as `waitpid` does.

    *watch* is called with each stop and whether the call is over. The calling process must have no other child.
    """
    _, status = os.waitpid(pid, _WALL)
    if not os.WIFSTOPPED(status):
        return status
    _ptrace(_SETOPTIONS, pid, 0, _OPTIONS)
    _ptrace(_CONT, pid)
    return _Follower(pid, watch).run()


class _Follower:
    def __init__(self, pid: int, watch: Watcher) -> None:
        self._pid = pid
        self._watch = watch
        self._stops: dict[int, Stop] = {}
        self._known = {pid}
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        self._status = 0

    def run(self) -> int:
        try:
            while True:
                try:
                    tid, status = os.waitpid(-1, _WALL)
                except ChildProcessError:
                    return self._status
                self._waited(tid, status)
        finally:
            os.close(self._memory)

    def _waited(self, tid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            if tid == self._pid:
                self._status = status
            return
        try:
            self._go_on(tid, status)
        except OSError as error:
            # It was killed in the meantime, and that is told next.
            if error.errno != errno.ESRCH:
                raise

    def _go_on(self, tid: int, status: int) -> None:
        number, event = os.WSTOPSIG(status), status >> 16
        if event == _EVENT_SECCOMP:
            stop = self._stopped(tid)
            wanted = self._watch(stop, False)
            if wanted:
                self._stops[tid] = stop
            _ptrace(_SYSCALL if wanted else _CONT, tid)
        elif number == signal.SIGTRAP | 0x80:
            stop = self._stops.pop(tid)
            stop.result = self._result(tid)
            self._watch(stop, True)
            _ptrace(_CONT, tid)
        elif event == _EVENT_EXEC:
            os.close(self._memory)
            self._memory = os.open(f"/proc/{self._pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
            _ptrace(_CONT, tid)
        elif event:
            _ptrace(_CONT, tid)
        elif tid not in self._known and number == signal.SIGSTOP:
            # A new thread begins so.
            self._known.add(tid)
            _ptrace(_CONT, tid)
        else:
            _ptrace(_CONT, tid, 0, number)

    def _stopped(self, tid: int) -> Stop:
        kind, values = _syscall_info(tid)
        assert kind == _SECCOMP_STOP
        number, *arguments = struct.unpack("7Q", values[:56])
        return Stop(self._pid, tid, NAMES[number], tuple(arguments), self._memory)

    def _result(self, tid: int) -> int:
        kind, values = _syscall_info(tid)
        assert kind == _EXITED
        return int(struct.unpack("q", values[:8])[0])


def _syscall_info(tid: int) -> tuple[int, bytes]:
    """Return the kind of a stop, and what ptrace_syscall_info(2) has of it."""
    buffer = ctypes.create_string_buffer(128)
    _ptrace(_GET_SYSCALL_INFO, tid, len(buffer), ctypes.addressof(buffer))
    return buffer.raw[0], buffer.raw[24:]
