"""MTA-STS: finding the policy that holds for a domain, fetching it, keeping it fresh (RFC 8461 §3, §5.1)."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.delivery.certificate_names import host_key, is_ip
from mailsuite.delivery.mta_sts_cache import KeptPolicy, PolicyCache
from mailsuite.delivery.mta_sts_policy import POLICY_OCTETS, Policy, PolicyError, is_domain, parse_policy, policy_id
from mailsuite.dns import DnsTrouble, NoSuchDomain
from mailsuite.interfaces import IResolver, IWebClient
from mailsuite.route import CannotConnect

# RFC 8461 §3.2.
URL = "https://mta-sts.{domain}/.well-known/mta-sts.txt"
# RFC 8461 §3.3: after a failure the same version of a policy is not fetched again for so many seconds.
RETRY_SECONDS = 300.0
# So many failures are remembered at most; a longer list would be a flood's.
FAILURES = 10_000
# RFC 8461 §3.3 suggests that what is kept is renewed once a day; what ends sooner than in two has to be earlier.
RENEWAL_SECONDS = 86_400.0
# How often kept policies are looked after, by so many fetches at a time.
LOOK_SECONDS = 3600.0
FETCHES = 5


class MTASTS:
    """The policies of domains. *now* gives POSIX seconds; *url* is where a policy lies, with ``{domain}`` in it."""

    _log = Logger()

    def __init__(
        self, resolver: IResolver, web: IWebClient, cache: PolicyCache, now: Callable[[], float], url: str = URL
    ) -> None:
        self._resolver = resolver
        self._web = web
        self._cache = cache
        self._now = now
        self._url = url
        # When a policy could not be fetched, by domain and id.
        self._failures: OrderedDict[tuple[str, str], float] = OrderedDict()
        # Who waits for a lookup that is under way, by domain.
        self._waiting: dict[str, list[Deferred[Policy | None]]] = {}

    async def policy(self, domain: str) -> Policy | None:
        """Return the policy that *domain* (in any form) has now, of mode enforce or testing; ``None``: it has none.

        Never raises for what DNS or the policy's host do: without a fresh policy the kept one holds until its time is
        over (RFC 8461 §3.3), and without that there is none. May take as long as `IWebClient.get` does.
        """
        domain = host_key(domain)
        if is_ip(domain) or not is_domain(domain):
            # RFC 8461 §3.4: an address literal has no policy.
            return None
        mine: Deferred[Policy | None] = Deferred()
        waiting = self._waiting.setdefault(domain, [])
        waiting.append(mine)
        if len(waiting) == 1:
            # Its own Deferred: who stops waiting does not stop it for the others.
            finding = Deferred.fromCoroutine(self._find(domain))
            finding.addCallbacks(self._found, self._fell, callbackArgs=(domain,), errbackArgs=(domain,))
        return await mine

    def _found(self, policy: Policy | None, domain: str) -> None:
        for each in self._waiting.pop(domain):
            each.callback(policy)

    def _fell(self, failure: Failure, domain: str) -> None:
        for each in self._waiting.pop(domain):
            each.errback(failure)

    async def refresh(self) -> None:
        """Renew the policies that are kept and will be due before the next call, `LOOK_SECONDS` from now.

        Whatever DNS says meanwhile: who keeps the TXT record from us must not have them end (RFC 8461 §10.2).
        """
        domains = iter(self._cache.domains())
        await DeferredList([Deferred.fromCoroutine(self._renew(domains)) for _ in range(FETCHES)])

    async def _renew(self, domains: Iterator[str]) -> None:
        for domain in domains:
            kept = self._cache.get(domain, self._now())
            if kept is not None and self._is_old(kept) and self._may_fetch(domain, kept.id):
                try:
                    await self._fetch(domain, kept.id, kept)
                except Exception:
                    # The others are looked after all the same, now and the next time.
                    self._log.failure("The MTA-STS policy of {domain} could not be renewed", domain=domain)

    async def _find(self, domain: str) -> Policy | None:
        kept = self._cache.get(domain, self._now())
        announced = await self._announced(domain)
        if announced and self._is_due(kept, announced) and self._may_fetch(domain, announced):
            kept = await self._fetch(domain, announced, kept)
        # RFC 8461 §3.1, §5.1: nothing announced does not end a policy that is kept. Only mode none does (§8.3).
        if kept is None or kept.policy.mode == "none":
            return None
        return kept.policy

    async def _announced(self, domain: str) -> str:
        """Return the id of the policy that the domain has now; empty: nobody says that it has one."""
        try:
            return policy_id((await self._resolver.txt(f"_mta-sts.{domain}")).records)
        except (NoSuchDomain, DnsTrouble):
            return ""

    def _is_due(self, kept: KeptPolicy | None, announced: str) -> bool:
        if kept is None or kept.id != announced:
            return True
        return self._now() - kept.fetched >= kept.policy.max_age / 2

    def _is_old(self, kept: KeptPolicy) -> bool:
        return self._now() + LOOK_SECONDS >= kept.fetched + min(RENEWAL_SECONDS, kept.policy.max_age / 2)

    def _may_fetch(self, domain: str, announced: str) -> bool:
        failed = self._failures.get((domain, announced))
        return failed is None or not 0 <= self._now() - failed < RETRY_SECONDS

    async def _fetch(self, domain: str, announced: str, kept: KeptPolicy | None) -> KeptPolicy | None:
        """Return the policy as its host has it now, else *kept*."""
        try:
            kind, body = await self._web.get(self._url.format(domain=domain), POLICY_OCTETS)
            if kind.partition(";")[0].strip() != "text/plain":
                raise PolicyError("its media type is not text/plain")
            policy = parse_policy(body)
        except (CannotConnect, PolicyError) as error:
            self._failed(domain, announced, kept, str(error))
            return kept if kept is not None and kept.holds(self._now()) else None
        self._failures.pop((domain, announced), None)
        fresh = KeptPolicy(policy, announced, self._now())
        self._cache.put(domain, fresh)
        return fresh

    def _failed(self, domain: str, announced: str, kept: KeptPolicy | None, reason: str) -> None:
        self._failures[domain, announced] = self._now()
        self._failures.move_to_end((domain, announced))
        while len(self._failures) > FAILURES:
            self._failures.popitem(last=False)
        # RFC 8461 §3.3: operators hear of it.
        if kept is None or kept.policy.mode != "none":
            self._log.warn(
                "The MTA-STS policy of {domain} could not be fetched: {reason}", domain=domain, reason=reason
            )
