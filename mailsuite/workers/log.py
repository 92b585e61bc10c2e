"""What workers have to say goes into the log of their parent: by a socket that is their standard error.

Each message is one line of JSON. What comes in any other form (from the interpreter itself, say) is logged as it is.
What Twisted tells of each start and stop is not passed on: the parent tells of these.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, eventAsText
from twisted.python.failure import Failure
from zope.interface import implementer, provider

# What is longer is cut: a message has to fit into the socket's buffer.
TEXT_CHARACTERS = 30_000
_MESSAGE_OCTETS = 262_144
# So many messages are read before others have their turn.
_AT_ONCE = 50


def observer() -> ILogObserver:
    """Return what tells the parent of log events; for ``twistd --logger``."""
    # A copy: not even a failure to log may close standard error.
    parent = socket.socket(fileno=os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2))

    process = os.getpid()

    @provider(ILogObserver)
    def tell(event: LogEvent) -> None:
        level: Any = event.get("log_level", LogLevel.info)
        namespace = event.get("log_namespace", "")
        if level < LogLevel.warn and not namespace.startswith("mailsuite."):
            return
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        told = [level.name, namespace, f"process {process}: {text[:TEXT_CHARACTERS]}"]
        try:
            # The worker does not wait for its parent: rather this line is lost.
            parent.send(json.dumps(told).encode() + b"\n", socket.MSG_DONTWAIT)
        except OSError:
            return

    return cast(ILogObserver, tell)


def complaints() -> ILogObserver:
    """Return what says on standard error what is wrong, and nothing else; for ``twistd --logger``.

    (twistd puts its log in the place of standard error, and what ends a program is said there.)
    """
    standard_error = os.dup(2)

    @provider(ILogObserver)
    def tell(event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            text = eventAsText(event, includeTimestamp=False, includeSystem=False)
            os.write(standard_error, f"{text}\n".encode("utf-8", "backslashreplace"))

    return cast(ILogObserver, tell)


def pair() -> tuple[int, int]:
    """Return two new descriptors: what the parent reads, and what its workers have for standard error."""
    read, written = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return read.detach(), written.detach()


@implementer(IReadDescriptor)
class WorkersLog:
    """Reads what workers say on *fd* and gives it to *emit*: a level, a namespace and a text."""

    def __init__(self, fd: int, emit: Callable[[Any, str, str], None]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._emit = emit

    def fileno(self) -> int:
        """See `IReadDescriptor`."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """See `ILoggingContext`."""
        return "workers"

    def doRead(self) -> None:
        """See `IReadDescriptor`."""
        for _ in range(_AT_ONCE):
            try:
                message = self._socket.recv(_MESSAGE_OCTETS, socket.MSG_DONTWAIT)
            except OSError:
                return
            if not message:
                return
            for line in message.decode("utf-8", "backslashreplace").splitlines():
                self._emit(*_parsed(line))

    def connectionLost(self, reason: Failure) -> None:
        """See `IReadDescriptor`."""

    def close(self) -> None:
        """Read no more."""
        self._socket.close()


def relay(level: Any, namespace: str, text: str) -> None:
    """Log as our own what a worker has said."""
    Logger(namespace or "mailsuite.workers").emit(level, "{text}", text=text)


def _parsed(line: str) -> tuple[Any, str, str]:
    try:
        level, namespace, text = json.loads(line)
        return LogLevel.levelWithName(level), str(namespace), str(text)
    except Exception:
        # Whatever it is, it is to be read by somebody.
        return LogLevel.warn, "", line
