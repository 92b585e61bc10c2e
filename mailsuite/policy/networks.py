"""Values by the IP addresses and networks that they are for: as many steps as there are prefix lengths in use."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Generic, TypeVar

T = TypeVar("T")


class NetworkTable(Generic[T]):
    """Finds the value of the narrowest network with an address in it."""

    def __init__(self) -> None:
        # By IP version and prefix length, the longest first: those bits of an address to its value.
        self._tables: dict[tuple[int, int], dict[int, T]] = {}

    def add(self, text: str, value: T) -> None:
        """Let the address or network *text* lead to *value*, if it does not lead to another one before it.

        Raises `ValueError` where it is none, has bits beyond its prefix, or is IPv4 in the form of IPv6.
        """
        network = ip_network(text)
        if "%" in text:
            raise ValueError(f"{text!r} has a zone, which only this machine knows")
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
            # A peer that comes so is known by its IPv4 address: this would be for nobody.
            raise ValueError(f"{text!r} is an IPv4 address or network in the form of IPv6: write it as IPv4")
        place = network.version, network.prefixlen
        if place not in self._tables:
            self._tables[place] = {}
            self._tables = dict(sorted(self._tables.items(), reverse=True))
        self._tables[place].setdefault(_bits(network.network_address, network.prefixlen), value)

    def find(self, address: IPv4Address | IPv6Address) -> T | None:
        """Return the value of *address*, if it has one."""
        for (version, length), table in self._tables.items():
            if version == address.version and (value := table.get(_bits(address, length))) is not None:
                return value
        return None


def _bits(address: IPv4Address | IPv6Address, length: int) -> int:
    return int(address) >> (address.max_prefixlen - length)
