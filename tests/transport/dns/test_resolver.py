"""The resolver as a whole, over real sockets."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import dns.message
import dns.rdatatype
import pytest
from zope.interface.verify import verifyObject

from mailsuite.dns import MX, TLSA, DnsTrouble, Found, NoSuchDomain
from mailsuite.interfaces import IResolver
from mailsuite.transport.dns.resolver import Resolver
from mailsuite.transport.dns.servers import Server, TrustAD
from tests.transport.dns.world import Loop, NameServer, reply

Does = Callable[[dns.message.Message], dns.message.Message | None]


def zone(lines: Mapping[str, tuple[str, ...]], **more: Any) -> Does:
    """Answer each type of question with its records; ``NXDOMAIN`` and the like stand for that, ``-`` for silence."""

    def does(query: dns.message.Message) -> dns.message.Message | None:
        answer = lines.get(dns.rdatatype.to_text(query.question[0].rdtype), ())
        if answer == ("-",):
            return None
        if answer and " " not in answer[0]:
            return reply(query, rcode=answer[0], **more)
        return reply(query, *answer, **more)

    return does


class Site:
    """A name server that does what *does* says, and a resolver that asks it."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.does: Does = zone({})
        self.server = NameServer(self.loop, self.script)
        self.resolver = self.asking()

    def asking(self, trust_ad: TrustAD = "loopback", cache_size: int = 100) -> Resolver:
        """Return a resolver."""
        return Resolver(
            self.loop, [self.server.place], timeout=1.0, tries=1, cache_size=cache_size, trust_ad=trust_ad
        )

    def script(self, query: dns.message.Message, way: str) -> list[bytes]:
        made = self.does(query)
        return [] if made is None else [made.to_wire()]

    def result(self, coming: Coroutine[Any, Any, Found[Any]]) -> Found[Any]:
        """Return what comes; if it does not come in time, time passes."""
        started = self.loop.start(coming)
        self.loop.settle()
        self.loop.advance(1.0)
        return self.loop.result(started)

    def asked(self) -> list[str]:
        """Return the questions that were asked."""
        return [query.question[0].to_text() for _, query in self.server.queries]


@pytest.fixture
def site() -> Iterator[Site]:
    """A site."""
    made = Site()
    yield made
    made.server.close()
    assert made.loop.getReaders() == []
    assert made.loop.getDelayedCalls() == []


def test_interface(site: Site) -> None:
    """It is what others were promised."""
    assert verifyObject(IResolver, site.resolver)


class TestQuestions:
    """One method for each kind."""

    def test_mx(self, site: Site) -> None:
        """Mail exchangers, in no order; names are taken in any form."""
        site.does = zone({"MX": ("Example.ORG. 60 IN MX 20 B.example.", "example.org. 60 IN MX 10 a.example.")})

        found = site.result(site.resolver.mx("EXAMPLE.org."))

        assert set(found.records) == {MX(10, "a.example"), MX(20, "b.example")}
        assert found.name == "example.org"
        assert site.asked() == ["example.org. IN MX"]

    def test_null_mx(self, site: Site) -> None:
        """RFC 7505: a domain that takes no mail."""
        site.does = zone({"MX": ("example.org. 60 IN MX 0 .",)})

        assert site.result(site.resolver.mx("example.org")).records == (MX(0, ""),)

    def test_unicode(self, site: Site) -> None:
        """Names go out as A-labels."""
        site.result(site.resolver.mx("Bücher.example"))

        assert site.asked() == ["xn--bcher-kva.example. IN MX"]

    def test_txt(self, site: Site) -> None:
        """Strings are joined."""
        site.does = zone({"TXT": ('_mta-sts.example.org. 60 IN TXT "v=STSv1; " "id=1;"',)})

        assert site.result(site.resolver.txt("_mta-sts.example.org")).records == ("v=STSv1; id=1;",)

    def test_tlsa(self, site: Site) -> None:
        """Certificate associations, with the AD bit."""
        line = "_25._tcp.mx.example.org. 60 IN TLSA 3 1 1 " + "ab" * 32
        site.does = zone({"TLSA": (line,)}, flags="RD RA AD")

        assert site.result(site.resolver.tlsa("_25._tcp.mx.example.org")) == Found(
            (TLSA(3, 1, 1, b"\xab" * 32),), True, "_25._tcp.mx.example.org"
        )

    def test_ptr(self, site: Site) -> None:
        """The names of an address."""
        site.does = zone({"PTR": ("1.2.0.192.in-addr.arpa. 60 IN PTR MX.example.org.",)})

        assert site.result(site.resolver.ptr("192.0.2.1")).records == ("mx.example.org",)

    def test_nothing(self, site: Site) -> None:
        """A name without such records."""
        assert site.result(site.resolver.mx("example.org")) == Found((), False, "example.org")

    @pytest.mark.parametrize("flags", ["RD RA", "RD RA AD"])
    def test_no_such_domain(self, site: Site, flags: str) -> None:
        """A name that does not exist; and whether that is validated."""
        site.does = zone({"MX": ("NXDOMAIN",)}, flags=flags)
        with pytest.raises(NoSuchDomain, match=r"example\.org does not exist") as raised:
            site.result(site.resolver.mx("Example.org"))

        assert raised.value.secure is ("AD" in flags)

    @pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "-"])
    def test_trouble(self, site: Site, rcode: str) -> None:
        """Nobody could say."""
        site.does = zone({"MX": (rcode,)})
        why = "did not answer in 1 second" if rcode == "-" else f"answered {rcode} for example.org MX"
        with pytest.raises(DnsTrouble, match=f"127.0.0.1:{site.server.port} {why}"):
            site.result(site.resolver.mx("example.org"))

    @pytest.mark.parametrize("method", ["mx", "addresses", "txt", "tlsa", "ptr"])
    def test_no_names(self, site: Site, method: str) -> None:
        """What cannot be in the DNS is not asked for."""
        for name in ("", "a..example", "a" * 64 + ".example", "a." * 127 + "a"):
            with pytest.raises(NoSuchDomain):
                site.result(getattr(site.resolver, method)(name))

        assert site.asked() == []

    def test_kept(self, site: Site) -> None:
        """An answer is asked for once in its time."""
        site.does = zone({"MX": ("example.org. 60 IN MX 10 a.example.",)})
        first = site.result(site.resolver.mx("example.org"))
        assert site.result(site.resolver.mx("EXAMPLE.org.")) == first
        assert len(site.asked()) == 1
        site.loop.advance(60)
        site.result(site.resolver.mx("example.org"))

        assert len(site.asked()) == 2

    def test_not_trusted(self, site: Site) -> None:
        """A site may trust nobody."""
        site.does = zone({"MX": ("example.org. 60 IN MX 10 a.example.",)}, flags="RD RA AD")

        assert site.result(site.asking("loopback").mx("example.org")).secure is True
        assert site.result(site.asking("never").mx("example.org")).secure is False

    def test_stop(self, site: Site) -> None:
        """Nothing is left behind."""
        site.does = zone({"MX": ("-",)})
        started = site.loop.start(site.resolver.mx("example.org"))
        site.loop.settle()
        site.resolver.stop()

        with pytest.raises(DnsTrouble, match="service stops"):
            site.loop.result(started)


V6 = ("example.org. 60 IN AAAA 2001:db8::1",)
V4 = ("example.org. 60 IN A 192.0.2.1", "example.org. 60 IN A 192.0.2.2")


class TestAddresses:
    """Two questions for one answer."""

    def test_both(self, site: Site) -> None:
        """IPv6 (RFC 3596 §2.1) first."""
        site.does = zone({"AAAA": V6, "A": V4})

        assert site.result(site.resolver.addresses("Example.org")) == Found(
            ("2001:db8::1", "192.0.2.1", "192.0.2.2"), False, "example.org"
        )

    def test_at_once(self, site: Site) -> None:
        """Neither waits for the other."""
        site.does = zone({"AAAA": ("-",), "A": ("-",)})
        started = site.loop.start(site.resolver.addresses("example.org"))
        site.loop.settle()
        assert site.asked() == ["example.org. IN AAAA", "example.org. IN A"]
        site.loop.advance(1.0)

        with pytest.raises(DnsTrouble):
            site.loop.result(started)

    @pytest.mark.parametrize("other", [(), ("NXDOMAIN",), ("SERVFAIL",), ("-",)])
    def test_one(self, site: Site, other: tuple[str, ...]) -> None:
        """With addresses of one family the other does not matter."""
        site.does = zone({"AAAA": other, "A": V4})
        assert site.result(site.resolver.addresses("example.org")) == Found(
            ("192.0.2.1", "192.0.2.2"), False, "example.org"
        )
        site.does = zone({"AAAA": V6, "A": other})

        assert site.result(site.asking().addresses("example.org")) == Found(("2001:db8::1",), False, "example.org")

    def test_the_failing_one_is_asked_again(self, site: Site) -> None:
        """Only what was answered is kept."""
        site.does = zone({"AAAA": ("SERVFAIL",), "A": V4})
        site.result(site.resolver.addresses("example.org"))
        site.does = zone({"AAAA": V6, "A": ("SERVFAIL",)})

        assert site.result(site.resolver.addresses("example.org")).records == (
            "2001:db8::1", "192.0.2.1", "192.0.2.2"
        )

    @pytest.mark.parametrize("other", [(), ("NXDOMAIN",), ("REFUSED",)])
    def test_trouble(self, site: Site, other: tuple[str, ...]) -> None:
        """That one family has none says nothing about the one that nobody could tell of."""
        for lines in ({"AAAA": other, "A": ("SERVFAIL",)}, {"AAAA": ("SERVFAIL",), "A": other}):
            site.does = zone(lines)
            with pytest.raises(DnsTrouble, match="SERVFAIL"):
                site.result(site.asking().addresses("example.org"))

    def test_none(self, site: Site) -> None:
        """A name without addresses."""
        for denied in ("", "A", "AAAA"):
            lines = {denied: ("NXDOMAIN",)}
            site.does = zone(lines)
            assert site.result(site.asking().addresses("example.org")) == Found((), False, "example.org")

    @pytest.mark.parametrize("flags", ["RD RA", "RD RA AD"])
    def test_no_such_domain(self, site: Site, flags: str) -> None:
        """A name that does not exist in either family."""
        site.does = zone({"AAAA": ("NXDOMAIN",), "A": ("NXDOMAIN",)}, flags=flags)
        with pytest.raises(NoSuchDomain) as raised:
            site.result(site.resolver.addresses("example.org"))

        assert raised.value.secure is ("AD" in flags)

    @pytest.mark.parametrize(
        ("v6", "v4", "secure"), [(True, True, True), (True, False, False), (False, True, False)]
    )
    def test_secure(self, site: Site, v6: bool, v4: bool, secure: bool) -> None:
        """Both answers have to be validated."""

        def does(query: dns.message.Message) -> dns.message.Message:
            is_v6 = query.question[0].rdtype == dns.rdatatype.AAAA
            flags = "RD RA AD" if (v6 if is_v6 else v4) else "RD RA"
            return reply(query, *(V6 if is_v6 else V4), flags=flags)

        site.does = does

        assert site.result(site.resolver.addresses("example.org")).secure is secure

    def test_alias(self, site: Site) -> None:
        """The name at the end of the aliases is told."""
        alias = "www.example. 60 IN CNAME example.org."
        site.does = zone({"AAAA": (alias,), "A": (alias, *V4)})

        assert site.result(site.resolver.addresses("www.example")).name == "example.org"


def test_the_systems_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without servers of its own the resolver asks the system's."""
    monkeypatch.setattr("mailsuite.transport.dns.resolver.SystemServers.__call__", lambda self: [Server(self._path)])
    monkeypatch.setattr(Server, "trusted", lambda self, rule: False)
    loop = Loop()

    with pytest.raises(DnsTrouble, match=r"^/etc/resolv\.conf cannot be reached"):
        loop.result(Resolver(loop, tries=1).mx("example.org"))
