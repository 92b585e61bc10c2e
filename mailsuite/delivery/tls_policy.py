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
mta-sts    TLS, a host that an MTA-STS policy names, be it in testing, and a certificate that we trust, for the host;
           and what TLSA records say (RFC 8461 §2: the policy never overrides them)
=========  ==========================================================================================================

At *verify* a host that MX records without DNSSEC name is only as sure as these: who can forge them is not kept out.
The levels *dane* and *mta-sts*, and a route with a host, do not rest on such records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from twisted.logger import Logger

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
    trial: Proof | None = None

    def judge(self, encryption: Encryption) -> str:
        """Return why nothing may be sent over *encryption*; empty: it is enough. Never raises. Ask once."""
        if self.trial is not None:
            objection = self.trial.objection(encryption)
            if objection:
                _log.info("An MTA-STS policy in testing would keep us from {host}: {objection}",
                          host=self.sni, objection=objection)
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
        self, route: Route, mx_secure: bool, policy_domain: str, host: str, host_secure: bool
    ) -> Demand:
        """Say what is asked of *host*: a name, an IP address, or the path of a socket.

        *mx_secure* and *host_secure* say whether DNSSEC vouches for the MX records that led to it, or for their
        absence, and for its addresses; the former does not matter where the route has a host. *policy_domain* is the
        domain whose MTA-STS policy counts: that of the recipient, or the route's host (RFC 8461 §3.4).
        Raises `DnsTrouble`: this host cannot be used now (RFC 7672 §2.1.2).
        """
        host = host_key(host)
        sni = host if _is_name(host) else ""
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
            return await self._listed(host_key(policy_domain), sni, found)
        return await self._published(host_key(policy_domain), sni, found)

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
        return self._associated(found)

    async def _listed(self, domain: str, sni: str, found: Associations | None) -> Demand:
        """Without a policy nothing is sent now, and what TLSA records say holds as well (RFC 8461 §2)."""
        policy = await self._mta_sts.policy(domain) if sni else None
        if policy is None:
            return _skip(f"no MTA-STS policy of {domain or 'the destination'} can be had")
        dane = self._associated(found).proofs if found is not None and found.records else ()
        return _enforced(Listed(domain, policy, sni), found, dane)

    async def _published(self, domain: str, sni: str, found: Associations | None) -> Demand:
        """What the destination itself asks for."""
        if found is not None and found.records:
            # RFC 8461 §2: DANE goes before, and its proof is enough.
            return self._associated(found)
        policy = await self._mta_sts.policy(domain) if sni else None
        if policy is not None and policy.mode == "enforce":
            return _enforced(Listed(domain, policy, sni), found)
        trial = None if policy is None else Listed(domain, policy, sni, "MTA-STS testing")
        if found is None:
            return Demand("may", sni=sni, trial=trial)
        # RFC 7672 §2.2: records of which none can be used ask for TLS all the same.
        return Demand("must", sni=found.base, trial=trial)

    def _associated(self, found: Associations) -> Demand:
        return Demand("must", sni=found.base, proofs=(Associated(found, self._now),))


def _skip(reason: str) -> Demand:
    return Demand("must", skip=reason)


def _enforced(listed: Listed, found: Associations | None, proofs: tuple[Proof, ...] = ()) -> Demand:
    sni = listed.host if found is None else found.base
    return Demand("must", skip=listed.unlisted(), sni=sni, proofs=(*proofs, listed))


def _is_name(host: str) -> bool:
    return bool(host) and not is_ip(host) and "/" not in host and "[" not in host


def _names(route: Route, host: str) -> tuple[str, ...]:
    """Return the names that a verified certificate may have; a path of a socket gives none."""
    if "/" in host:
        return ()
    names = (host,) if route.host else (host, host_key(route.domain))
    return tuple(dict.fromkeys(filter(None, names)))
