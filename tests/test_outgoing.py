"""What the composition of the way out decides by itself."""

import socket

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from mailsuite.config import Settings
from mailsuite.config.settings import Delivery, Queue, RouteTable
from mailsuite.outgoing import is_address_of_ours, policy_web, route_rules
from mailsuite.route import CannotConnect, Route
from tests.doubles_dns import FixedResolver


@pytest.mark.parametrize("address", ["127.0.0.1", "127.5.6.7", "::1", "0.0.0.0", "::"])
def test_loopback(address: str) -> None:
    """Whoever sends there sends to us."""
    assert is_address_of_ours(address)


def test_an_address_of_an_interface() -> None:
    """That from which this machine sends is ours, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 25))
        except OSError:
            pytest.skip("no network here")
        assert is_address_of_ours(probe.getsockname()[0])


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "127.0.0.256", "", "[127.0.0.1]"])
def test_an_address_of_others(address: str) -> None:
    """Whatever else somebody has written into DNS is not."""
    assert not is_address_of_ours(address)


def test_a_name_is_not_looked_up() -> None:
    """Every exchanger's name is asked about, and whoever has many must not stop the reactor."""
    assert not is_address_of_ours("localhost")


def route_of(table: RouteTable, tls: str = "may") -> Route:
    """Return the route that a table of the configuration means."""
    delivery = Delivery(tls=tls)  # type: ignore[arg-type]
    settings = Settings(
        hostname="mail.example.org", routes={"x": table}, delivery=delivery, queue=Queue(remote_port=2525)
    )
    (rule,) = route_rules(settings)
    return rule.route


@pytest.mark.parametrize(
    ("table", "port", "tls", "implicit"),
    [
        (RouteTable(), 2525, "dane", False),
        (RouteTable(tls="none"), 2525, "none", False),
        (RouteTable(host="a.example"), 25, "may", False),
        (RouteTable(host="a.example", port=26, tls="encrypt"), 26, "encrypt", False),
        # RFC 8314 §7.3.
        (RouteTable(host="a.example", tls="implicit"), 465, "verify", True),
        (RouteTable(host="a.example", tls="implicit", port=26), 26, "verify", True),
        # A password is not for whoever answers.
        (RouteTable(host="a.example", user="we", password_file="p"), 25, "verify", False),
        (RouteTable(host="a.example", user="we", password_file="p", tls="may"), 25, "may", False),
        (RouteTable(host="unix:/run/lmtp", protocol="lmtp"), 25, "none", False),
        (RouteTable(host="unix:/run/lmtp", protocol="lmtp", user="we", password_file="p"), 25, "none", False),
    ],
)
def test_defaults_of_a_route(table: RouteTable, port: int, tls: str, implicit: bool) -> None:
    """What the table does not say depends on what it says."""
    route = route_of(table, tls="dane")

    assert (route.port, route.tls, route.implicit) == (port, tls, implicit)


def connections(delivery: Delivery) -> list[str]:
    """Fetch a policy from a host whose address is private; return where was connected to, or why not."""
    memory = MemoryReactorClock()
    settings = Settings(hostname="mail.example.org", delivery=delivery)
    web = policy_web(settings, memory, FixedResolver(addresses={"mta-sts.b.example": ["10.0.0.1"]}))
    refusals: list[str] = []

    def refused(failure: Failure) -> None:
        failure.trap(CannotConnect)
        refusals.append(str(failure.value))

    Deferred.fromCoroutine(web.get("https://mta-sts.b.example/", 10)).addErrback(refused)
    return [connection[0] for connection in memory.tcpClients] + refusals


def test_policies_are_not_fetched_from_inside() -> None:
    """Whoever has a domain could have us knock at our own doors; a site may allow it."""
    assert connections(Delivery()) == [
        "cannot fetch https://mta-sts.b.example/: mta-sts.b.example has only addresses that are not public: 10.0.0.1"
    ]
    assert connections(Delivery(allow_private=True)) == ["10.0.0.1"]


def test_policies_go_by_the_issuers_of_all_the_world() -> None:
    """A file of issuers for our own routes, be it of no use, has no say."""
    assert connections(Delivery(allow_private=True, ca_file="/nonexistent")) == ["10.0.0.1"]
