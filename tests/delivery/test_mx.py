"""Finding hosts: RFC 5321 §5.1, RFC 7505, and what a destination's DNS may not do to us."""

import ipaddress
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.mx import EXCHANGERS, Hop, Lookup, Missing, Nowhere, next_hops, unfound
from mailsuite.delivery.reachable import is_public, literal
from mailsuite.dns import MX
from mailsuite.outcome import Deferred as PutOff
from mailsuite.outcome import Failed
from mailsuite.route import Route
from tests.doubles_dns import FixedResolver

# Documentation addresses are not public: most tests use them, and let them be used.
ROUTE = Route("b.example", "b.example", private=True)


def nobody(host: str, port: int) -> bool:
    return False


def lookup(
    resolver: FixedResolver,
    ourselves: Callable[[str, int], bool] = nobody,
    prefer: Literal["any", "ipv6", "ipv4"] = "any",
    shuffle: Callable[[list[Any]], None] = lambda records: None,
) -> Lookup:
    return Lookup(resolver, ourselves, shuffle, prefer)


def hops(look: Lookup, route: Route = ROUTE, most: int = 1000) -> list[Hop]:
    """Return the first *most* hops. Raises `Nowhere`."""

    async def all_of_them() -> list[Hop]:
        found: list[Hop] = []
        async for hop in next_hops(route, look):
            if isinstance(hop, Hop):
                found.append(hop)
            if len(found) == most:
                break
        return found

    return SynchronousTestCase().successResultOf(Deferred.fromCoroutine(all_of_them()))


def addresses(look: Lookup, route: Route = ROUTE) -> list[str]:
    return [hop.address for hop in hops(look, route)]


def nowhere(look: Lookup, route: Route = ROUTE) -> PutOff | Failed:
    """Return why there is no host."""

    async def outcome() -> PutOff | Failed:
        missing: list[Missing] = []
        try:
            async for host in next_hops(route, look):
                assert isinstance(host, Missing), "there is a host"
                missing.append(host)
        except Nowhere as error:
            return error.outcome
        assert missing, "there is neither a host nor a reason"
        return unfound(route, missing)

    return SynchronousTestCase().successResultOf(Deferred.fromCoroutine(outcome()))


def us(*known: str) -> Callable[[str, int], bool]:
    return lambda host, port: port == 25 and host in known


TWO = {"mx1.b.example": ["192.0.2.1", "192.0.2.2"], "mx2.b.example": ["192.0.2.3"]}


def test_by_preference() -> None:
    """Lower numbers first, each host's addresses in the resolver's order."""
    resolver = FixedResolver({"b.example": [MX(20, "mx2.b.example"), MX(10, "mx1.b.example")]}, TWO)

    assert [(hop.host, hop.address) for hop in hops(lookup(resolver))] == [
        ("mx1.b.example", "192.0.2.1"), ("mx1.b.example", "192.0.2.2"), ("mx2.b.example", "192.0.2.3"),
    ]


def test_equal_preference_by_chance() -> None:
    """Equal ones are shuffled, by the chance that is given, and only among themselves."""
    records = [MX(10, "mx1.b.example"), MX(10, "mx2.b.example"), MX(5, "mx0.b.example")]
    resolver = FixedResolver({"b.example": records}, {**TWO, "mx0.b.example": ["192.0.2.9"]})

    found = addresses(lookup(resolver, shuffle=list.reverse))

    assert found == ["192.0.2.9", "192.0.2.3", "192.0.2.1", "192.0.2.2"]


def test_worse_exchangers_are_looked_up_when_they_are_needed() -> None:
    """A lookup is not made for a host that is not tried."""
    resolver = FixedResolver({"b.example": [MX(10, "mx1.b.example"), MX(20, "mx2.b.example")]}, TWO)

    hops(lookup(resolver), most=1)

    assert resolver.asked == [("mx", "b.example"), ("addresses", "mx1.b.example")]


def test_implicit_mx() -> None:
    """A domain without MX records is its own exchanger."""
    resolver = FixedResolver(addresses={"b.example": ["192.0.2.5"]})

    assert hops(lookup(resolver)) == [Hop("b.example", "192.0.2.5")]


def test_no_address_of_the_domain_where_there_are_mx_records() -> None:
    """Once MX records are there, the domain's own address is not used (MUST NOT)."""
    resolver = FixedResolver({"b.example": [MX(10, "gone.example")]}, {"b.example": ["192.0.2.5"]})

    assert nowhere(lookup(resolver)) == Failed(
        "5.4.4", "No usable mail exchanger of b.example: gone.example does not exist in DNS"
    )


def test_unknown_domain() -> None:
    """NXDOMAIN is final."""
    assert nowhere(lookup(FixedResolver())) == Failed("5.1.2", "The domain b.example does not exist in DNS")


def test_domain_without_mx_and_address() -> None:
    """RFC 3463's own example of X.4.4."""
    outcome = nowhere(lookup(FixedResolver(txt={"b.example": ["v=spf1 -all"]})))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.4"


def test_null_mx() -> None:
    """RFC 7505: the domain takes no mail, and its address is not tried."""
    resolver = FixedResolver({"b.example": [MX(0, "")]}, {"b.example": ["192.0.2.5"]})

    assert nowhere(lookup(resolver)) == Failed("5.1.10", "b.example does not accept mail (null MX)")


def test_null_mx_among_others() -> None:
    """Which must not be; the others count."""
    resolver = FixedResolver({"b.example": [MX(0, ""), MX(10, "mx2.b.example")]}, TWO)

    assert addresses(lookup(resolver)) == ["192.0.2.3"]


@pytest.mark.parametrize("method", ["mx", "addresses"])
def test_dns_trouble_is_temporary(method: str) -> None:
    """Nobody could say: later."""
    resolver = FixedResolver(
        {"b.example": [MX(10, "mx2.b.example")]}, TWO,
        troubled=[("mx", "b.example"), ("addresses", "mx2.b.example")][method == "addresses" :],
    )

    outcome = nowhere(lookup(resolver))

    assert isinstance(outcome, PutOff)
    assert (outcome.status, outcome.whole) == ("4.4.3", True)
    assert "SERVFAIL" in outcome.reason


def test_trouble_with_one_host_is_passed_over() -> None:
    """The next exchanger is tried."""
    resolver = FixedResolver(
        {"b.example": [MX(10, "mx1.b.example"), MX(20, "mx2.b.example")]}, TWO, troubled=["mx1.b.example"]
    )

    assert addresses(lookup(resolver)) == ["192.0.2.3"]


def test_hosts_without_an_address_are_told_of() -> None:
    """In their place: they count where the others do not take the mail."""
    records = [MX(10, "mx1.b.example"), MX(10, "gone.example"), MX(20, "mx2.b.example")]
    resolver = FixedResolver({"b.example": records}, TWO, troubled=["mx2.b.example"])

    async def everything() -> list[Hop | Missing]:
        return [found async for found in next_hops(ROUTE, lookup(resolver))]

    assert SynchronousTestCase().successResultOf(Deferred.fromCoroutine(everything())) == [
        Hop("mx1.b.example", "192.0.2.1"),
        Hop("mx1.b.example", "192.0.2.2"),
        Missing("gone.example", 0, False, "gone.example does not exist in DNS"),
        Missing(
            "mx2.b.example",
            1,
            True,
            "no answer about the addresses of mx2.b.example: 192.0.2.53 answered SERVFAIL for mx2.b.example",
        ),
    ]


def test_one_host_in_trouble_and_one_that_is_not_there() -> None:
    """Temporary: the one in trouble may take it."""
    resolver = FixedResolver(
        {"b.example": [MX(10, "mx1.b.example"), MX(20, "gone.example")]}, TWO, troubled=["mx1.b.example"]
    )

    outcome = nowhere(lookup(resolver))

    assert isinstance(outcome, PutOff)
    assert "gone.example does not exist" in outcome.reason


def test_exchanger_that_is_an_alias() -> None:
    """Against RFC 2181 §10.3, and tolerated."""
    resolver = FixedResolver(
        {"b.example": [MX(10, "mail.b.example")]}, TWO, aliases={"mail.b.example": "mx2.b.example"}
    )

    assert hops(lookup(resolver)) == [Hop("mail.b.example", "192.0.2.3")]


def test_exchanger_that_is_an_address() -> None:
    """Against RFC 5321 §5.1, and tolerated."""
    resolver = FixedResolver({"b.example": [MX(10, "192.0.2.77")]})

    assert hops(lookup(resolver)) == [Hop("192.0.2.77", "192.0.2.77")]
    assert resolver.asked == [("mx", "b.example")]


def test_host_that_is_named_twice() -> None:
    """It is tried once, where it is better."""
    records = [MX(20, "mx2.b.example"), MX(10, "mx2.b.example"), MX(15, "mx1.b.example")]

    found = addresses(lookup(FixedResolver({"b.example": records}, TWO)))

    assert found == ["192.0.2.3", "192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(("records", "tried"), [(EXCHANGERS, EXCHANGERS), (EXCHANGERS + 1, EXCHANGERS)])
def test_exchangers_are_bounded(records: int, tried: int) -> None:
    """A domain may name as many as it likes, and the best are looked at."""
    names = {f"mx{number}.b.example": [f"192.0.2.{number}"] for number in range(records)}
    resolver = FixedResolver({"b.example": [MX(10, name) for name in names]}, names)

    assert len(hops(lookup(resolver))) == tried


# Ourselves

LIST = [MX(10, "mx1.b.example"), MX(20, "mx2.b.example"), MX(30, "mx3.b.example")]
THREE = {**TWO, "mx3.b.example": ["192.0.2.4"]}


@pytest.mark.parametrize("known", ["mx2.b.example", "192.0.2.3"], ids=["name", "address"])
def test_list_that_names_us(known: str) -> None:
    """We, and what is no better, are left out."""
    assert addresses(lookup(FixedResolver({"b.example": LIST}, THREE), us(known))) == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("known", ["mx2.b.example", "192.0.2.3"], ids=["name", "address"])
def test_hosts_of_our_preference(known: str) -> None:
    """One that is as good as we are is left out, also where it comes first."""
    equal = [MX(10, "mx3.b.example"), MX(10, "mx2.b.example")]

    outcome = nowhere(lookup(FixedResolver({"b.example": equal}, THREE), us(known)))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.6"


@pytest.mark.parametrize("known", ["mx1.b.example", "192.0.2.2"], ids=["name", "address"])
def test_list_in_which_we_are_the_best(known: str) -> None:
    """Nothing is left: a loop."""
    outcome = nowhere(lookup(FixedResolver({"b.example": LIST}, THREE), us(known)))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.6"


def test_implicit_mx_that_is_us() -> None:
    """A domain that points to us, and that we do not know."""
    outcome = nowhere(lookup(FixedResolver(addresses={"b.example": ["192.0.2.5"]}), us("192.0.2.5")))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.6"


def test_better_hosts_without_an_address() -> None:
    """It is they who are missing; we are in the list as we should be."""
    resolver = FixedResolver({"b.example": [MX(10, "gone.example"), MX(20, "mx2.b.example")]}, TWO)

    outcome = nowhere(lookup(resolver, us("mx2.b.example")))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.4"


@pytest.mark.parametrize("backup", [True, False])
def test_dns_trouble_with_what_may_be_ourselves(backup: bool) -> None:
    """A backup that cannot find itself in the list sends to nobody who might be worse: they would send it back."""
    resolver = FixedResolver({"b.example": LIST}, THREE, troubled=["mx2.b.example"])

    found = addresses(lookup(resolver, us("192.0.2.3")), Route("b.example", "b.example", private=True, backup=backup))

    assert found == ["192.0.2.1", "192.0.2.2"] + ([] if backup else ["192.0.2.4"])


def test_dns_trouble_with_others() -> None:
    """Whoever stands in the list by a name that we know has nothing to fear; nor have those of the same preference."""
    route = Route("b.example", "b.example", private=True, backup=True)
    resolver = FixedResolver({"b.example": LIST}, THREE, troubled=["mx1.b.example"])
    assert addresses(lookup(resolver, us("mx3.b.example")), route) == ["192.0.2.3"]

    equal = [MX(10, "mx2.b.example"), MX(10, "mx1.b.example"), MX(20, "mx3.b.example")]
    resolver = FixedResolver({"b.example": equal}, THREE, troubled=["mx2.b.example"])
    assert addresses(lookup(resolver, us("192.0.2.3")), route) == ["192.0.2.1", "192.0.2.2"]


def test_another_port_is_not_us() -> None:
    """Two systems may share an address."""
    resolver = FixedResolver(addresses={"b.example": ["127.0.0.1"]})

    found = addresses(lookup(resolver, us("127.0.0.1")), Route("b.example", "b.example", port=2525, private=True))

    assert found == ["127.0.0.1"]


# Addresses that are not public

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
    "100.64.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "fec0::1", "feff::1",
]
PUBLIC = ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::909:909"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_not_connected_to(address: str) -> None:
    """Whoever writes DNS records must not reach what is behind our walls."""
    resolver = FixedResolver(addresses={"b.example": [address]})

    outcome = nowhere(lookup(resolver), Route("b.example", "b.example"))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.4"
    assert "not public" in outcome.reason


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """All others are."""
    resolver = FixedResolver(addresses={"b.example": ["10.0.0.1", address]})

    assert addresses(lookup(resolver), Route("b.example", "b.example")) == [address]


def test_private_addresses_where_they_are_allowed() -> None:
    """A route may say so."""
    assert addresses(lookup(FixedResolver(addresses={"b.example": PRIVATE}))) == PRIVATE


@given(st.ip_addresses())
def test_no_address_is_public_that_python_calls_otherwise(address: Any) -> None:
    """Wrapped or not. (What a tunnel's address is called itself is not the same in every Python.)"""
    if is_public(str(address)):
        inside = getattr(address, "sixtofour", None) or address
        assert inside.is_global or address in ipaddress.ip_network("64:ff9b::/96") or address.ipv4_mapped


# Families

MIXED = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]


@pytest.mark.parametrize(
    ("prefer", "order"),
    [
        ("any", MIXED),
        ("ipv6", ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]),
        ("ipv4", ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]),
    ],
)
def test_preferred_family(prefer: Any, order: list[str]) -> None:
    """It comes first, and otherwise the order stays."""
    assert addresses(lookup(FixedResolver(addresses={"b.example": MIXED}), prefer=prefer)) == order


def test_source_of_the_route() -> None:
    """An address of another kind cannot be sent from it."""
    route = Route("b.example", "b.example", private=True, source="192.0.2.99")
    look = lookup(FixedResolver(addresses={"b.example": MIXED, "six.example": ["2001:db8::1"]}))

    assert addresses(look, route) == ["192.0.2.1", "192.0.2.2"]
    outcome = nowhere(look, Route("route:x", "six.example", "six.example", private=True, source="192.0.2.99"))
    assert isinstance(outcome, PutOff)
    assert "192.0.2.99" in outcome.reason


# Security

def test_dnssec_is_passed_on() -> None:
    """Both lookups' word is kept, for DANE."""
    records = {"b.example": [MX(10, "mx1.b.example"), MX(20, "mx2.b.example")]}
    resolver = FixedResolver(records, TWO, secure=["b.example", "mx2.b.example"])

    found = hops(lookup(resolver))

    assert [(hop.host, hop.mx_secure, hop.host_secure) for hop in found] == [
        ("mx1.b.example", True, False), ("mx1.b.example", True, False), ("mx2.b.example", True, True),
    ]


def test_dnssec_of_an_implicit_mx() -> None:
    """The answer that there are no MX records is signed, too."""
    resolver = FixedResolver(addresses={"b.example": ["192.0.2.5"]}, secure=["b.example"])

    assert hops(lookup(resolver)) == [Hop("b.example", "192.0.2.5", True, True)]


# Routes with a host, and address literals

def test_route_with_a_host() -> None:
    """Its addresses, and no MX records of it."""
    resolver = FixedResolver({"relay.example": [MX(10, "other.example")]}, {"relay.example": ["192.0.2.7"]})

    found = hops(lookup(resolver), Route("route:x", "relay.example", "relay.example", private=True))

    assert found == [Hop("relay.example", "192.0.2.7", True, False)]
    assert resolver.asked == [("addresses", "relay.example")]


def test_route_with_an_address() -> None:
    """No lookup at all."""
    resolver = FixedResolver()

    found = hops(lookup(resolver), Route("route:x", "", "127.0.0.1", private=True))

    assert found == [Hop("127.0.0.1", "127.0.0.1", True, False)]
    assert not resolver.asked


def test_route_to_ourselves() -> None:
    """What the settings name is meant, be it a filter at our own address."""
    route = Route("route:x", "", "127.0.0.1", private=True)

    assert addresses(lookup(FixedResolver(), us("127.0.0.1")), route) == ["127.0.0.1"]


def test_route_with_a_socket() -> None:
    """A path."""
    found = hops(lookup(FixedResolver()), Route("route:x", "", "unix:/run/lmtp", lmtp=True))

    assert found == [Hop("unix:/run/lmtp", "/run/lmtp", True, True)]


def test_route_with_a_host_that_is_not_there() -> None:
    """A slip in our settings returns nobody's mail."""
    outcome = nowhere(lookup(FixedResolver()), Route("route:x", "", "relay.example"))

    assert isinstance(outcome, PutOff)
    assert (outcome.status, outcome.whole) == ("4.4.4", True)


@pytest.mark.parametrize(
    ("domain", "address"), [("[192.0.2.1]", "192.0.2.1"), ("[ipv6:2001:db8::1]", "2001:db8::1")]
)
def test_address_literal(domain: str, address: str) -> None:
    """Straight to the address."""
    assert hops(lookup(FixedResolver()), Route(domain, domain, private=True)) == [Hop(address, address)]


@pytest.mark.parametrize("domain", ["[127.0.0.1]", "[ipv6:::ffff:10.0.0.1]"])
def test_private_address_literal(domain: str) -> None:
    """A sender must not reach what is behind our walls either."""
    outcome = nowhere(lookup(FixedResolver()), Route(domain, domain))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.4"


def test_address_literal_that_is_us() -> None:
    """A loop."""
    outcome = nowhere(lookup(FixedResolver(), us("192.0.2.1")), Route("[192.0.2.1]", "[192.0.2.1]", private=True))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.6"


@pytest.mark.parametrize("domain", ["[]", "[x]", "[x:y]", "[192.0.2.256]", "[fe80::1%eth0]", "[192.0.2.1", ""])
def test_domains_that_are_none(domain: str) -> None:
    """They fail for good."""
    assert nowhere(lookup(FixedResolver()), Route(domain, domain, private=True)).status == "5.1.2"
    assert literal(domain) == ""
