"""New certificates are taken up while sessions go on."""

import grp
import os
import shlex

from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.certificates import Pair, PairError, read_pair
from mailsuite.transport.tls import TLSContext, server_context

POLL_SECONDS = 2.0
# RFC 9325 §3.4: ticket keys must be changed regularly, or they undo forward secrecy.
TICKET_KEY_SECONDS = 86_400.0

_Fingerprint = tuple[tuple[int, int, int] | None, ...]


class CertificateWatch(Service):
    """Reads the site's certificate and key, and reads them again when the files change.

    The first reading is done by `privilegedStartService`, as root where we start as root, and raises `PairError`.
    A later pair that cannot be used is logged, and the old one stays.
    """

    name = "certificates"
    _log = Logger()

    def __init__(self, certificate: str, key: str, minimum: str, clock: IReactorTime) -> None:
        self._files = (certificate, key)
        self._minimum = minimum
        self._contexts: list[TLSContext] = []
        self._pair: Pair | None = None
        self._tried: _Fingerprint = ()
        self._failed: _Fingerprint | None = None
        self._polling = LoopingCall(self.poll)
        self._polling.clock = clock
        self._clock = clock
        self._keys_made = clock.seconds()

    def context(self, listener: str) -> TLSContext:
        """Return a new context for the listener of that name; it can be used once we have started."""
        context = TLSContext(listener)
        self._contexts.append(context)
        if self._pair is not None:
            context.show(server_context(self._pair, listener, self._minimum))
        return context

    def privilegedStartService(self) -> None:
        """Read the pair for the first time. Raises `PairError` when it cannot be used."""
        self._take_up()

    def startService(self) -> None:
        """Watch the files from now on, and warn if we shall not be able to read them again."""
        super().startService()
        if self._pair is None:
            self._take_up()
        for path in self._files:
            if (remedy := unreadable(path)) is not None:
                self._warn(path, remedy)
        self._polling.start(POLL_SECONDS, now=False)

    def stopService(self) -> None:
        """Watch no longer."""
        super().stopService()
        if self._polling.running:
            self._polling.stop()

    def reload(self) -> bool:
        """Read the files now (SIGHUP); say whether the pair in them is in use. What is wrong is logged."""
        try:
            self._take_up()
        except PairError as error:
            self._log.error(
                "the new certificate is not used, the old one stays: {reason}", reason=str(error)
            )
            return False
        return True

    def poll(self) -> None:
        """Take up the pair if a file has changed; complain of a bad one once it has stopped changing.

        Renewal replaces one file after the other: the moment between is not worth a line in the log. Nothing is
        raised: what no `PairError` foresees is logged, and watching goes on.
        """
        try:
            self._poll()
        except Exception:
            self._log.failure("the certificate could not be looked at, the old one stays")

    def _poll(self) -> None:
        if self._pair is not None and self._clock.seconds() - self._keys_made >= TICKET_KEY_SECONDS:
            self._show(self._pair)
        now = self._fingerprint()
        if now == self._tried:
            if self._failed == now:
                self._failed = None
                self.reload()
            return
        try:
            self._take_up()
        except PairError:
            self._failed = now

    def _warn(self, path: str, remedy: str) -> None:
        # What we see of the files from now on is not what root saw; that alone is no change.
        self._tried = self._fingerprint()
        self._log.warn(
            "{path} cannot be read any more by the user that we run as: a renewed certificate will not be used"
            " before a restart; to mend it: {remedy}", path=path, remedy=remedy,
        )

    def _take_up(self) -> None:
        self._tried = self._fingerprint()
        pair = usable_pair(*self._files, self._minimum)
        self._show(pair)
        self._pair, self._failed = pair, None
        self._log.info(
            "certificate in use: {names}, until {until}",
            names=pair.shown, until=f"{pair.expires:%Y-%m-%d}",
        )

    def _show(self, pair: Pair) -> None:
        """Give every listener a fresh context."""
        fresh = [server_context(pair, context.listener, self._minimum) for context in self._contexts]
        for context, made in zip(self._contexts, fresh, strict=True):
            context.show(made)
        self._keys_made = self._clock.seconds()

    def _fingerprint(self) -> _Fingerprint:
        return tuple(_stamp(path) for path in self._files)


def usable_pair(certificate: str, key: str, minimum: str) -> Pair:
    """Read a pair of files that TLS can be set up with. Raises `PairError`."""
    pair = read_pair(certificate, key)
    try:
        server_context(pair, "", minimum)
    except (SSL.Error, UnsupportedAlgorithm, TypeError, ValueError) as error:
        raise PairError(f"TLS cannot be set up with {certificate} and {key}: {error}") from error
    return pair


def unreadable(path: str) -> str | None:
    """Return ``None`` if this process can read *path*, otherwise the commands that would allow it."""
    try:
        with open(path, "rb"):
            return None
    except OSError:
        return _remedy(path)


def _remedy(path: str) -> str:
    """Return what root types so that our group can reach and read *path*."""
    group = shlex.quote(_group_name(os.getegid()))
    if not os.access(folder := os.path.dirname(path) or ".", os.X_OK):
        return f"chgrp {group} {shlex.quote(folder)} && chmod g+x {shlex.quote(folder)} (and the folders above it)"
    return f"chgrp {group} {shlex.quote(path)} && chmod g+r {shlex.quote(path)}"


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
