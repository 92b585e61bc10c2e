"""What is asked of a host at each level, and what is enough."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from mailsuite.delivery.asked import Strictness
from mailsuite.delivery.certificate_names import certifies
from mailsuite.delivery.mta_sts import MTASTS
from mailsuite.delivery.mta_sts_cache import PolicyCache
from mailsuite.delivery.tls_policy import Demand, TLSPolicy
from mailsuite.dns import MX, TLSA, DnsTrouble
from mailsuite.encryption import Encryption
from mailsuite.route import Route, TLSLevel
from tests.delivery.chains import HOST, NOW, SECONDS, chain, key, make, result, tlsa
from tests.delivery.web import FixedWeb
from tests.doubles_dns import FixedResolver

GOOD = chain()
OTHER = chain(leaf={"names": ["other.example"]})
OF_DOMAIN = chain(leaf={"names": ["b.example"]})
NAME = "_25._tcp.mx.b.example"
UNTRUSTED = "unable to get local issuer certificate"
UNUSABLE = TLSA(1, 1, 1, bytes(32))
EE = tlsa(3, 0, 1, GOOD.leaf)
WRONG = tlsa(3, 0, 1, OTHER.leaf)
URL = "https://mta-sts.b.example/.well-known/mta-sts.txt"
OTHERS = "*.other.example"


def encryption(sent: Sequence[bytes] = GOOD.whole, trust: str = "") -> Encryption:
    """Return a connection on which *sent* was shown."""
    return Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", tuple(sent), trust)


def text(mode: str, mx: str) -> bytes:
    """Return a policy."""
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n".encode()


def demand(
    level: TLSLevel,
    records: Sequence[TLSA] = (),
    policy: bytes = b"",
    *,
    mx_secure: bool = True,
    host_secure: bool = True,
    host: str = HOST,
    domain: str = "b.example",
    route: Route | None = None,
    troubled: str = "",
    strictness: Strictness = "",
) -> Demand:
    """Ask for the demand on a host of *domain* with these TLSA records and this MTA-STS policy of b.example."""
    secure = {"b.example", HOST, NAME} if host_secure else {"b.example"}
    names = FixedResolver(
        {"b.example": [MX(10, HOST)]},
        {HOST: ["192.0.2.1"]},
        {"_mta-sts.b.example": ["v=STSv1; id=1;"], "_mta-sts.mx.b.example": ["v=STSv1; id=1;"]} if policy else {},
        {NAME: records},
        secure=secure,
        troubled={troubled} if troubled else (),
    )
    web = FixedWeb({URL: ("text/plain", policy), URL.replace("b.e", "mx.b.e"): ("text/plain", policy)})
    cache = PolicyCache("/nonexistent", Clock(), lambda work: _never())
    rules = TLSPolicy(names, MTASTS(names, web, cache, lambda: SECONDS), lambda: SECONDS)
    route = route or Route("b.example", "b.example", tls=level)
    return result(rules.demand(route, mx_secure, domain, host, host_secure, strictness))


async def _never() -> None:
    raise AssertionError("nothing is written in these tests")


def test_none() -> None:
    """TLS is not begun, whatever is published."""
    asked = demand("none", [EE], text("enforce", HOST))

    assert asked == Demand("none")
    assert asked.told(None) == ""


@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_any_certificate(level: TLSLevel) -> None:
    """Where nothing is published, or nothing is looked for, any certificate will do, and none too."""
    asked = demand(level)

    assert (asked.tls, asked.skip, asked.sni) == ("may" if level == "may" else "must", "", HOST)
    for got in (encryption(), encryption((), UNTRUSTED), encryption(OTHER.whole, UNTRUSTED)):
        assert asked.judge(got) == ""
        assert asked.told(got) == "TLSv1.3 TLS_AES_256_GCM_SHA384 (not verified)"


def test_encrypt_looks_for_nothing() -> None:
    """An operator's word goes before what is published."""
    asked = demand("encrypt", [WRONG], text("enforce", OTHERS))

    assert (asked.tls, asked.skip, asked.judge(encryption((), UNTRUSTED))) == ("must", "", "")


@pytest.mark.parametrize(
    ("got", "objection"),
    [
        (encryption(), ""),
        (encryption(OF_DOMAIN.whole), ""),
        (encryption(OTHER.whole), "its certificate is not for mx.b.example or b.example"),
        (encryption(trust=UNTRUSTED), f"its certificate is not trusted: {UNTRUSTED}"),
        (encryption(trust="not looked at"), "its certificate is not trusted: not looked at"),
        (encryption(()), "it showed no certificate"),
        (encryption((b"no certificate",)), "its certificate is not for mx.b.example or b.example"),
    ],
)
def test_verify(got: Encryption, objection: str) -> None:
    """A trusted issuer, and the name of the host or of the domain."""
    asked = demand("verify", [WRONG], text("enforce", OTHERS), mx_secure=False, host_secure=False)

    assert (asked.tls, asked.skip, asked.sni) == ("must", "", HOST)
    assert asked.judge(got) == objection
    assert asked.told(got).endswith(" (not verified)" if objection else " (verified)")


def test_verify_the_host_of_a_route() -> None:
    """There is one name: the recipient's domain had no say in it."""
    asked = demand("verify", route=Route("relay", "b.example", host=HOST, tls="verify"))

    assert asked.judge(encryption()) == ""
    assert asked.judge(encryption(OF_DOMAIN.whole)) == "its certificate is not for mx.b.example"


def test_verify_an_ip_address() -> None:
    """It stands in the certificate as one."""
    asked = demand("verify", host="192.0.2.1", route=Route("relay", "", host="192.0.2.1", tls="verify"))
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))])
    own = make("192.0.2.1", key(), extra=[(addresses, False)])

    assert asked.sni == ""
    assert asked.judge(encryption((own.der,))) == ""
    assert asked.judge(encryption((make("192.0.2.1", key()).der,)))


def test_verify_a_socket() -> None:
    """No certificate is for a path."""
    asked = demand("verify", host="/run/lmtp", route=Route("relay", "", host="unix:/run/lmtp", tls="verify"))

    assert (asked.sni, asked.judge(encryption())) == ("", "its certificate is not for a host without a name")


@pytest.mark.parametrize("level", ["may", "dane"])
def test_dane(level: TLSLevel) -> None:
    """What the records say holds, and nothing else: no issuer, no policy."""
    asked = demand(level, [EE], text("enforce", OTHERS))

    assert (asked.tls, asked.skip, asked.sni) == ("must", "", HOST)
    assert asked.judge(encryption(trust=UNTRUSTED)) == ""
    assert asked.told(encryption(trust=UNTRUSTED)) == "TLSv1.3 TLS_AES_256_GCM_SHA384 (DANE)"
    assert asked.judge(encryption(OTHER.whole)) == "its certificate is none that its TLSA records name"
    assert asked.told(encryption(OTHER.whole)).endswith(" (not verified)")
    assert asked.judge(encryption(())) == "it showed no certificate"


def test_dane_looks_at_the_time() -> None:
    """The clock is the one that was given."""
    late = chain(leaf={"ends": NOW - timedelta(seconds=1)})
    asked = demand("may", [tlsa(2, 1, 1, GOOD.root)])

    assert asked.judge(encryption()) == ""
    assert "its certificates lead to none that its TLSA records name" in asked.judge(encryption(late.whole))


def test_dane_takes_the_domain_for_a_name() -> None:
    """RFC 7672 §3.2.2."""
    asked = demand("may", [tlsa(2, 1, 1, OF_DOMAIN.root)])

    assert asked.judge(encryption(OF_DOMAIN.whole)) == ""
    assert asked.judge(encryption(OTHER.whole)) == "its certificate is not for mx.b.example or b.example"


@pytest.mark.parametrize(("mx_secure", "host_secure"), [(False, True), (True, False), (False, False)])
def test_dane_needs_dnssec_all_the_way(mx_secure: bool, host_secure: bool) -> None:
    """At may nothing is asked for then; at dane nothing is sent."""
    asked = demand("may", [WRONG], mx_secure=mx_secure, host_secure=host_secure)
    assert (asked.tls, asked.judge(encryption())) == ("may", "")

    asked = demand("dane", [EE], mx_secure=mx_secure, host_secure=host_secure)
    assert asked.skip == (
        "mx.b.example has no TLSA records that are signed with DNSSEC"
        if mx_secure
        else "the MX records of b.example are not signed with DNSSEC"
    )


def test_dane_for_the_host_of_a_route() -> None:
    """No MX records led there: only its own addresses and records have to be signed."""
    route = Route("relay", "b.example", host=HOST, tls="may")

    assert demand("may", [EE], mx_secure=False, route=route).judge(encryption(OTHER.whole))


def test_records_that_cannot_be_used() -> None:
    """RFC 7672 §2.2: TLS without authentication at may; §6: nothing at dane."""
    asked = demand("may", [UNUSABLE])
    assert (asked.tls, asked.skip, asked.judge(encryption(()))) == ("must", "", "")

    assert demand("dane", [UNUSABLE]).skip == "no TLSA record of mx.b.example can be used"


def test_records_that_cannot_be_used_leave_it_to_a_policy() -> None:
    """They authenticate nobody; the policy does."""
    asked = demand("may", [UNUSABLE], text("enforce", HOST))
    assert (asked.tls, asked.judge(encryption())) == ("must", "")
    assert asked.judge(encryption(trust=UNTRUSTED))

    asked = demand("may", [UNUSABLE], text("testing", HOST))
    assert (asked.tls, asked.judge(encryption(trust=UNTRUSTED))) == ("must", "")


@pytest.mark.parametrize("level", ["may", "dane", "mta-sts"])
def test_trouble_with_the_records(level: TLSLevel) -> None:
    """RFC 7672 §2.1.2: the host cannot be used, whatever else is published."""
    with pytest.raises(DnsTrouble):
        demand(level, [EE], text("enforce", HOST), troubled=NAME)


def test_trouble_that_does_not_matter() -> None:
    """Levels that look at no records are not stopped by them."""
    for level in ("none", "encrypt", "verify"):
        assert demand(level, [EE], troubled=NAME).skip == ""
    assert demand("may", [EE], troubled=NAME, mx_secure=False).tls == "may"


@pytest.mark.parametrize("level", ["may", "mta-sts"])
def test_a_policy_that_is_enforced(level: TLSLevel) -> None:
    """RFC 8461 §4: a host that it names, a certificate that we trust, for the host alone."""
    asked = demand(level, policy=text("enforce", "*.b.example"), mx_secure=False)

    assert (asked.tls, asked.skip, asked.sni) == ("must", "", HOST)
    assert asked.judge(encryption()) == ""
    assert asked.told(encryption()) == "TLSv1.3 TLS_AES_256_GCM_SHA384 (MTA-STS)"
    assert asked.judge(encryption(trust=UNTRUSTED)) == f"its certificate is not trusted: {UNTRUSTED}"
    assert asked.judge(encryption(OF_DOMAIN.whole)) == "its certificate is not for mx.b.example"
    assert asked.judge(encryption(())) == "it showed no certificate"


@pytest.mark.parametrize("level", ["may", "mta-sts"])
@pytest.mark.parametrize("host", [HOST, "192.0.2.1", "2001:db8::1"])
def test_a_host_that_the_policy_does_not_name(level: TLSLevel, host: str) -> None:
    """It is passed over (RFC 8461 §8.4), also where MX records have an address for a name (RFC 8461 §4.1)."""
    asked = demand(level, policy=text("enforce", OTHERS), host=host)

    assert (asked.tls, asked.skip) == ("must", f"the MTA-STS policy of b.example does not name {host}")


@pytest.mark.parametrize("level", ["may", "mta-sts"])
@pytest.mark.parametrize("got", [encryption(trust=UNTRUSTED), encryption(OTHER.whole), encryption(())])
def test_a_policy_in_testing(got: Encryption, level: TLSLevel) -> None:
    """RFC 8461 §5: it fails no delivery, and what would have failed is told and logged."""
    asked = demand(level, policy=text("testing", HOST))
    with capturedLogs() as events:
        assert (asked.tls, asked.skip, asked.judge(got)) == ("may", "", "")

    assert "(not verified; MTA-STS testing: it" in asked.told(got)
    assert [(event["host"], event["objection"]) for event in events] == [
        (HOST, asked.told(got).partition("testing: ")[2][:-1])
    ]


@pytest.mark.parametrize("level", ["may", "mta-sts"])
def test_a_policy_in_testing_that_holds(level: TLSLevel) -> None:
    """That is told too; a host that it does not name is no reason to pass it over."""
    asked = demand(level, policy=text("testing", HOST))
    with capturedLogs() as events:
        assert asked.judge(encryption()) == ""
    assert not events
    assert asked.told(encryption()).endswith(" (MTA-STS testing)")

    asked = demand(level, policy=text("testing", OTHERS))
    assert (asked.skip, asked.judge(encryption())) == ("", "")
    assert asked.told(encryption()).endswith(
        "(not verified; MTA-STS testing: the MTA-STS policy of b.example does not name mx.b.example)"
    )


@pytest.mark.parametrize("level", ["may", "mta-sts"])
def test_a_policy_goes_by_the_issuers_of_all_the_world(level: TLSLevel) -> None:
    """RFC 8461 §3.3: not by those of a site, which may have a file of its own."""
    assert demand(level, policy=text("enforce", HOST)).by_policy
    assert demand(level, policy=text("testing", HOST)).by_policy

    for other in (demand("may"), demand("verify", policy=text("enforce", HOST)), demand("dane", [EE])):
        assert not other.by_policy


def test_a_policy_in_testing_and_a_host_without_a_name() -> None:
    """The host is told by its address."""
    asked = demand("may", policy=text("testing", HOST), host="192.0.2.1")
    with capturedLogs() as events:
        assert (asked.tls, asked.skip, asked.sni, asked.judge(encryption())) == ("may", "", "", "")

    assert [event["host"] for event in events] == ["192.0.2.1"]


def test_a_policy_in_testing_beside_dane() -> None:
    """What TLSA records say holds all the same."""
    asked = demand("mta-sts", [EE], text("testing", OTHERS))

    assert (asked.tls, asked.skip, asked.judge(encryption(trust=UNTRUSTED))) == ("must", "", "")
    assert asked.told(encryption()).endswith(" (DANE)")
    assert asked.judge(encryption(OTHER.whole)) == "its certificate is none that its TLSA records name"


@pytest.mark.parametrize("policy", [b"", text("none", HOST), b"nonsense"])
def test_no_policy(policy: bytes) -> None:
    """At may nothing is asked for; at mta-sts nothing is sent."""
    assert demand("may", policy=policy).tls == "may"
    assert demand("mta-sts", policy=policy).skip == "no MTA-STS policy of b.example can be had"


def test_a_policy_never_overrides_dane() -> None:
    """RFC 8461 §2: where both are asked for, both have to hold."""
    asked = demand("mta-sts", [WRONG], text("enforce", HOST))
    assert asked.judge(encryption()) == "its certificate is none that its TLSA records name"

    asked = demand("mta-sts", [EE], text("enforce", HOST))
    assert asked.judge(encryption()) == ""
    assert asked.told(encryption()).endswith(" (DANE, MTA-STS)")
    assert asked.judge(encryption(trust=UNTRUSTED))

    assert demand("mta-sts", [EE], text("enforce", OTHERS)).skip


@pytest.mark.parametrize(
    ("host", "domain"),
    [("192.0.2.1", "[192.0.2.1]"), ("2001:db8::1", "[ipv6:2001:db8::1]"), ("192.0.2.1", "192.0.2.1"),
     ("/run/lmtp", "unix:/run/lmtp")],
)  # fmt: skip
def test_destinations_without_a_name(host: str, domain: str) -> None:
    """RFC 7672 §2.2, RFC 8461 §3.4: neither DANE nor a policy applies to address literals and the hosts of routes."""
    assert demand("may", [EE], text("enforce", HOST), host=host, domain=domain) == Demand("may")

    assert demand("dane", [EE], host=host, domain=domain).skip == "a host without a name has no TLSA records"
    asked = demand("mta-sts", policy=text("enforce", HOST), host=host, domain=domain)
    assert asked.skip == f"no MTA-STS policy of {domain} can be had"


def test_names_of_a_certificate() -> None:
    """The one place where names are compared: any form, whole labels, subject alternative names alone."""
    made = make("mx.b.example", key(), names=["xn--bcher-kva.example", "*.xn--bcher-kva.example", "MX.b.example"])

    for name in ("bücher.example", "mx.bücher.example", "MX.B.EXAMPLE."):
        assert certifies(made.der, [name])
    for name in ("", ".", "a.b.bücher.example", "example", "192.0.2.1", "mx.b.example\0", "b.example"):
        assert not certifies(made.der, [name])
    assert not certifies(make("mx.b.example", key()).der, ["mx.b.example"])


def test_wildcards_and_other_alphabets() -> None:
    """RFC 6125 §6.4.3: a wildcard is any whole label, an A-label too; one that is a part of a label matches none."""
    made = make("x", key(), names=["*.b.example", "xn--*.c.example", "*-mx.d.example", "*.example", "*"])

    for name in ("xn--bcher-kva.b.example", "bücher.b.example", "BÜCHER.b.example.", "mx.b.example", "mx_1.b.example"):
        assert certifies(made.der, [name])
    for name in (
        "xn--bcher-kva.xn--bcher-kva.b.example", "xn--bcher-kva.c.example", "xn--bcher-mx.d.example",
        "xn--bcher-kva.example", "xn--bcher-kva", "b.example",
    ):  # fmt: skip
        assert not certifies(made.der, [name])


class TestRequired:
    """A message that must go no way without TLS (RFC 8689 §4.2.1)."""

    def demand(self, level: TLSLevel, records: Sequence[TLSA] = (), policy: bytes = b"", **more: Any) -> Demand:
        """Ask for the demand of such a message."""
        return demand(level, records, policy, strictness="required", **more)

    @pytest.mark.parametrize("level", ["none", "may", "encrypt", "verify"])
    def test_the_name_must_be_vouched_for(self, level: TLSLevel) -> None:
        """By DNSSEC or an MTA-STS policy: else the host is not used, whatever the route asks for."""
        asked = self.demand(level, mx_secure=False)

        assert asked.tls == "must"
        assert "neither DNSSEC nor an MTA-STS policy vouches that mx.b.example takes mail for b.example" in asked.skip

    @pytest.mark.parametrize("level", ["none", "may", "encrypt", "verify"])
    def test_dnssec_vouches(self, level: TLSLevel) -> None:
        """Then the certificate is for the host, and from an issuer that we trust."""
        asked = self.demand(level)

        assert (asked.tls, asked.skip, asked.judge(encryption())) == ("must", "", "")
        assert asked.judge(encryption(OF_DOMAIN.whole)) == "its certificate is not for mx.b.example"
        assert asked.judge(encryption(trust=UNTRUSTED)) == f"its certificate is not trusted: {UNTRUSTED}"

    def test_dane_is_enough(self) -> None:
        """RFC 7672: no issuer is asked."""
        asked = self.demand("may", [EE])

        assert asked.judge(encryption(trust=UNTRUSTED)) == ""
        assert asked.judge(encryption(OTHER.whole)) != ""

    def test_records_that_cannot_be_used(self) -> None:
        """RFC 7672 §2.2: the certificate has to be a good one in the other way."""
        asked = self.demand("may", [UNUSABLE])

        assert asked.judge(encryption()) == ""
        assert asked.judge(encryption(trust=UNTRUSTED)) != ""

    @pytest.mark.parametrize("mode", ["enforce", "testing"])
    def test_a_policy_vouches(self, mode: str) -> None:
        """RFC 8461 §4.1: a name that it has; what it only tries out is a name all the same."""
        asked = self.demand("may", policy=text(mode, HOST), mx_secure=False)

        assert (asked.tls, asked.skip, asked.judge(encryption())) == ("must", "", "")
        assert asked.by_policy
        assert asked.judge(encryption(trust=UNTRUSTED)) != ""

    @pytest.mark.parametrize("mode", ["enforce", "testing"])
    def test_a_policy_that_names_others(self, mode: str) -> None:
        """This host is out of the question."""
        asked = self.demand("may", policy=text(mode, OTHERS), mx_secure=False)

        assert asked.skip or asked.judge(encryption()) == "the MTA-STS policy of b.example does not name mx.b.example"

    def test_a_host_that_a_route_names(self) -> None:
        """The administrator vouches for it."""
        route = Route("isp", "", host=HOST, tls="none")
        asked = self.demand("none", mx_secure=False, route=route)

        assert (asked.tls, asked.skip, asked.judge(encryption())) == ("must", "", "")
        assert asked.judge(encryption(OTHER.whole)) == "its certificate is not for mx.b.example"


class TestOptional:
    """A message with TLS-Required: No (RFC 8689 §4.2.2)."""

    def test_what_the_domain_asks_for_is_ignored(self) -> None:
        """TLS where it can be had, with any certificate or none."""
        asked = demand("may", [WRONG], text("enforce", OTHERS), strictness="optional")

        assert asked == Demand("may", sni=HOST)

    @pytest.mark.parametrize("level", ["none", "encrypt", "verify", "dane"])
    def test_what_the_administrator_asks_for_holds(self, level: TLSLevel) -> None:
        """It is not the recipient's domain that asks for it."""
        asked = demand(level, [EE], strictness="optional")
        plain = demand(level, [EE])

        assert (asked.tls, asked.skip, len(asked.proofs)) == (plain.tls, plain.skip, len(plain.proofs))
