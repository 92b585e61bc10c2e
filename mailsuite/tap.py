"""``twistd mailsuite``: its options, and from them the service."""

import os
import signal
import time
from typing import Any

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.python import usage

from mailsuite.app import make_service
from mailsuite.cli.site import BadConfiguration, config_path
from mailsuite.config import ConfigError, load
from mailsuite.starting import RootRefused, refuse_root, stop_once, take_descriptors
from mailsuite.transport.ports import CannotListen
from mailsuite.workers.inheritance import ToWorker, take
from mailsuite.workers.program import program


class Options(usage.Options):
    """Options of ``twistd mailsuite``."""

    synopsis = "[--config FILE]"
    longdesc = "Serve mail: SMTP, submission and POP3, as the configuration file says. 'mailsuite init' makes one."
    optParameters = [
        ["config", "c", None, "The configuration file (default: mailsuite.toml here, then /etc/mailsuite/)."]
    ]


def makeService(options: Any) -> IService:
    """Read the configuration and return the service. Nothing is opened yet: twistd has not forked nor dropped root.

    Raises `SystemExit` with what is wrong and how to mend it.
    """
    run_by_steady_time(reactor)
    stop_once(reactor)
    take_descriptors()
    # A reload that is asked for while we start is none: everything is read now.
    for number in (signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    inherited = take(os.environ)
    try:
        if isinstance(inherited, ToWorker):
            return make_service(inherited.settings, foreground=True, inherited=inherited)
        config = config_path(options["config"])
        # What was rehearsed, whatever has been written into the file since.
        settings = load(config, inherited.configuration if inherited is not None else None)
        if not options.parent["uid"]:
            refuse_root(os.geteuid(), settings)
        return make_service(
            settings,
            foreground=bool(options.parent["nodaemon"]),
            program=program(config, options.parent),
            inherited=inherited,
        )
    except (BadConfiguration, ConfigError, CannotListen, RootRefused) as error:
        raise SystemExit(f"mailsuite: {error}") from error


def run_by_steady_time(reactor: Any) -> None:
    """Let the reactor's timers go by a clock that nobody sets.

    Twisted's go by the time of day: set that on, and every time-out comes at once; set it back, and none comes, nor a
    try of what waits, until it has caught up. To be called before anything is timed.
    """
    reactor.seconds = time.monotonic
