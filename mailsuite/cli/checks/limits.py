"""Do the limits fit each other, and this machine?"""

import resource
from collections.abc import Iterator

from mailsuite.cli.checks import Finding, ok, warning
from mailsuite.config import Settings
from mailsuite.counted import counted

# What the service needs beside a descriptor for each connection: databases, threads, deliveries, files of mail.
RESERVE = 1000
# RFC 1939 §3: an autologout timer must be of ten minutes at least.
POP3_IDLE_SECONDS = 600


def limits(settings: Settings) -> Iterator[Finding]:
    """Look for limits that another one is always reached before, and for connections that there is no room for."""
    yield from _descriptors(settings)
    values = settings.limits
    for name in ("address_connections", "network_connections"):
        if getattr(values, name) > values.connections:
            yield _useless(f"limits.{name}", "connections")
    if 0 < values.network_connections < values.address_connections:
        yield _useless("limits.address_connections", "network_connections")
    if values.unknown_recipients >= values.errors:
        yield _useless("limits.unknown_recipients", "errors")
    if values.data_timeout > values.session_time:
        yield _useless("limits.data_timeout", "session_time")
    if values.pop3_idle_timeout < POP3_IDLE_SECONDS:
        yield warning(
            "limits.pop3_idle_timeout", f"RFC 1939 §3 has clients count on {POP3_IDLE_SECONDS} seconds",
            f"set it to {POP3_IDLE_SECONDS} or more",
        )
    for name in ("recipient_rate", "login_recipients"):
        if 0 < getattr(values, name) < values.recipients:
            yield warning(
                f"limits.{name}", f"one message may name {counted(values.recipients, 'recipient')}, which is more",
                "raise it, or lower recipients",
            )


def _useless(where: str, other: str) -> Finding:
    return warning(where, f"it is never reached: {other} is reached before", f"lower it, or raise {other}")


def _descriptors(settings: Settings) -> Iterator[Finding]:
    wanted = settings.limits.connections * len(settings.listen)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and wanted + RESERVE > most:
        yield warning(
            "limits.connections",
            f"{counted(len(settings.listen), 'listener')} may have {counted(wanted, 'connection')} together, and a"
            f" process of this user {counted(most, 'descriptor')}",
            "raise the limit (ulimit -Hn, or LimitNOFILE of the service), or lower connections",
        )
    else:
        yield ok("limits.connections", f"room for {counted(wanted, 'connection')}")
