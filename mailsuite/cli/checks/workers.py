"""Can several processes serve here?"""

import os
import sys
from collections.abc import Iterator

from mailsuite.cli.checks import Finding, error, ok
from mailsuite.config import Settings
from mailsuite.mailbox.locks import hold_between_processes


def workers(settings: Settings) -> Iterator[Finding]:
    """Look for what each worker needs: it is started as the user that the service runs as."""
    if settings.workers == 1:
        return
    if not hold_between_processes():
        yield error("workers", "this system has no locks for several processes", "set workers = 1")
    elif not os.access(sys.executable, os.X_OK):
        yield error(
            "workers",
            f"this user cannot run {sys.executable}",
            "install Python and mailsuite where every user can run them, or set workers = 1",
        )
    else:
        yield ok("workers", f"several processes, {settings.workers}, can be started")
