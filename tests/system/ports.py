"""Ports for the servers of tests. They are of this process alone: none is another's before its server listens."""

import itertools
import os
import secrets
import socket
from functools import cache

# So many processes can have ports at once.
SHARES = 32
# A socket of this name (abstract: it goes with its process) is held by whoever has that share.
NAME = "\0mailsuite-tests-ports-{}"

_drawn = itertools.count(secrets.randbelow(1000))


def free_ports(count: int, low: int = 12_000, high: int = 32_000) -> list[int]:
    """Return ports of loopback on which nothing listens, and which no other process of tests is given meanwhile.

    They lie below those that the kernel gives to clients: a client that tries to reach a server that was just
    killed could otherwise be given the server's own port. This process is given one again only when it has had all
    of its share, 625 of those. Raises OSError where no share or not so many ports are free.
    """
    size = (high - low) // SHARES
    first = low + size * _share(os.getpid())
    mine = (first + number % size for number in itertools.islice(_drawn, size))
    ports = list(itertools.islice(filter(_is_free, mine), count))
    if len(ports) < count:
        raise OSError(f"{count} ports were asked for, and from {first} to {first + size - 1} {len(ports)} are free")
    return ports


def listens(port: int) -> bool:
    """Say whether anybody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_held: list[socket.socket] = []


@cache
def _share(pid: int) -> int:
    """Take the share that the process *pid*, which is this one, keeps to its end; a fork takes one of its own."""
    for number in range(SHARES):
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(NAME.format(number))
        except OSError:
            holder.close()
        else:
            _held.append(holder)
            return number
    raise OSError(f"each of {SHARES} shares of the ports for tests is in use: are other tests running?")
