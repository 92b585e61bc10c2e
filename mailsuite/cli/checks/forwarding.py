"""Does what we forward find its way back?"""

import os
import time
from collections.abc import Iterator
from shlex import quote

from mailsuite.cli.checks import Finding, error, ok, unreachable, warning
from mailsuite.config import Settings
from mailsuite.policy.srs_secrets import BadSecrets
from mailsuite.returns import Returns


def forwarding(settings: Settings) -> Iterator[Finding]:
    """Look at the secrets of return addresses; where there are none yet the service makes them."""
    path = settings.srs.secrets
    if (closed := unreachable("srs.secrets", path)) is not None:
        yield closed
        return
    if not os.path.exists(path):
        return
    try:
        Returns(settings, time.time).load()
    except (BadSecrets, OSError) as problem:
        yield error("srs.secrets", str(problem), "the service does not start before")
        return
    if os.stat(path).st_mode & 0o077:
        yield warning("srs.secrets", f"{path} is open to other users of this machine", f"chmod 600 {quote(path)}")
    else:
        yield ok("srs.secrets", f"{path} can be read")
