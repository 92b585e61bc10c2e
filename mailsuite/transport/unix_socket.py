"""Listening on a UNIX socket whose server before us may have died without removing it."""

import os
import socket
import stat
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer


@implementer(IStreamServerEndpoint)
class FreshSocket:
    """An endpoint of Twisted's for the socket at *path*, which first removes one that nobody serves.

    Twisted's own lock does so by a process id, which after a new start of the machine may be somebody else's.
    """

    def __init__(self, path: str, endpoint: IStreamServerEndpoint) -> None:
        self._path = path
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        """See `IStreamServerEndpoint.listen`."""
        remove_if_dead(self._path)
        return self._endpoint.listen(protocolFactory)


def remove_if_dead(path: str) -> None:
    """Remove the socket at *path*, and its lock, where nobody answers there; what is no socket stays."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            for left in (path, f"{path}.lock"):
                # Listening says better what is wrong.
                with suppress(OSError):
                    os.unlink(left)
        except OSError:
            # It is busy, or we may not know.
            return
