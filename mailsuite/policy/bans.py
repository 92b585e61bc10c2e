"""Who is kept out for a time: addresses, networks and logins, looked up in memory at each connection and each login.

A ban of our own making (`SERVER`) is for who guesses passwords. It keeps nobody from a login that was used from the
same place before (`mailsuite.policy.known`), and mail from there is still taken. An operator's word holds for
everybody.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from typing import Literal

from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit

# Who has made a ban, and what it keeps its subject from: logging in, or all connections.
SERVER: Literal["server"] = "server"
OPERATOR: Literal["operator"] = "operator"
LOGINS: Literal["logins"] = "logins"
ALL: Literal["all"] = "all"
# Beyond so many bans the oldest of our own making is forgotten; all are compared with the file's at each change.
MOST = 10_000
# What `IConnectionLimit.admit` returns for those that are kept out.
BANNED = "ban"


@dataclass(frozen=True, slots=True)
class Ban:
    """One ban. *subject* is an IP address, a network with its prefix length, or a login in key form.

    Times are POSIX seconds; without *until* it stands until it is removed.
    """

    subject: str
    until: float | None
    reason: str
    by: Literal["server", "operator"]
    covers: Literal["logins", "all"]
    since: float

    def is_over(self, now: float) -> bool:
        """Say whether it has ended."""
        return self.until is not None and self.until <= now


def network_subject(text: str) -> str:
    """Return the subject that an address or network stands for, in its one form. Raises `ValueError`.

    Host bits are cleared, and a mapped IPv4 address is unwrapped, as it is for a peer.
    """
    network = ip_network(text, strict=False)
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, which only this machine knows")
    if isinstance(network, IPv6Network) and network.prefixlen == 128:
        mapped = network.network_address.ipv4_mapped
        return str(network.network_address if mapped is None else mapped)
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


class Bans:
    """The bans that stand. *now* gives POSIX seconds, *trusted* says whether a peer's place is one of a known login.

    Answers at once. A lookup costs one step for each prefix length that is in use.
    """

    def __init__(self, now: Callable[[], float], trusted: Callable[[Peer], bool], most: int = MOST) -> None:
        self._now = now
        self._trusted = trusted
        self._most = most
        self._bans: dict[str, Ban] = {}
        # By IP version and prefix length, those bits of an address to the subject.
        self._networks: dict[tuple[int, int], dict[int, str]] = {}

    def __len__(self) -> int:
        return len(self._bans)

    def __contains__(self, subject: str) -> bool:
        """Whether a ban of *subject* stands."""
        ban = self._bans.get(subject)
        return ban is not None and not ban.is_over(self._now())

    def put(self, ban: Ban) -> None:
        """Add *ban*, in the place of one of the same subject."""
        self.drop(ban.subject)
        if len(self._bans) >= self._most:
            self._make_room()
        self._bans[ban.subject] = ban
        if "@" not in ban.subject:
            version, length, bits = _place(ban.subject)
            self._networks.setdefault((version, length), {})[bits] = ban.subject

    def drop(self, subject: str) -> None:
        """Forget the ban of *subject*, if there is one."""
        if self._bans.pop(subject, None) is None or "@" in subject:
            return
        version, length, bits = _place(subject)
        table = self._networks[version, length]
        del table[bits]
        if not table:
            del self._networks[version, length]

    def replace(self, bans: Iterable[Ban]) -> list[Ban]:
        """Let *bans* be all there are; return those that had not ended and are not among them."""
        now, wanted = self._now(), {ban.subject: ban for ban in bans}
        gone = [ban for subject, ban in self._bans.items() if subject not in wanted]
        for ban in gone:
            self.drop(ban.subject)
        for subject, ban in wanted.items():
            if self._bans.get(subject) != ban:
                self.put(ban)
        return [ban for ban in gone if not ban.is_over(now)]

    def keeps_out(self, peer: Peer, for_logins: bool) -> bool:
        """Say whether a connection of *peer* is refused; *for_logins*: nobody comes there but to log in."""
        # Most sites have none most of the time, and this is asked of each connection.
        return bool(self._bans) and any(
            ban.covers == ALL or (for_logins and (ban.by == OPERATOR or not self._trusted(peer)))
            for ban in self._of(peer)
        )

    def forbids(self, peer: Peer, account: str, known: bool) -> bool:
        """Say whether *peer* may not try to log in as *account*; *known*: it has done so before."""
        return any(ban.by == OPERATOR or not known for ban in self._of(peer, account))

    def bars(self, peer: Peer, account: str) -> bool:
        """Say whether an operator has forbidden *peer* to log in as *account*."""
        return any(ban.by == OPERATOR for ban in self._of(peer, account))

    def _of(self, peer: Peer, account: str = "") -> Iterator[Ban]:
        if not self._bans:
            return
        now = self._now()
        for subject in (account, *self._networks_of(peer)):
            ban = self._bans.get(subject)
            if ban is not None and not ban.is_over(now):
                yield ban

    def _networks_of(self, peer: Peer) -> Iterator[str]:
        """Yield the subjects with *peer* in them."""
        address = peer.address
        if address is None:
            return
        bits = int(address)
        for (version, length), table in self._networks.items():
            if version == address.version and (at := bits >> (address.max_prefixlen - length)) in table:
                yield table[at]

    def _make_room(self) -> None:
        oldest = next((subject for subject, ban in self._bans.items() if ban.by == SERVER), next(iter(self._bans)))
        self.drop(oldest)


@implementer(IConnectionLimit)
class NotBanned:
    """Refuses who is kept out, and leaves the others to *limit*. *bans* are there once the service has started.

    *for_logins*: nobody comes here but to log in.
    """

    def __init__(self, limit: IConnectionLimit, bans: Callable[[], Bans], for_logins: bool) -> None:
        self._limit = limit
        self._bans = bans
        self._for_logins = for_logins

    def admit(self, peer: Peer) -> str:
        """See `IConnectionLimit.admit`."""
        return BANNED if self._bans().keeps_out(peer, self._for_logins) else self._limit.admit(peer)

    def ended(self, peer: Peer) -> None:
        """See `IConnectionLimit.ended`."""
        self._limit.ended(peer)


def _place(subject: str) -> tuple[int, int, int]:
    network = ip_network(subject)
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return network.version, network.prefixlen, bits
