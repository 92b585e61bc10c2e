"""The resolver with a real name server, dnsmasq, on the reactor that is used."""

import subprocess
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor

from mailsuite.dns import MX, DnsTrouble, Found, NoSuchDomain
from mailsuite.transport.dns.exchange import DnsReactor
from mailsuite.transport.dns.resolver import Resolver
from tests.system.ports import free_ports
from tests.system.programs import found

T = TypeVar("T")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(found("dnsmasq") is None, reason="not installed: dnsmasq (Debian package dnsmasq-base)"),
]

MANY = 40
# Text that is too long for one datagram of 1,232 octets.
LONG_TXT = ",".join(f"{number}" + "x" * 200 for number in range(10))
OPTIONS = [
    "--mx-host=example.org,mx1.example.org,10",
    "--mx-host=example.org,mx2.example.org,20",
    "--host-record=mx1.example.org,192.0.2.1,2001:db8::1",
    "--host-record=mx2.example.org,192.0.2.2",
    "--cname=www.example.org,mx1.example.org",
    "--txt-record=example.org,v=spf1 -all",
    f"--txt-record=long.example.org,{LONG_TXT}",
    "--host-record=xn--bcher-kva.example.org,192.0.2.3",
    *(f"--host-record=h{number}.example.org,192.0.2.{number}" for number in range(10, 10 + MANY)),
    "--local-ttl=60",
    "--local=/example.org/",
    "--local=/192.in-addr.arpa/",
]


class Site:
    """dnsmasq, and a resolver that asks it."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.program = subprocess.Popen(
            [
                str(found("dnsmasq")),
                "--no-daemon",
                "--no-resolv",
                "--no-hosts",
                "--conf-file=/dev/null",
                "--pid-file=",
                "--bind-interfaces",
                "--listen-address=127.0.0.1",
                f"--port={self.port}",
                *OPTIONS,
            ],
            stderr=subprocess.PIPE,
        )
        self.reactor = EPollReactor()
        self.resolver = Resolver(cast(DnsReactor, self.reactor), [("127.0.0.1", self.port)], tries=2)

    def result(self, *coming: Coroutine[Any, Any, T]) -> list[T]:
        """Return what comes, all at once."""
        results: list[T] = []
        failures: list[Any] = []
        for each in coming:
            Deferred.fromCoroutine(each).addCallbacks(results.append, failures.append)
        for _ in range(1_000):
            if failures:
                failures[0].raiseException()
            if len(results) == len(coming):
                return results
            self.reactor.iterate(0.1)
        raise AssertionError("no answer")

    def await_server(self) -> None:
        """Return when the server has begun: the first line of its log says so."""
        assert self.program.stderr is not None
        assert b"started" in (said := self.program.stderr.readline()), said

    def close(self) -> None:
        """End the server."""
        self.program.terminate()
        self.program.wait(10)
        assert self.program.stderr is not None
        self.program.stderr.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One for all tests."""
    made = Site()
    try:
        made.await_server()
        yield made
    finally:
        made.close()
    assert made.reactor.getDelayedCalls() == []


def test_mx(site: Site) -> None:
    """Mail exchangers."""
    (answer,) = site.result(site.resolver.mx("Example.ORG."))

    assert set(answer.records) == {MX(10, "mx1.example.org"), MX(20, "mx2.example.org")}


def test_addresses(site: Site) -> None:
    """Of both families, of one, through an alias, and of a name in Unicode."""
    found = site.result(
        *(site.resolver.addresses(name) for name in ("mx1.example.org", "mx2.example.org", "www.example.org"))
    )

    assert sorted(found, key=str) == sorted([
        Found(("2001:db8::1", "192.0.2.1"), False, "mx1.example.org"),
        Found(("192.0.2.2",), False, "mx2.example.org"),
        Found(("2001:db8::1", "192.0.2.1"), False, "mx1.example.org"),
    ], key=str)
    assert site.result(site.resolver.addresses("bücher.example.org"))[0].records == ("192.0.2.3",)


def test_txt(site: Site) -> None:
    """Short over UDP, long over TCP."""
    assert site.result(site.resolver.txt("example.org"))[0].records == ("v=spf1 -all",)
    assert site.result(site.resolver.txt("long.example.org"))[0].records == (LONG_TXT.replace(",", ""),)


def test_ptr(site: Site) -> None:
    """The name of an address."""
    assert site.result(site.resolver.ptr("192.0.2.2"))[0].records == ("mx2.example.org",)


def test_nothing(site: Site) -> None:
    """A name without records of a type, one that does not exist, one that the server does not know about."""
    assert site.result(site.resolver.mx("mx2.example.org"))[0] == Found((), False, "mx2.example.org")
    with pytest.raises(NoSuchDomain):
        site.result(site.resolver.mx("nowhere.example.org"))
    with pytest.raises(DnsTrouble, match="REFUSED"):
        site.result(site.resolver.mx("example.net"))


def test_many(site: Site) -> None:
    """Many questions at once."""
    names = [f"h{number}.example.org" for number in range(10, 10 + MANY)]
    answers = site.result(*(site.resolver.addresses(name) for name in names))

    assert sorted((each.name, *each.records) for each in answers) == [
        (f"h{number}.example.org", f"192.0.2.{number}") for number in range(10, 10 + MANY)
    ]
