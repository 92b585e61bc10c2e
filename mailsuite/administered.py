"""Puts together what administers a site, for commands (`mailsuite.cli`) and for the HTTP API."""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from mailsuite.address import domain_key
from mailsuite.admin.site import Site
from mailsuite.admin.tokens import TokenFolder
from mailsuite.backends import accounts, reading, root
from mailsuite.config import Settings
from mailsuite.delivery.routes import Routes
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.secrets import Kept, keeping
from mailsuite.directory.threads import BoundedThreads
from mailsuite.interfaces import IGuessingLimit, IMailLog
from mailsuite.limits import default_caps, ledger, quota_rules
from mailsuite.logins import mechanisms_of, wanted_secrets
from mailsuite.transport.bounds import Admission
from mailsuite.transport.open_sessions import BuildsSessions

# Requests of the API that are worked on at once, and those that may wait for that. Beyond these: 503.
AT_ONCE = 2
WAITING = 50


def administered(settings: Settings) -> Site:
    """Return the site of *settings* as an operator has it before him; nothing is opened."""
    return Site(
        accounts=partial(accounts, settings),
        mail=settings.store.path,
        sync=settings.store.sync,
        state=settings.state_dir,
        queue=settings.queue.path,
        postmaster=settings.directory.postmaster,
        ban_time=settings.limits.ban_time,
        keep=_keep(settings),
        mechanisms=partial(mechanisms_of, settings),
        default_quota=quota_rules(settings).default,
        ledger=ledger(settings),
        default_caps=default_caps(settings),
        routes=partial(_routes, settings),
        is_local=partial(is_local, settings),
    )


def is_local(settings: Settings, domain: str) -> bool:
    """Say whether *domain* is one with mailboxes of ours; so is none where the accounts cannot be read."""
    try:
        with reading(settings) as records:
            found = records.domain(domain_key(domain))
    except AccountsError:
        return False
    return found is not None and found.domain_class == LOCAL


def _routes(settings: Settings) -> Routes:
    # Half of a second that commands need not take which have to do with no other server.
    from mailsuite.outgoing import default_route, route_rules

    return Routes(route_rules(settings), default_route(settings))


def _keep(settings: Settings) -> Callable[[str, str], Kept]:
    """Return what keeps passwords; it is put together, which takes a while, when there is the first of them."""

    @cache
    def keep() -> Callable[[str, str], Kept]:
        return keeping(Passwords(), wanted_secrets(settings))

    return lambda name, password: keep()(name, password)


def tokens(settings: Settings) -> TokenFolder:
    """Return the tokens of the HTTP API. Raises `OSError`."""
    return TokenFolder(settings.state_dir, root(settings))


class AdminAPI:
    """The HTTP API of a site, for its listeners of that service. To be started and stopped. Raises `OSError`."""

    def __init__(self, settings: Settings, reactor: Any, guessing: IGuessingLimit, log: IMailLog) -> None:
        from mailsuite.admin.api.application import Application  # It loads a web server, which few sites need.

        self._threads = BoundedThreads(reactor, AT_ONCE, WAITING, "requests")
        application = Application(
            administered(settings), tokens(settings), guessing, log, self._threads.run, time.time, reactor
        )
        self.resource = application.resource

    def start(self) -> None:
        """Begin to work."""
        self._threads.start()

    def stop(self) -> None:
        """Finish what is under way."""
        self._threads.stop()


def http_sessions(
    reactor: Any, admission: Admission, running: Callable[[], AdminAPI]
) -> BuildsSessions:
    """Return what builds the sessions of a listener for the API; *running* is there once the service has started."""
    # Loaded now, while we may be root: the user that the service runs as may not be able to read them.
    from mailsuite.admin.api import application  # noqa: F401
    from mailsuite.transport.http import HTTPSessions

    return HTTPSessions(lambda: running().resource, reactor, admission)
