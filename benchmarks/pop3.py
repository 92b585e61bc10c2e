"""Mail out: a POP3 session that logs in, asks STAT and UIDL, and reads every message."""

import poplib
import time
from dataclasses import dataclass

from benchmarks.processes import cpu_seconds
from benchmarks.servers import PASSWORD, RECIPIENT, Suite


@dataclass(frozen=True)
class Session:
    """Seconds of each step; *cpu* in microseconds of the server's CPU a message read."""

    messages: int
    login: float
    listing: float
    retrieval: float
    cpu: float


def measure(server: Suite) -> Session:
    """Read the whole mailbox once."""
    cpu, began = cpu_seconds(server.pid), time.monotonic()
    session = poplib.POP3("127.0.0.1", server.pop3_port, timeout=60)
    session.user(RECIPIENT)
    session.pass_(PASSWORD)
    logged_in = time.monotonic()
    count, _ = session.stat()
    if len(session.uidl()[1]) != count:
        raise RuntimeError("UIDL and STAT disagree")
    listed = time.monotonic()
    for number in range(1, count + 1):
        session.retr(number)
    done = time.monotonic()
    session.quit()
    used = cpu_seconds(server.pid) - cpu
    return Session(count, logged_in - began, listed - logged_in, done - listed, used * 1e6 / max(count, 1))
