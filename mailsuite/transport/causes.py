"""What goes wrong with connections, in words for people."""

import os

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (error.ConnectionDone, ""),
    (error.ConnectionAborted, "the connection was cut off here"),
    (error.ConnectionLost, "the connection was broken off"),
    (error.TimeoutError, "timed out"),
    (error.ConnectingCancelledError, "given up"),
    (CancelledError, "given up"),
)


def cause(trouble: BaseException | None) -> str:
    """Say in a few words why a connection was lost or not made; empty where the peer closed it in good order."""
    if isinstance(trouble, SSL.Error):
        return _openssl(trouble)
    for kind, words in _WORDS:
        if isinstance(trouble, kind):
            return words
    # Twisted keeps the number of the system's error under a name of its own.
    number = getattr(trouble, "osError", None) or getattr(trouble, "errno", None)
    if isinstance(number, int):
        return os.strerror(number).lower()
    if isinstance(trouble, error.ConnectError):
        return "it takes no connection"
    return str(trouble) or type(trouble).__name__


def _openssl(trouble: SSL.Error) -> str:
    """Return OpenSSL's own words: they are what an administrator searches for."""
    entries = trouble.args[0] if trouble.args else ()
    if not isinstance(entries, (list, tuple)):
        return ": ".join(["TLS", *(str(part) for part in trouble.args[1:])])
    return "TLS: " + ("; ".join(str(entry[-1]) for entry in entries) or "closed by the peer")
