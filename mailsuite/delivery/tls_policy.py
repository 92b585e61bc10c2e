"""How much TLS a host needs, and whether what was got is enough.

=========  ==========================================================================================================
level      what is asked of a host
=========  ==========================================================================================================
none       nothing; TLS is not begun
may        TLS where it is offered, any certificate; but what TLSA records say holds (RFC 7672), and where they
           authenticate nobody, what an MTA-STS policy says (RFC 8461)
encrypt    TLS, any certificate
verify     TLS, a certificate that we trust, for the host or, where MX records led to it, the domain of the route
dane       TLS, a certificate that secure TLSA records name (RFC 7672 §6)
mta-sts    an MTA-STS policy, and what it asks for: TLS, a host that it names, a certificate that we trust, for the
           host; and what TLSA records say (RFC 8461 §2: the policy never overrides them)
=========  ==========================================================================================================

At *verify* a host that MX records without DNSSEC name is only as sure as these: who can forge them is not kept out.
The levels *dane* and *mta-sts*, and a route with a host, do not rest on such records.

A policy in testing keeps no mail back, whatever the level: hosts that are not what it asks for are logged (RFC 8461
§5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from twisted.logger import Logger

from mailsuite.delivery.asked import Strictness
from mailsuite.delivery.certificate_names import host_key, is_ip
from mailsuite.delivery.dane import Associated, Associations
from mailsuite.delivery.dane_lookup import associations
from mailsuite.delivery.mta_sts import MTASTS
from mailsuite.delivery.tls_proofs import Listed, Proof, Verified
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IResolver
from mailsuite.route import Route

_log = Logger()


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a connection to one host.

    *tls*: whether TLS is not begun, used where it is offered, or needed. *skip*, where it is not empty, says why this
    host cannot be used now, which is temporary. *sni* is the name to ask for (RFC 7672 §8.1, RFC 8461 §7.1), empty
    where there is none. *proofs* are needed; *trial* is only talked about (RFC 8461 §5, mode testing).
    """

    tls: Literal["none", "may", "must"] = "may"
    skip: str = ""
    sni: str = ""
    proofs: tuple[Proof, ...] = ()
    trial: Listed | None = None

    @property
    def by_policy(self) -> bool:
        """Whether an MTA-STS policy has a say: then the issuers count that all the world trusts (RFC 8461 §3.3)."""
        return self.trial is not None or any(isinstance(proof, Listed) for proof in self.proofs)

    def judge(self, encryption: Encryption) -> str:
        """Return why nothing may be sent over *encryption*; empty: it is enough. Never raises. Ask once."""
        if self.trial is not None:
            objection = self.trial.objection(encryption)
            if objection:
                _log.info("An MTA-STS policy in testing would keep us from {host}: {objection}",
                          host=self.trial.host, objection=objection)
        return _objection(self.proofs, encryption)

    def told(self, encryption: Encryption | None) -> str:
        """Say *encryption* and what proves it, for logs and trace fields: ``TLSv1.3 ... (DANE)``; empty: none.

        A certificate that nobody asked about is ``not verified``. It is judged anew at each call.
        """
        return "" if encryption is None else f"{encryption} ({self._proved(encryption)})"

    def _proved(self, encryption: Encryption) -> str:
        if self.proofs and not _objection(self.proofs, encryption):
            return ", ".join(proof.word for proof in self.proofs)
        if self.trial is None:
            return "not verified"
        objection = self.trial.objection(encryption)
        return f"not verified; {self.trial.word}: {objection}" if objection else self.trial.word


def _objection(proofs: Sequence[Proof], encryption: Encryption) -> str:
    return next(filter(None, (proof.objection(encryption) for proof in proofs)), "")


class TLSPolicy:
    """Says what is asked of hosts. *now* gives POSIX seconds, by which certificates are judged."""

    def __init__(self, resolver: IResolver, mta_sts: MTASTS, now: Callable[[], float]) -> None:
        self._resolver = resolver
        self._mta_sts = mta_sts
        self._now = now

    async def demand(
        self,
        route: Route,
        mx_secure: bool,
        policy_domain: str,
        host: str,
        host_secure: bool,
        strictness: Strictness = "",
    ) -> Demand:
        """Say what is asked of *host*: a name, an IP address, or the path of a socket.

        *mx_secure* and *host_secure* say whether DNSSEC vouches for the MX records that led to it, or for their
        absence, and for its addresses; the former does not matter where the route has a host. *policy_domain* is the
        domain whose MTA-STS policy counts: that of the recipient, or the route's host (RFC 8461 §3.4).
        *strictness* is what the message itself wants: TLS with a name that is vouched for, whatever the level
        (RFC 8689 §4.2.1), or that nothing fails for what the recipient's domain asks of TLS (§4.2.2).
        Raises `DnsTrouble`: this host cannot be used now (RFC 7672 §2.1.2).
        """
        if strictness == "required":
            # Whatever vouches for the host is looked for; a level that asks for more goes on doing so.
            level = route if route.tls in ("dane", "mta-sts") else replace(route, tls="may")
            demand = await self.demand(level, mx_secure, policy_domain, host, host_secure)
            return _strict(demand, host_key(host), mx_secure or bool(route.host), policy_domain)
        if strictness == "optional" and route.tls == "may":
            return Demand("may", sni=_sni(host_key(host)))
        host = host_key(host)
        sni = _sni(host)
        if route.tls == "none":
            return Demand("none")
        if route.tls == "encrypt":
            return Demand("must", sni=sni)
        if route.tls == "verify":
            return Demand("must", sni=sni, proofs=(Verified(_names(route, host)),))
        # RFC 7672 §2.2.1: an MX host counts where its MX records are secure.
        signed = mx_secure or bool(route.host)
        found = await associations(self._resolver, route, host, host_secure) if sni and signed else None
        if route.tls == "dane":
            return self._dane(route, sni, found, signed)
        if route.tls == "mta-sts":
            return await self._listed(host_key(policy_domain), host, found)
        return await self._published(host_key(policy_domain), host, found)

    def _dane(self, route: Route, sni: str, found: Associations | None, signed: bool) -> Demand:
        """RFC 7672 §6: without usable records nothing is sent now."""
        if not sni:
            return _skip("a host without a name has no TLSA records")
        if not signed:
            return _skip(f"the MX records of {host_key(route.domain)} are not signed with DNSSEC")
        if found is None:
            return _skip(f"{sni} has no TLSA records that are signed with DNSSEC")
        if not found.records:
            return _skip(f"no TLSA record of {sni} can be used")
        return self._by_records(sni, found)

    async def _listed(self, domain: str, host: str, found: Associations | None) -> Demand:
        """Without a policy nothing is sent now, and what TLSA records say holds as well (RFC 8461 §2)."""
        policy = await self._mta_sts.policy(domain)
        if policy is None:
            return _skip(f"no MTA-STS policy of {domain or 'the destination'} can be had")
        return self._by_policy(Listed(domain, policy, host), found)

    async def _published(self, domain: str, host: str, found: Associations | None) -> Demand:
        """What the destination itself asks for."""
        if found is not None and found.records:
            # RFC 8461 §2: DANE goes before, and its proof is enough.
            return self._by_records(host, found)
        policy = await self._mta_sts.policy(domain)
        if policy is None:
            return self._by_records(host, found)
        return self._by_policy(Listed(domain, policy, host), found)

    def _by_policy(self, listed: Listed, found: Associations | None) -> Demand:
        """Ask for what a policy says, and TLSA records beside it."""
        demand = self._by_records(listed.host, found)
        if listed.policy.mode == "testing":
            # RFC 8461 §5: as though there were no policy.
            return replace(demand, trial=replace(listed, word="MTA-STS testing"))
        return replace(demand, tls="must", skip=listed.unlisted(), proofs=(*demand.proofs, listed))

    def _by_records(self, host: str, found: Associations | None) -> Demand:
        """Ask for what TLSA records say, be it nothing."""
        if found is None:
            return Demand("may", sni=_sni(host))
        # RFC 7672 §2.2: records of which none can be used ask for TLS all the same.
        return Demand("must", sni=found.base, proofs=(Associated(found, self._now),) if found.records else ())


def _strict(demand: Demand, host: str, signed: bool, domain: str) -> Demand:
    """Ask what RFC 8689 §4.2.1 has beside *demand*; *signed*: it is sure that *host* is the right one."""
    if demand.skip:
        return demand
    proofs = demand.proofs
    if demand.trial is not None:
        # What is only tried out tells the names of hosts all the same.
        proofs = (*proofs, demand.trial)
    if not signed and not any(isinstance(proof, Listed) for proof in proofs):
        return _skip(
            f"neither DNSSEC nor an MTA-STS policy vouches that {host} takes mail for {domain}, as REQUIRETLS asks"
        )
    return replace(demand, tls="must", proofs=proofs or (Verified((host,)),), trial=None)


def _skip(reason: str) -> Demand:
    return Demand("must", skip=reason)


def _sni(host: str) -> str:
    """Return *host* where it is a name (RFC 6066 §3), and no IP address or path."""
    return "" if is_ip(host) or "/" in host or "[" in host else host


def _names(route: Route, host: str) -> tuple[str, ...]:
    """Return the names that a verified certificate may have; a path of a socket gives none."""
    if "/" in host:
        return ()
    names = (host,) if route.host else (host, host_key(route.domain))
    return tuple(dict.fromkeys(filter(None, names)))
