"""What the composition of the way out decides by itself."""

import errno
import socket

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from mailsuite.config import Settings
from mailsuite.config.tables.delivery import Delivery, RouteTable
from mailsuite.config.tables.queue import Queue
from mailsuite.outgoing import is_address_of_ours, leads_here, ourselves, policy_web, route_rules
from mailsuite.route import CannotConnect, Route
from tests.doubles_dns import FixedResolver


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.5.6.7", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0:0:0::1"]
)
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


class Machine:
    """One with *addresses*, in place of the `socket` module."""

    AF_INET = AF_INET6 = SOCK_DGRAM = 0

    def __init__(self, *addresses: str) -> None:
        self.addresses = set(addresses)
        self.families = True

    def socket(self, family: int, kind: int) -> "Machine":
        if not self.families:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return self

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def connect(self, place: tuple[str, int]) -> None:
        self.source = place[0] if place[0] in self.addresses else "198.51.100.1"

    def getsockname(self) -> tuple[str, int]:
        return self.source, 50_000


def test_an_address_that_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ours while it is here: the partner of a pair may have it the next moment."""
    machine = Machine("203.0.113.9")
    monkeypatch.setattr("mailsuite.outgoing.socket", machine)
    answers = []
    for addresses in ({"203.0.113.9"}, set(), {"203.0.113.9"}):
        machine.addresses = addresses
        answers.append(leads_here("0.0.0.0", "203.0.113.9"))

    assert answers == [True, False, True]


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has none of its addresses."""
    machine = Machine()
    machine.families = False
    monkeypatch.setattr("mailsuite.outgoing.socket", machine)

    assert not is_address_of_ours("2001:db8::1")


@pytest.mark.parametrize(
    ("bound", "address", "leads"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.2", True),
        ("::", "127.0.0.1", True),
        # RFC 4291 §2.2 has many ways to write one address, and some lead to one of IPv4.
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("2001:db8::1", "2001:DB8::0001", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "64:ff9b::c000:201", True),
        ("0.0.0.0", "::ffff:127.0.0.1", True),
        # A socket has a path, and no address.
        ("", "192.0.2.1", False),
        ("192.0.2.1", "mx.example.org", False),
    ],
)
def test_what_leads_to_a_listener(bound: str, address: str, leads: bool) -> None:
    """However it is written."""
    assert leads_here(bound, address) is leads


def test_what_we_are_known_by() -> None:
    """Our hostname, what the administrator adds, and where we listen."""
    delivery = Delivery(ourselves=["MX2.Example.org", "bücher.example", "198.51.100.7", "2001:db8::7"])
    asked: list[tuple[str, int]] = []

    def listens(address: str, port: int) -> bool:
        asked.append((address, port))
        return (address, port) == ("192.0.2.1", 25)

    ours = ourselves(Settings(hostname="mail.example.org", delivery=delivery), listens)

    known = ["mail.example.org", "mx2.example.org", "xn--bcher-kva.example", "198.51.100.7", "2001:DB8:0::7"]
    assert all(ours(host, port) for host in known for port in (25, 2525))
    assert asked == []
    assert not ours("mx3.example.org", 25)
    assert asked == []
    assert ours("::ffff:192.0.2.1", 25)
    assert not ours("192.0.2.1", 2525)
    assert not ours("192.0.2.2", 25)
    assert asked == [("192.0.2.1", 25), ("192.0.2.1", 2525), ("192.0.2.2", 25)]


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
