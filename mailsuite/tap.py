"""``twistd mailsuite``: its options, and from them the service."""

import os
import signal
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from mailsuite.app import RootRefused, make_service, refuse_root
from mailsuite.cli.site import BadConfiguration, config_path
from mailsuite.config import ConfigError, load
from mailsuite.transport.listener import CannotListen


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
    # A reload that is asked for while we start is none: everything is read now.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        settings = load(config_path(options["config"]))
        if not options.parent["uid"]:
            refuse_root(os.geteuid(), settings)
        return make_service(settings, foreground=bool(options.parent["nodaemon"]))
    except (BadConfiguration, ConfigError, CannotListen, RootRefused) as error:
        raise SystemExit(f"mailsuite: {error}") from error
