"""DANE and MTA-STS for real: a signed zone, a validating resolver, mail exchangers, an HTTPS host, and our parts."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import capturedLogs
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from mailsuite.certificates import Pair
from mailsuite.delivery.mta_sts import MTASTS
from mailsuite.delivery.mta_sts_cache import PolicyCache
from mailsuite.delivery.tls_policy import Demand, TLSPolicy
from mailsuite.dns import DnsTrouble
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IRespondent
from mailsuite.route import Endpoint, Route, TLSLevel
from mailsuite.smtp.client import ClientSession
from mailsuite.smtp.client_events import ClientSettings, Secured
from mailsuite.transport.connector import Connector
from mailsuite.transport.dns.resolver import Resolver
from mailsuite.transport.web import WebClient
from tests.system.exchangers import POLICY, Exchanger, PolicyHost, digest, tls
from tests.system.signed_dns import FORGED, MISSING, OPEN, SIGNED, SignedDns
from tests.transport.authority import Authority
from tests.transport.loop import finish, reactor, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@implementer(IRespondent)
class Visitor:
    """Goes as far as TLS, and no further."""

    def __init__(self) -> None:
        self.encryption: Encryption | None = None
        self.over = False
        self._secured: Deferred[bool] = Deferred()

    def respond(self, event: Any) -> Any:
        return self._secured if isinstance(event, Secured) else None

    def tls_started(self, encryption: Encryption) -> None:
        self.encryption = encryption
        self._secured.callback(True)

    def lost(self, reason: str, cause: str = "") -> None:
        self.over = True


class World:
    """Two zones, two mail exchangers on one address (a good and a strange one), policies, and what we have made."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.threads = ThreadPool(0, 1)
        self.threads.start()
        root = Authority()
        hosts = [f"{host}.{zone}" for zone in (SIGNED, OPEN) for host in ("mx", "anchor", "unlisted")]
        good = root.issue(*hosts, above=[root])
        strange = Authority("Nobody").issue("strange.example")
        policies = {
            f"mta-sts.{OPEN}": POLICY.format(mode="enforce", mx=f"mx.{OPEN}"),
            f"mta-sts.testing.{OPEN}": POLICY.format(mode="testing", mx=f"mx.{OPEN}"),
            f"mta-sts.none.{OPEN}": POLICY.format(mode="none", mx=f"mx.{OPEN}"),
            f"mta-sts.{SIGNED}": POLICY.format(mode="enforce", mx=f"mx.{OPEN}"),
        }
        self.web = PolicyHost(tls(root.issue(*policies), folder), policies)
        self.good = Exchanger(tls(good, folder))
        self.strange = Exchanger(tls(strange, folder))
        self.dns = SignedDns(folder, self._zones(good))
        # RFC 8461 §3.3: policies go by the issuers of all the world, not by those that a site has for itself.
        environment.setenv("SSL_CERT_FILE", root.file(folder))
        (folder / "own").mkdir()
        self.own = Authority("Own").file(folder / "own")
        self.resolver = Resolver(reactor, [("127.0.0.1", self.dns.port)])
        self.start()

    def _zones(self, good: Pair) -> dict[str, str]:
        """Return the records of the zones: what the good exchanger has is published for both ports."""
        records = ["@ MX 10 mx", "mx A 127.0.0.1", "bare A 127.0.0.1", "unlisted A 127.0.0.1", "forged A 127.0.0.1"]
        records += ["anchor A 127.0.0.1", "misnamed A 127.0.0.1", "unusable A 127.0.0.1"]
        records += ["alias CNAME mx", f"away CNAME mx.{OPEN}."]
        for port in (self.good.port, self.strange.port):
            records += [f"_{port}._tcp.{host} TLSA 3 1 1 {digest(good)}" for host in ("mx", "away")]
            records += [f"_{port}._tcp.{host} TLSA 2 1 1 {digest(good, 1)}" for host in ("anchor", "misnamed")]
            records += [f"_{port}._tcp.unusable TLSA 1 1 1 {digest(good)}"]
        for place in ("", ".testing", ".none", ".gone"):
            records += [f'_mta-sts{place} TXT "v=STSv1; " "id=1;"', f"mta-sts{place} A 127.0.0.1"]
        text = "\n".join(records)
        return {SIGNED: text, OPEN: text, FORGED: f"_{self.good.port} TLSA 3 1 1 {digest(good)}"}

    def start(self) -> None:
        """Begin, or begin anew with what is in the file."""
        web = WebClient(reactor, self.resolver)
        path = str(self.folder / "mta-sts.json")
        self.cache = PolicyCache(path, reactor, lambda work: deferToThreadPool(reactor, self.threads, work))
        self.cache.load(reactor.seconds())
        url = f"https://mta-sts.{{domain}}:{self.web.port}/.well-known/mta-sts.txt"
        policies = MTASTS(self.resolver, web, self.cache, reactor.seconds, url)
        self.rules = TLSPolicy(self.resolver, policies, reactor.seconds)

    def demand(
        self, host: str, server: Exchanger, level: TLSLevel = "may", domain: str = "", named: bool = False
    ) -> Demand:
        """Say what is asked of *host*; *named*: a route names it, else the MX records of *domain* do."""
        domain = domain or host.partition(".")[2]
        route = Route(domain, domain, host=host if named else "", port=server.port, tls=level)
        mx_secure = False if named else finish(self.resolver.mx(domain)).secure
        secure = finish(self.resolver.addresses(host)).secure
        return finish(self.rules.demand(route, mx_secure, domain, host, secure))

    def visit(self, server: Exchanger, demand: Demand) -> Encryption:
        """Begin TLS with *server* and return what came of it."""
        connector = Connector(reactor, self.own)
        visitor = Visitor()
        core = ClientSession(ClientSettings("client.example", "must"))
        endpoint = Endpoint("127.0.0.1", server.port, demand.sni, worldwide=demand.by_policy)
        finish(connector.connect(endpoint, core, visitor))
        until(lambda: visitor.over)
        assert visitor.encryption is not None
        return visitor.encryption

    def stop(self) -> None:
        """End all that was started."""
        for server in (self.dns, self.web, self.good, self.strange):
            server.stop()
        finish(self.cache.stop())
        self.threads.stop()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """All of it, for all tests of this file."""
    folder = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
    with pytest.MonkeyPatch.context() as environment:
        made = World(folder, environment)
        yield made
        made.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("level", ["may", "dane"])
@pytest.mark.parametrize("host", ["mx", "anchor", "alias"])
def test_records_that_match(world: World, host: str, level: TLSLevel) -> None:
    """The certificate or its issuer, of a host or of what it is an alias of."""
    demand = world.demand(f"{host}.{SIGNED}", world.good, level)
    got = world.visit(world.good, demand)

    assert (demand.tls, demand.skip, demand.judge(got)) == ("must", "", "")
    assert demand.sni == f"{'mx' if host == 'alias' else host}.{SIGNED}"
    assert demand.told(got) == f"{got} (DANE)"


def test_names_under_an_anchor(world: World) -> None:
    """The right issuer, and a certificate for another host."""
    demand = world.demand(f"misnamed.{SIGNED}", world.good)

    assert demand.judge(world.visit(world.good, demand)) == (
        f"its certificate is not for misnamed.{SIGNED} or {SIGNED}"
    )


@pytest.mark.parametrize("host", ["mx", "anchor", "alias", "away"])
def test_records_that_do_not_match(world: World, host: str) -> None:
    """Whoever has taken the place of the exchanger gets no mail."""
    demand = world.demand(f"{host}.{SIGNED}", world.strange)

    assert demand.tls == "must"
    assert "that its TLSA records name" in demand.judge(world.visit(world.strange, demand))


def test_an_alias_out_of_the_signed_zone(world: World) -> None:
    """RFC 7672 §2.2.2: its own records hold."""
    demand = world.demand(f"away.{SIGNED}", world.good)

    assert demand.sni == f"away.{SIGNED}"
    assert demand.judge(world.visit(world.good, demand)) == ""


def test_records_that_cannot_be_used(world: World) -> None:
    """TLS, whatever the certificate; at dane nothing is sent."""
    demand = world.demand(f"unusable.{SIGNED}", world.strange, domain=f"none.{SIGNED}", named=True)
    assert (demand.tls, demand.skip, demand.judge(world.visit(world.strange, demand))) == ("must", "", "")

    assert world.demand(f"unusable.{SIGNED}", world.strange, "dane").skip


def test_a_record_that_somebody_forged(world: World) -> None:
    """The resolver does not believe it, and the host is not used: the true one may be kept from us."""
    with pytest.raises(DnsTrouble):
        world.demand(f"forged.{SIGNED}", world.good)


def test_a_signed_zone_without_records(world: World) -> None:
    """DANE does not apply; at dane nothing is sent."""
    assert world.demand(f"bare.{SIGNED}", world.good, domain=f"gone.{SIGNED}", named=True) == Demand(
        "may", sni=f"bare.{SIGNED}"
    )
    assert "has no TLSA records" in world.demand(f"bare.{SIGNED}", world.good, "dane").skip


def test_a_zone_that_is_not_signed(world: World) -> None:
    """The same records say nothing there."""
    demand = world.demand(f"mx.{OPEN}", world.strange, domain=f"gone.{OPEN}", named=True)
    assert demand == Demand("may", sni=f"mx.{OPEN}")

    assert "are not signed" in world.demand(f"mx.{OPEN}", world.good, "dane").skip


@pytest.mark.parametrize("level", ["may", "mta-sts"])
def test_a_policy_that_is_enforced(world: World, level: TLSLevel) -> None:
    """Fetched over HTTPS, it asks for a host that it names and a certificate that is good for it."""
    demand = world.demand(f"mx.{OPEN}", world.good, level)
    got = world.visit(world.good, demand)
    assert (demand.tls, demand.skip, demand.judge(got)) == ("must", "", "")
    assert demand.told(got) == f"{got} (MTA-STS)"
    assert "is not trusted" in demand.judge(world.visit(world.strange, demand))

    assert world.demand(f"unlisted.{OPEN}", world.good, level).skip == (
        f"the MTA-STS policy of {OPEN} does not name unlisted.{OPEN}"
    )
    assert world.web.asked.count(f"mta-sts.{OPEN}") == 1


def test_a_policy_in_testing(world: World) -> None:
    """It is told, and stops nothing."""
    demand = world.demand(f"mx.{OPEN}", world.strange, domain=f"testing.{OPEN}", named=True)
    got = world.visit(world.strange, demand)

    assert (demand.tls, demand.skip, demand.judge(got)) == ("may", "", "")
    assert "not verified; MTA-STS testing: its certificate is not trusted" in demand.told(got)


def test_a_policy_of_mode_none(world: World) -> None:
    """As though there were none."""
    demand = world.demand(f"mx.{OPEN}", world.strange, domain=f"none.{OPEN}", named=True)

    assert demand == Demand("may", sni=f"mx.{OPEN}")
    assert f"mta-sts.none.{OPEN}" in world.web.asked


def test_a_policy_that_is_announced_and_missing(world: World) -> None:
    """Nothing is asked for, operators hear of it, and at mta-sts nothing is sent."""
    world.start()
    with capturedLogs() as events:
        demand = world.demand(f"mx.{OPEN}", world.strange, domain=f"gone.{OPEN}", named=True)

    assert demand == Demand("may", sni=f"mx.{OPEN}")
    assert [event["domain"] for event in events if "domain" in event] == [f"gone.{OPEN}"]
    assert world.demand(f"mx.{OPEN}", world.good, "mta-sts", f"gone.{OPEN}", named=True).skip


def test_dane_goes_before_a_policy(world: World) -> None:
    """The policy of the signed zone names another host, and TLSA records are enough; where both are asked, not."""
    demand = world.demand(f"mx.{SIGNED}", world.good)
    assert (demand.skip, demand.judge(world.visit(world.good, demand))) == ("", "")

    assert "does not name" in world.demand(f"mx.{SIGNED}", world.good, "mta-sts").skip


def test_a_restart_forgets_no_policy(world: World) -> None:
    """What was fetched holds though its host is gone. This is the last test: the host stays away."""
    assert world.demand(f"mx.{OPEN}", world.good).tls == "must"
    finish(world.cache.stop())
    world.web.stop()

    world.start()

    demand = world.demand(f"mx.{OPEN}", world.good)
    assert (demand.tls, demand.judge(world.visit(world.good, demand))) == ("must", "")
