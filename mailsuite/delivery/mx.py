"""The hosts of a destination, in the order in which they are tried (RFC 5321 §5.1, RFC 7505).

Addresses are looked up one preference at a time: the backup exchangers only where the better ones did not do.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from mailsuite.delivery.reachable import ip, is_ipv6, is_public, literal
from mailsuite.dns import MX, DnsTrouble, Found, NoSuchDomain
from mailsuite.interfaces import IResolver
from mailsuite.outcome import Deferred, Failed
from mailsuite.route import UNIX, Route

# A domain may name any number of exchangers; the best of them are looked at, and no more.
EXCHANGERS = 32


class Nowhere(Exception):
    """No host can be tried; *outcome* says why, and whether for good."""

    def __init__(self, outcome: Deferred | Failed) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Hop:
    """One address to try, an IP address or the path of a socket.

    *host* is the name that led to it: of an exchanger, of the route, the domain's own; or the address again.
    *mx_secure*: DNSSEC vouches that *host* is the right one, or a route names it. *host_secure*: it vouches for the
    address. *rank* counts the preferences, from 0 for the best.
    """

    host: str
    address: str
    mx_secure: bool = False
    host_secure: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Missing:
    """A host without an address to try, in its place among the others. *why* says so for people.

    *temporary*: DNS did not say; there may be one.
    """

    host: str
    rank: int
    temporary: bool
    why: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a search for hosts needs.

    *ourselves* says whether a host name or an IP address, with a port, is this system as other servers know it.
    *prefer* is which addresses of one host come first; ``any`` leaves the resolver's order. *shuffle* puts a list
    into a random order, in place.
    """

    resolver: IResolver
    ourselves: Callable[[str, int], bool]
    shuffle: Callable[[list[MX]], None]
    prefer: Literal["any", "ipv6", "ipv4"] = "any"


@dataclass(slots=True)
class _Host:
    """What a lookup of one host's addresses gave; *why* says for people why there are none."""

    name: str
    addresses: Sequence[str] = ()
    secure: bool = False
    ours: bool = False
    temporary: bool = False
    why: str = ""


@dataclass(slots=True)
class _Exchangers:
    """Host names by preference, the best first. *loop*: the list named us, and ended there."""

    groups: list[list[str]]
    secure: bool
    loop: bool = False


async def next_hops(route: Route, lookup: Lookup) -> AsyncGenerator[Hop | Missing, None]:
    """Yield the addresses to try for *route*, the best first. Raises `Nowhere` where there is no host at all.

    A route without a host goes to the exchangers of its domain, or straight to an address literal. Where only
    `Missing` hosts were found, `unfound` says what that means.
    """
    if route.host.startswith(UNIX):
        yield Hop(route.host, route.host.removeprefix(UNIX), True, True)
        return
    exchangers = await _exchangers(route, lookup)
    for rank, group in enumerate(exchangers.groups):
        # Any host of the same preference may prove to be ourselves: all are looked up before the first is tried.
        hosts = [await _host(name, route, lookup) for name in group]
        if any(host.ours for host in hosts):
            # RFC 5321 §5.1: this preference and all that are worse are discarded.
            if rank == 0:
                raise Nowhere(_loop(route))
            return
        for host in hosts:
            if not host.addresses:
                yield Missing(host.name, rank, host.temporary, host.why)
            for address in host.addresses:
                yield Hop(host.name, address, exchangers.secure, host.secure, rank)
        if route.backup and not exchangers.loop and any(host.temporary for host in hosts):
            # We are somewhere in this list, and that may have been us: what is worse would send it back here.
            return
    if not exchangers.groups:
        raise Nowhere(_loop(route))


async def _exchangers(route: Route, lookup: Lookup) -> _Exchangers:
    if route.host:
        return _Exchangers([[route.host]], True)
    if route.domain.startswith("["):
        address = literal(route.domain)
        if not address:
            raise Nowhere(Failed("5.1.2", f"{route.domain} is not an address literal"))
        return _Exchangers([[address]], False)
    if not route.domain:
        raise Nowhere(Failed("5.1.2", "The address has no domain"))
    found = await _mx(route.domain, lookup.resolver)
    records = [record for record in found.records if record.host not in ("", ".")]
    if found.records and not records:
        # RFC 7505 §4.1. A null MX among others is against its §3: the others count.
        raise Nowhere(Failed("5.1.10", f"{route.domain} does not accept mail (null MX)"))
    if not records:
        # RFC 5321 §5.1: the implicit MX.
        return _Exchangers([[route.domain]], found.secure)
    return _sorted(records, found.secure, lambda record: lookup.ourselves(record.host, route.port), lookup.shuffle)


async def _mx(domain: str, resolver: IResolver) -> Found[MX]:
    try:
        return await resolver.mx(domain)
    except NoSuchDomain as error:
        raise Nowhere(Failed("5.1.2", f"The domain {error}")) from error
    except DnsTrouble as error:
        raise Nowhere(Deferred("4.4.3", f"No answer about the MX records of {domain}: {error}", whole=True)) from error


def _sorted(
    records: list[MX], secure: bool, ours: Callable[[MX], bool], shuffle: Callable[[list[MX]], None]
) -> _Exchangers:
    """Sort by preference, equal ones by chance (RFC 5321 §5.1: both MUST), and end before our own name."""
    end = min((record.preference for record in records if ours(record)), default=None)
    shuffle(records)
    records.sort(key=lambda record: record.preference)
    # A name that stands there twice is tried once, where it is better.
    hosts: dict[str, MX] = {}
    for record in records:
        if end is None or record.preference < end:
            hosts.setdefault(record.host, record)
    best = list(hosts.values())[:EXCHANGERS]
    groups = [[record.host for record in group] for _, group in groupby(best, lambda record: record.preference)]
    return _Exchangers(groups, secure, end is not None)


async def _host(name: str, route: Route, lookup: Lookup) -> _Host:
    """Look up one host. An exchanger that is named by its address, which RFC 5321 §5.1 rules out, is tolerated."""
    secure = False
    if ip(name) is not None:
        addresses: tuple[str, ...] = (name,)
    else:
        try:
            found = await lookup.resolver.addresses(name)
        except NoSuchDomain:
            return _Host(name, why=f"{name} does not exist in DNS")
        except DnsTrouble as error:
            return _Host(name, temporary=True, why=f"no answer about the addresses of {name}: {error}")
        addresses, secure = found.records, found.secure
    # A route's host is what the administrator wants it to be; DNS must not lead us to ourselves.
    if not route.host and any(lookup.ourselves(address, route.port) for address in addresses):
        return _Host(name, ours=True)
    if not addresses:
        return _Host(name, why=f"{name} has no address")
    usable = _usable(addresses, route, lookup.prefer)
    return _Host(name, usable, secure, why="" if usable else _unusable(name, addresses, route))


def _usable(addresses: Sequence[str], route: Route, prefer: str) -> Sequence[str]:
    """Leave out what we do not connect to, and put the preferred family first."""
    usable = [
        address
        for address in addresses
        if (route.private or is_public(address)) and (not route.source or is_ipv6(address) == is_ipv6(route.source))
    ]
    if prefer == "any":
        # RFC 5321 §5.1: in the order presented.
        return usable
    return sorted(usable, key=lambda address: is_ipv6(address) != (prefer == "ipv6"))


def _unusable(name: str, addresses: Sequence[str], route: Route) -> str:
    if not route.private and not any(is_public(address) for address in addresses):
        return f"{name} has only addresses that are not public: {', '.join(addresses[:4])}"
    return f"{name} has no address of the kind of {route.source}, which the route is to be sent from"


def _loop(route: Route) -> Failed:
    return Failed("5.4.6", f"Mail for {route.domain} loops back: its best mail exchanger is this system")


def unfound(route: Route, missing: Sequence[Missing]) -> Deferred | Failed:
    """Say what the *missing* hosts of *route*, at least one, mean for mail that no other host takes."""
    whys = "; ".join(host.why for host in missing[:4])
    if any(host.temporary for host in missing):
        return Deferred("4.4.3", f"DNS trouble: {whys}", whole=True)
    if route.host:
        # Our own settings name it: a slip there, or DNS in repair, must not return all the mail of a site.
        return Deferred("4.4.4", f"The next hop cannot be used: {whys}", whole=True)
    # RFC 3463 X.4.4, "unable to route": DNS gives nothing that could be a next hop. It is for this, and not for an
    # unknown domain (X.1.2); its own example is a domain of which DNS has nothing but the SOA record.
    return Failed("5.4.4", f"No usable mail exchanger of {route.domain}: {whys}")
