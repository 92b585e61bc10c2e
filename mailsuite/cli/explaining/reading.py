"""A site's parts for taking mail, put together as the server does it, and opened for reading alone."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import maybeDeferred

from mailsuite.backends import backend, source
from mailsuite.cli.settled import run_here
from mailsuite.config import Settings
from mailsuite.delivery.routes import Routes
from mailsuite.directory.lookup import Directory
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.returned import Returned
from mailsuite.directory.threads import BoundedThreads
from mailsuite.incoming import roles, smtp_session_settings
from mailsuite.interfaces import IIntake, IMailStore, IRunner
from mailsuite.limits import default_caps, full, ledger, quota_rules
from mailsuite.logins import authenticator, offer, throttle
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildir import Names, Writer
from mailsuite.mailbox.quotas import Quotas
from mailsuite.mailbox.store import Clocks, MaildirStore
from mailsuite.mailbox.sync import FSync
from mailsuite.maillog import MailLog
from mailsuite.outgoing import backup_domains, default_route, resolver, route_rules
from mailsuite.peers import peers_in
from mailsuite.policies import Denials, OwnChecks, SenderChecks
from mailsuite.policy.backup import BackupRecipients
from mailsuite.policy.backup_store import ListStore
from mailsuite.policy.ban_file import BanFile
from mailsuite.policy.caps import Caps
from mailsuite.policy.known import KNOWN_SECONDS
from mailsuite.policy.state import MemoryState
from mailsuite.reach import present
from mailsuite.returns import Returns
from mailsuite.service.flush import Flush
from mailsuite.service.login import Logins
from mailsuite.service.role import Role
from mailsuite.service.site import Site
from mailsuite.smtp.server import ServerSession


class Reading:
    """The parts of the site of *settings*. To be closed.

    Nothing is written but what any look at them makes (``maildirsize``, a secret that the server would make), and
    nobody is asked but the place of the accounts and, where senders are verified, DNS. Raises what a start raises
    (`mailsuite.starting.START_TROUBLE`).
    """

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self.settings = settings
        clocks = Clocks(time.time, time.monotonic)
        state = MemoryState(clocks.seconds)
        # It is never opened: nothing of this is logged.
        log = MailLog(settings.log.path, "text", clocks.now)
        returns = Returns(settings, clocks.now)
        if present(settings.srs.secrets):
            returns.load()
        self._denials = Denials(settings)
        self._denials.load()
        self._own_checks = OwnChecks(settings, reactor)
        self._backend = backend(settings, reactor, clocks.seconds, run_here)
        self._backend.start()
        seen = source(settings, self._backend, clocks.seconds)
        self.directory = Directory(
            self._backend, seen, clocks.now, settings.directory.postmaster, settings.hostname,
            Returned(returns.restoring, clocks.now),
        )  # fmt: skip
        self._offer = offer(settings, self._backend, clocks.seconds)
        self.exempt = peers_in(settings.limits.exempt, unix=True)
        held = throttle(settings, reactor, state, log, self.exempt)
        self.bans, self.known = held.bans, held.known
        bans = BanFile.of(settings.state_dir)
        if present(bans.path):
            self.bans.replace(bans.bans(clocks.now()))
            self.known.learn(bans.known(clocks.now() - KNOWN_SECONDS))
        hashing = BoundedThreads(reactor, 1)
        self.logins = Logins(
            authenticator(settings, self._backend, seen, Passwords(), hashing, lambda used: None), held.guessing
        )
        self._backups = BackupRecipients(
            ListStore(settings.state_dir), backup_domains(settings), None, reactor, run_here, clocks.now
        )
        self._backups.start()
        self._backups.stop()
        self._resolver = resolver(settings, reactor)
        self.router = Routes(route_rules(settings), default_route(settings), self.directory.is_backup)
        self.caps = Caps(default_caps(settings), state, lambda login, reason: None)
        counted = ledger(settings)
        names = Names(clocks.now, str(os.getpid()))
        store = MaildirStore(
            Writer(settings.store.path, names),
            names,
            Barrier(FSync(), reactor, lambda: True, clocks.seconds),
            Listings(0, clocks.now, True),
            Locks(f"{settings.state_dir}/locks"),
            maybeDeferred,
            settings.store.free_floor,
            clocks,
            counted,
        )
        # Nobody is warned, and no warning counts as given.
        limits = replace(quota_rules(settings), warned=())
        quotas = Quotas(settings.store.path, counted, limits, state, maybeDeferred, clocks, lambda *warning: None)
        self.site = Site(
            settings.hostname,
            self.directory,
            cast(IMailStore, store),
            # No message ever comes to its end.
            cast(IIntake, None),
            log,
            clocks.now,
            clocks.seconds,
            settings.limits.hops,
            quotas=quotas,
            full=full(settings),
        )

    def roles(self) -> Mapping[str, Role]:
        """Return how each listener judges mail, with counters of its own that begin at nothing."""
        flush = Flush(cast(IRunner, None), self.router, lambda peer: False)
        return roles(
            self.settings, self.logins, flush, self._backups, MemoryState(time.monotonic),
            (self._denials, SenderChecks(self.settings, self._resolver, self.directory), self._own_checks), self.caps,
        )  # fmt: skip

    def core(self, listener: str, encrypted: bool) -> ServerSession:
        """Return a new session of *listener*."""
        running = cast(Any, lambda: SimpleNamespace(offer=self._offer))
        settings = smtp_session_settings(self.settings, self.settings.listen[listener], running)
        return ServerSession(settings, encrypted=encrypted)

    def close(self) -> Any:
        """Close the accounts; what is returned may have to be waited for."""
        self._resolver.stop()
        return self._backend.stop()
