"""Lists of peers in the configuration, as questions about a peer."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_network

from mailsuite.envelope import Peer


def peers_in(peers: Sequence[str], unix: bool = False) -> Callable[[Peer], bool]:
    """Return what says of a peer whether the list *peers* of the configuration has it.

    Of who comes by a UNIX socket that is so with *unix* as well.
    """
    listed = [ip_network(text) for text in peers if text != "unix"]
    unix = unix or "unix" in peers

    @lru_cache(maxsize=1024)
    def is_in(host: str) -> bool:
        address = Peer(host).address
        return unix and host == "unix" if address is None else any(address in network for network in listed)

    return lambda peer: is_in(peer.host)
