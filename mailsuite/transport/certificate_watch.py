"""New certificates are taken up while sessions go on."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.certificates import (
    Pair,
    PairError,
    chain_pem,
    parse_chain,
    parse_pair,
    pem,
    read_chain,
    read_pair,
)
from mailsuite.transport.server_names import ServerNames, by_name
from mailsuite.transport.tls import TLSContext, server_context
from mailsuite.transport.unreadable import Step, unreadable, way_to
from mailsuite.transport.watched import Watched

POLL_SECONDS = 2.0
# RFC 9325 §3.4: ticket keys must be changed regularly, or they undo forward secrecy.
TICKET_KEY_SECONDS = 86_400.0

NOTHING_KNOWN: Mapping[str, Sequence[bytes]] = {}
T = TypeVar("T")


class NamedFiles(NamedTuple):
    """The files of one pair, and the names by which clients ask for it; none: those that it is for."""

    certificate: str
    key: str
    names: tuple[str, ...] = ()


class CertificateWatch(Service):
    """Reads the site's certificates and keys, and reads them again when the files change.

    *default* is shown to whoever asks for no name of *named*. *client_ca* holds the issuers of those certificates of
    clients that are trusted; empty: there are none.

    The first reading is done by `privilegedStartService`, as root where we start as root, and raises `PairError`.
    What cannot be used later is logged, and the old one stays. *known* is what another process had read (`told`): that
    is used where the files cannot be. *now* gives POSIX time.
    """

    name = "certificates"
    _log = Logger()

    def __init__(
        self,
        default: NamedFiles,
        minimum: str,
        clock: IReactorTime,
        named: Sequence[NamedFiles] = (),
        client_ca: str = "",
        known: Mapping[str, Sequence[bytes]] = NOTHING_KNOWN,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._minimum = minimum
        self._contexts: list[TLSContext] = []
        self._files = (default, *named)
        self._pairs = [
            Watched((each.certificate, each.key), partial(usable_pair, each.certificate, each.key, minimum))
            for each in self._files
        ]
        self._issuers = Watched((client_ca,) if client_ca else (), partial(_issuers, client_ca))
        self._known = known
        self._ways: Mapping[str, Sequence[Step]] = {}
        self._polling = LoopingCall(self.poll)
        self._polling.clock = clock
        self._clock = clock
        self._now = now
        self._keys_made = clock.seconds()

    def context(self, listener: str, asks: bool = False) -> TLSContext:
        """Return a new context for the listener of that name; it can be used once we have started.

        *asks*: its clients are asked for a certificate.
        """
        context = TLSContext(listener, asks)
        self._contexts.append(context)
        if self._pairs[0].value is not None:
            context.show(self._made(context, self._names()))
        return context

    def privilegedStartService(self) -> None:
        """Read everything for the first time. Raises `PairError` for what cannot be used."""
        self._read()

    def startService(self) -> None:
        """Watch the files from now on, and warn if we shall not be able to read them again."""
        super().startService()
        if self._pairs[0].value is None:
            self._read()
        # Whoever has told us of them has warned, too.
        for watched in [] if self._known else self._watched:
            for path in watched.files:
                if (remedy := unreadable(path, self._ways[path])) is not None:
                    self._warn(watched, path, remedy)
        self._polling.start(POLL_SECONDS, now=False)

    def stopService(self) -> None:
        """Watch no longer."""
        super().stopService()
        if self._polling.running:
            self._polling.stop()

    def told(self) -> Mapping[str, Sequence[bytes]]:
        """Return what is in use, in PEM form, for a process that may not be able to read it: keys are among it."""
        pairs = {_name(watched): pem(_present(watched.value)) for watched in self._pairs}
        return {**pairs, _name(self._issuers): (chain_pem(_present(self._issuers.value)),)}

    def reload(self) -> bool:
        """Read the files now (SIGHUP); say whether all that is in them is in use. What is wrong is logged."""
        return self._each(self._take_up)

    def poll(self) -> None:
        """Take up what has changed; complain of what is of no use once it has stopped changing."""
        self._each(self._look, self._clock.seconds() - self._keys_made >= TICKET_KEY_SECONDS)

    @property
    def _watched(self) -> "list[Watched[Any]]":
        return [*self._pairs, self._issuers]

    def _read(self) -> None:
        # As root, who sees where links lead; once root is dropped, we may not.
        self._ways = {path: way_to(path) for watched in self._watched for path in watched.files}
        for watched in self._watched:
            try:
                self._take_up(watched)
            except PairError as error:
                known = self._known.get(_name(watched))
                if known is None:
                    raise
                watched.value = _parsed(watched.files, known)
                # That root alone may read them was told at the start.
                if not isinstance(error.__cause__, PermissionError):
                    self._complain(error)
        self._show()

    def _each(self, act: "Callable[[Watched[Any]], bool]", changed: bool = False) -> bool:
        """Do *act* with all that is watched, and show what is new; say whether nothing was wrong.

        Nothing is raised, and nothing that is wrong keeps us from the rest.
        """
        done = [self._tried(partial(act, watched)) for watched in self._watched]
        if changed or any(done):
            done.append(self._tried(self._show))
        return None not in done

    def _tried(self, act: Callable[[], bool]) -> bool | None:
        """Return what *act* does; ``None`` where it could not, which is logged."""
        try:
            return act()
        except PairError as error:
            self._complain(error)
        except Exception:
            # Whatever is in the files that others put there, watching goes on.
            self._log.failure("the certificate could not be looked at, the old one stays")
        return None

    def _complain(self, error: PairError) -> None:
        self._log.error("the new certificate is not used, the old one stays: {reason}", reason=str(error))

    def _take_up(self, watched: "Watched[Any]") -> bool:
        self._tell(watched.take_up())
        return True

    def _look(self, watched: "Watched[Any]") -> bool:
        if not watched.look():
            return False
        self._tell(watched.value)
        return True

    def _tell(self, value: Any) -> None:
        if not isinstance(value, Pair):
            return
        until = f"{value.expires:%Y-%m-%d}"
        # It is used all the same: what it takes the place of may have ended before it.
        if value.expires.timestamp() <= self._now():
            self._log.warn(
                "the certificate in use has expired: {names}, until {until}; mail programs will not trust it: renew it"
                " and put the new files in place", names=value.shown, until=until,
            )
        else:
            self._log.info("certificate in use: {names}, until {until}", names=value.shown, until=until)

    def _warn(self, watched: "Watched[Any]", path: str, remedy: str) -> None:
        # What we see of the files from now on is not what root saw; that alone is no change.
        watched.note()
        self._log.warn(
            "{path} cannot be read any more by the user that we run as: a renewed certificate will not be used"
            " before a restart; to mend it: {remedy}", path=path, remedy=remedy,
        )

    def _show(self) -> bool:
        """Give every listener a fresh context, which is something new."""
        names = self._names()
        fresh = [self._made(context, names) for context in self._contexts]
        for context, made in zip(self._contexts, fresh, strict=True):
            context.show(made)
        self._keys_made = self._clock.seconds()
        return True

    def _names(self) -> ServerNames:
        default, *others = (_present(watched.value) for watched in self._pairs)
        return ServerNames(default, zip(others, (each.names for each in self._files[1:]), strict=True))

    def _made(self, context: TLSContext, names: ServerNames) -> Any:
        issuers = _present(self._issuers.value) if context.asks else None
        return by_name(names, lambda pair: server_context(pair, context.listener, self._minimum, issuers))


def _present(value: T | None) -> T:
    """Return what was read at the start."""
    assert value is not None
    return value


def _name(watched: "Watched[Any]") -> str:
    return "\n".join(watched.files)


def _parsed(files: Sequence[str], texts: Sequence[bytes]) -> Any:
    """Return what *files*, of a pair or of issuers, hold with these *texts*."""
    if len(files) == 1:
        return parse_chain(files[0], texts[0])
    return parse_pair(files[0], files[1], (texts[0], texts[1]))


def _issuers(path: str) -> tuple[x509.Certificate, ...]:
    """Return the issuers whose clients' certificates are trusted. Raises `PairError`."""
    return read_chain(path) if path else ()


def usable_pair(certificate: str, key: str, minimum: str) -> Pair:
    """Read a pair of files that TLS can be set up with. Raises `PairError`."""
    pair = read_pair(certificate, key)
    try:
        server_context(pair, "", minimum)
    except (SSL.Error, UnsupportedAlgorithm, TypeError, ValueError) as error:
        raise PairError(f"TLS cannot be set up with {certificate} and {key}: {error}") from error
    return pair
