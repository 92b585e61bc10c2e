"""Puts together what users log in by, for `mailsuite.app`: accounts and their secrets, certificates, tokens."""

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailsuite.backends import root
from mailsuite.config import Settings
from mailsuite.config.tables.listen import Listener
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.backend import Backend
from mailsuite.directory.certified import Certified, read_certificate_list
from mailsuite.directory.folder_logins import FolderLogins
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.remembered import Source
from mailsuite.directory.secrets import Secrets
from mailsuite.directory.served import Served
from mailsuite.directory.threads import BoundedThreads
from mailsuite.encryption import Encryption
from mailsuite.envelope import Peer
from mailsuite.interfaces import IAuthenticator, IMailLog, IResolver, ISharedState, ITokens
from mailsuite.policy.ban_file import BanFile
from mailsuite.policy.ban_sync import BanSync
from mailsuite.policy.bans import Bans
from mailsuite.policy.guessing import CutOffs, GuessingLimit, counter
from mailsuite.policy.known import KnownPlaces
from mailsuite.sasl.terms import MECHANISMS, Terms
from mailsuite.tokens.introspected import IntrospectedTokens
from mailsuite.tokens.keys import IssuerKeys
from mailsuite.tokens.rules import Rules
from mailsuite.tokens.signed import SignedTokens
from mailsuite.transport.web import WebClient


def wanted_secrets(settings: Settings) -> Secrets:
    """Return what makes the secrets that the site keeps."""
    return Secrets(settings.sasl.secrets, settings.sasl.scram_iterations, settings.hostname)


class Offer:
    """What mechanisms can stand on: *served* knows of secrets, and lists of certificates are read anew when told to.

    Raises `BadCertificateList`.
    """

    def __init__(self, settings: Settings, served: Served) -> None:
        self._settings = settings
        self._served = served
        self._tokens = takes_tokens(settings)
        self.load()

    def load(self) -> None:
        """Read the list of certificates. Raises `BadCertificateList`: the one that there is stays."""
        listed = read_certificate_list(self._settings.sasl.certificates)
        self._certified = Certified(listed, self._settings.sasl.certificate_addresses)

    def serves(self, need: str) -> bool:
        """See `Terms`."""
        return not need or (self._tokens if need == "token" else self._served(need))

    def look(self) -> None:
        """See `Served.look`."""
        self._served.look()

    def account_of(self, encryption: Encryption) -> str:
        """See `Terms`."""
        return self._certified(encryption)


def authenticator(
    settings: Settings,
    backend: Backend,
    source: Source,
    passwords: Passwords,
    hashing: BoundedThreads,
    used: Callable[[int], None],
) -> IAuthenticator:
    """Return what tells of names and passwords whose they are; *used* hears of the use of app passwords."""
    of_users = Authenticator(
        backend,
        source,
        passwords,
        hashing.run,
        wanted_secrets(settings),
        # Those in SQL keep one themselves, for all that share them.
        b"" if settings.directory.backend in ("sqlite", "postgresql") else root(settings),
        renews=settings.directory.renew_hashes,
        password_ttl=settings.directory.password_cache,
        used=used,
    )
    return FolderLogins(of_users) if settings.pop3.folders else of_users


@dataclass(frozen=True, slots=True)
class Throttle:
    """What is done about guessed passwords; *sync* is to be started and stopped."""

    known: KnownPlaces
    bans: Bans
    guessing: GuessingLimit
    sync: BanSync


def throttle(
    settings: Settings, reactor: Any, state: ISharedState, log: IMailLog, exempt: Callable[[Peer], bool]
) -> Throttle:
    """Return what slows and bans those who guess; *exempt* peers are not held by their address."""
    limits = settings.limits
    known = KnownPlaces(time.time)
    bans = Bans(time.time, lambda peer: known.anybody_at(peer.network))
    sync = BanSync(
        BanFile.of(settings.state_dir),
        bans,
        known,
        lambda subject: state.forget(counter(subject)),
        log,
        deferToThread,
        time.time,
        reactor,
    )
    cut_offs = CutOffs(
        limits.guesses, limits.network_guesses, limits.account_guesses, limits.guess_window, limits.ban_time
    )
    return Throttle(known, bans, GuessingLimit(state, reactor, cut_offs, bans, known, sync.ban, exempt), sync)


def offer(settings: Settings, backend: Backend, seconds: Callable[[], float]) -> Offer:
    """Return what mechanisms can stand on. Raises `BadCertificateList`."""
    return Offer(settings, Served(backend, settings.sasl.secrets, settings.sasl.offer == "some", seconds))


def terms(settings: Settings, listener: Listener, service: str, offer: Callable[[], Offer]) -> Terms:
    """Return what a listener offers of SASL; *service* is what SASL calls its protocol."""
    return Terms(
        service,
        settings.hostname,
        listener.allowed_mechanisms,
        serves=lambda need: offer().serves(need),
        nonce=lambda: secrets.token_urlsafe(18),
        account_of=lambda encryption: offer().account_of(encryption),
        scope=settings.oauth.scope,
    )


def mechanisms_of(settings: Settings, kinds: Collection[str]) -> list[str]:
    """Return by which mechanisms somebody can log in of whom *kinds* are stored, wherever they are allowed.

    Whether there is a certificate or a token of theirs is for others to say.
    """
    has = {"": "password" in kinds, "token": takes_tokens(settings)}
    has.update({kind: kind in kinds for kind in settings.sasl.secrets})
    by_certificate = bool(settings.sasl.certificates) or settings.sasl.certificate_addresses
    return [
        name
        for name, mechanism in MECHANISMS.items()
        if (by_certificate if name == "EXTERNAL" else has.get(mechanism.needs, False))
    ]


def takes_tokens(settings: Settings) -> bool:
    """Say whether bearer tokens are taken at all."""
    return bool(settings.oauth.keys or settings.oauth.introspection)


def tokens(settings: Settings, reactor: Any, resolver: IResolver) -> ITokens | None:
    """Return what judges bearer tokens; ``None`` where none are taken. Raises `OSError` for the client's secret."""
    oauth = settings.oauth
    if not takes_tokens(settings):
        return None
    rules = Rules(oauth.issuer, oauth.audience, oauth.scope, oauth.claim)
    web = WebClient(reactor, resolver, oauth.ca_file)
    if oauth.keys:
        keys = IssuerKeys(oauth.keys, web, _read_later, time.monotonic)
        return SignedTokens(rules, keys, time.time)
    login = (oauth.client, _read(oauth.secret_file, 4096).decode().strip()) if oauth.client else None
    return IntrospectedTokens(rules, oauth.introspection, login, web, time.time)


def _read_later(path: str, limit: int) -> "Deferred[bytes]":
    return deferToThread(lambda: _read(path, limit))


def _read(path: str, limit: int) -> bytes:
    with open(path, "rb") as file:
        octets = file.read(limit + 1)
    if len(octets) > limit:
        raise OSError(f"{path} has more than {limit} octets")
    return octets
